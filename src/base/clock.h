/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Monotonic time and deadlines, in nanoseconds.  CLOCK_NEVER is later than all
 * other times. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/platform.h"

#include <stdint.h>

#define CLOCK_NEVER       INT64_MAX
#define CLOCK_MS          1000000LL
#define CLOCK_COARSE_TICK (4 * CLOCK_MS) /* resolution of clock_coarse() */

/*
 * platform.h defines the clocks:
 *   int64_t clock_now(void)     the monotonic time
 *   int64_t clock_coarse(void)  takes a few ns only, and is at most
 *                               CLOCK_COARSE_TICK behind clock_now()
 */

/* Returns now + ms.  A negative ms, and a sum that does not fit, give
 * CLOCK_NEVER. */
static inline int64_t clock_after(int64_t now, int64_t ms)
{
    if (ms < 0 || ms > (CLOCK_NEVER - now) / CLOCK_MS)
        return CLOCK_NEVER;
    return now + ms * CLOCK_MS;
}

/* Returns the milliseconds until the deadline for poll(2): rounded up, and -1
 * for CLOCK_NEVER. */
static inline int clock_ms_until(int64_t deadline, int64_t now)
{
    if (deadline == CLOCK_NEVER)
        return -1;
    if (deadline <= now)
        return 0;
    int64_t ms = (deadline - now + CLOCK_MS - 1) / CLOCK_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

#endif
