/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"

#include "base/sched.h"

int64_t clock_now(void)
{
    sched_counts.clocks++;
    return sched_now();
}

int64_t clock_coarse(void)
{
    return sched_now() / CLOCK_COARSE_TICK * CLOCK_COARSE_TICK;
}
