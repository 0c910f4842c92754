/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * QUICK marks the functions of the uncontended acquire and release.  They have
 * no stack protector: none of them has an array on its stack or gives away a
 * pointer to it, but for the struct timespec of clock_gettime(), and the check
 * is a tenth of such a function.  cmake/flags.cmake has the flags of the rest.
 */
#ifndef BASE_QUICK_H
#define BASE_QUICK_H

#ifdef __has_attribute
#if __has_attribute(no_stack_protector)
#define QUICK __attribute__((no_stack_protector))
#endif
#endif
#ifndef QUICK
#define QUICK
#endif

/* A part of such a function, compiled as the function is. */
#define QUICK_PART static inline __attribute__((always_inline))

#endif
