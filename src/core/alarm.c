/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* When the cleaner wakes. */
#include "alarm.h"

void rpool__arm_locked(struct pool *pool, int64_t when)
{
    if (when >= (int64_t)atom_load(&pool->next_wake))
        return;
    atom_store(&pool->next_wake, (uint64_t)when);
    if (pool->cleaner_asleep)
        watch_wake(&pool->watch);
}

void rpool__set_idle_due_locked(struct pool *pool)
{
    int64_t due = pool->keepalive;
    if (pool_surplus(pool) > 0 && pool->idle_timeout < due)
        due = pool->idle_timeout;
    if (due != (int64_t)atom_load(&pool->idle_due))
        atom_store(&pool->idle_due, (uint64_t)due);
    int may_leave =
        (pool_surplus(pool) > 0) + (pool_surplus(pool) > pool->ageing);
    if (may_leave > pool->may_leave)
        rpool__arm_locked(pool, 0); /* for what is idle since long */
    pool->may_leave = may_leave;
}
