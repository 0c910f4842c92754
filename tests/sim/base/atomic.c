/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/atomic.h"

#include "base/sched.h"

void sim_atom_point(void)
{
    sched_counts.atoms++;
    sched_point();
}
