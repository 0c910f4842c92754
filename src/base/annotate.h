/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Attributes with which clang checks the lock discipline.  Other compilers
 * ignore them. */
#ifndef BASE_ANNOTATE_H
#define BASE_ANNOTATE_H

#if defined(__clang__)
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif
#define LOCK_HELD(...) LOCK_ATTRIBUTE(requires_capability(__VA_ARGS__))

#endif
