/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * When the cleaner wakes.
 *
 * A thread that makes something due stores the time in the slot and then reads
 * alarm.wake_at.  If the thing is due earlier than that, the thread lowers
 * wake_at and wakes the cleaner.  The cleaner stores CLOCK_NEVER into wake_at
 * and then reads all slots.  All four accesses are sequentially consistent, so
 * one of the two threads sees the other, and nothing due is forgotten.
 *
 * While the cleaner visits the slots, other threads lower wake_at without
 * waking it.  The cleaner reads wake_at before it sleeps.
 */
#include "alarm.h"

void rpool__arm_locked(struct pool *pool, int64_t when)
{
    assert(when >= 0);
    if (when >= (int64_t)atom_load(&pool->alarm.wake_at))
        return;

    atom_store(&pool->alarm.wake_at, (uint64_t)when);
    if (pool->threads.cleaner_asleep)
        watch_wake(&pool->watch);
}

void rpool__set_idle_due_locked(struct pool *pool)
{
    assert(pool->counts.ageing >= 0);
    assert(pool->counts.ageing <= pool_existing(pool));

    int64_t due = pool->config.keepalive;
    int surplus = pool_surplus(pool);
    if (surplus > 0 && pool->config.idle_timeout < due)
        due = pool->config.idle_timeout;
    if (due != (int64_t)atom_load(&pool->alarm.idle_due))
        atom_store(&pool->alarm.idle_due, (uint64_t)due);

    /* If idle timeouts may close more items than before, some item may have
     * been idle for long enough already. */
    int closable = (surplus > 0) + (surplus > pool->counts.ageing);
    if (closable > pool->closable_idle)
        rpool__arm_locked(pool, 0);
    pool->closable_idle = closable;
}
