/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* Uniform enough for jitter: 0 to n - 1; 0 for n of 0.  Thread: any. */
uint64_t random_below(uint64_t n);

#endif
