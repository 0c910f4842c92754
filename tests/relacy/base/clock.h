/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Time stands still but for waits that time out: it is their deadline then. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER       INT64_MAX
#define CLOCK_MS          1000000LL
#define CLOCK_COARSE_TICK (4 * CLOCK_MS)

int64_t clock_now(void);

static inline int64_t clock_coarse(void)
{
    return clock_now();
}

static inline int64_t clock_after(int64_t now, int64_t ms)
{
    return ms < 0 ? CLOCK_NEVER : now + ms * CLOCK_MS;
}

#endif
