/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/random.h"

#include "base/sched.h"

static int fixed_permille = SIM_SEEDED;

void sim_random(int permille)
{
    fixed_permille = permille;
}

uint64_t random_below(uint64_t n)
{
    if (n == 0)
        return 0;
    if (fixed_permille != SIM_SEEDED)
        return (n - 1) * (uint64_t)fixed_permille / 1000;
    return decide_random() % n;
}
