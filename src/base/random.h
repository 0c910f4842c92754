/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* Returns a random number from 0 to n - 1, or 0 if n is 0.  Good enough for
 * jitter, not for secrets.  Thread: any. */
uint64_t random_below(uint64_t n);

#endif
