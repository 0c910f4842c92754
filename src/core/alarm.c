/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* When the cleaner wakes. */
#include "alarm.h"

void rpool__arm_locked(struct pool *pool, int64_t when)
{
    if (when >= (int64_t)atom_load(&pool->alarm.wake_at))
        return;
    atom_store(&pool->alarm.wake_at, (uint64_t)when);
    if (pool->threads.cleaner_asleep)
        watch_wake(&pool->watch);
}

void rpool__set_idle_due_locked(struct pool *pool)
{
    int64_t due = pool->config.keepalive;
    if (pool_surplus(pool) > 0 && pool->config.idle_timeout < due)
        due = pool->config.idle_timeout;
    if (due != (int64_t)atom_load(&pool->alarm.idle_due))
        atom_store(&pool->alarm.idle_due, (uint64_t)due);
    int may_leave =
        (pool_surplus(pool) > 0) + (pool_surplus(pool) > pool->counts.ageing);
    if (may_leave > pool->closable_idle)
        rpool__arm_locked(pool, 0); /* for what is idle since long */
    pool->closable_idle = may_leave;
}
