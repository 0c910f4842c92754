/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * QUICK marks the functions of the uncontended acquire and release, which have
 * no stack protector.  The check would be a tenth of their instructions.  None
 * of them has an array on its stack, and the only pointer into the stack that
 * they pass on is that to the struct timespec of clock_gettime().
 * cmake/flags.cmake has the flags of all other functions.
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

/* A part of such a function, which is compiled into it. */
#define QUICK_PART static inline __attribute__((always_inline))

#endif
