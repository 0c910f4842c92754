/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/random.h"

#include "base/atomic.h"
#include "base/clock.h"

/* splitmix64 of a counter that all threads share, mixed with the time. */
uint64_t random_below(uint64_t n)
{
    static _Atomic uint64_t state;
    if (n == 0)
        return 0;

    uint64_t z = atomic_fetch_add_explicit(&state, 0x9E3779B97F4A7C15U,
                                           memory_order_relaxed) ^
                 (uint64_t)clock_now();
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (z ^ (z >> 31)) % n;
}
