/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Calls that change an open pool, or wait for it: wait, resize, recycle,
 * suspend and resume. */
#include "alarm.h"
#include "callout.h"
#include "chunk.h"
#include "entry.h"
#include "explain.h"
#include "failure.h"
#include "handle.h"
#include "jobs.h"
#include "settle.h"
#include "slot.h"

/* ---- wait ---- */

/* Waits until min_size items exist. */
static rpool_status await_min_size_locked(struct pool *pool, int64_t deadline,
                                          int in_callout) POOL_LOCKED(pool)
{
    for (;;) {
        if (atom_load(&pool->gate) & GATE_CLOSED)
            return RPOOL_CLOSED;
        if (pool_existing(pool) >= pool->limits.min_size)
            return RPOOL_OK;
        if (pool->backoff.failure.permanent &&
            clock_now() < pool->backoff.urgent_until)
            return RPOOL_CREATE;
        if (in_callout)
            return RPOOL_BUSY;
        if (clock_now() >= deadline)
            return RPOOL_TIMEOUT;
        rpool__sleep_locked(pool, &pool->state_changed, deadline);
    }
}

rpool_status rpool_wait(rpool *handle, int timeout_ms, rpool_failure *why)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, why);

    int64_t deadline = clock_after(clock_now(), timeout_ms);
    int in_callout = rpool__in_callout(pool);
    pool->demand.min_size_waits++;
    rpool__wake_workers_locked(pool);
    rpool_status status = await_min_size_locked(pool, deadline, in_callout);
    pool->demand.min_size_waits--;
    assert(pool->demand.min_size_waits >= 0);

    if (status != RPOOL_OK) {
        rpool__unlock_and_notify(pool);
        if (in_callout)
            (void)rpool__fail(why, status, "%s", rpool__in_callout_text);
        else
            rpool__explain(pool, why, status, -1);
        lock_take(&pool->lock);
    }
    rpool__leave_and_drain(pool);
    return status;
}

/* ---- changes ---- */

/* Leaves the pool after a change of what it keeps.  The cleaner visits all
 * slots. */
static void leave_changed(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    assert(pool->limits.min_size <= pool->limits.max_size);
    rpool__set_idle_due_locked(pool);
    rpool__arm_locked(pool, 0);
    rpool__settle_locked(pool);
    rpool__leave_and_drain(pool);
}

/*
 * Makes room for more slots, one thread at a time.  The mutex is free
 * meanwhile, because the slots may take megabytes.  It is dropped quietly: a
 * listener that was called here and resized the pool would wait for itself.
 */
static int grow_locked(struct pool *pool, uint32_t nslots) POOL_LOCKED(pool)
{
    while (pool->limits.growing)
        rpool__sleep_locked(pool, &pool->state_changed, CLOCK_NEVER);
    pool->limits.growing = 1;
    struct list fresh;
    list_init(&fresh);
    rpool__unlock_quietly(pool);
    int rc = rpool__grow(pool, nslots, &fresh);
    lock_take(&pool->lock);

    assert(pool->limits.growing);
    if (rc == 0)
        rpool__add_locked(pool, nslots, &fresh);
    pool->limits.growing = 0;
    cond_wake_all(&pool->state_changed);
    return rc;
}

/* A smaller min_size may end a rpool_wait(). */
rpool_status rpool_resize(rpool *handle, int max_size, int min_size)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_status status = RPOOL_OK;
    if (max_size < 1 || max_size > MAX_ITEMS || min_size < 0 ||
        min_size > max_size)
        return RPOOL_INVALID;
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);

    int rc = grow_locked(pool, (uint32_t)max_size);
    if (atom_load(&pool->gate) & GATE_CLOSED)
        status = RPOOL_CLOSED;
    else if (rc != 0)
        status = RPOOL_NOMEM;
    else {
        pool->limits.max_size = max_size;
        pool->limits.min_size = min_size;
        cond_wake_all(&pool->state_changed);
    }
    leave_changed(pool);
    return status;
}

/* Ends the back-off too: the cause of the failures may be what the application
 * recycles the pool for. */
rpool_status rpool_recycle(rpool *handle)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);

    for (uint32_t i = 0; i < atom_load(&pool->slots.count); i++) {
        (void)rpool__slot_mark_locked(pool, pool_slot(pool, i), SLOT_RECYCLED);
        if ((i + 1) % HOLD_BATCH == 0) {
            rpool__unlock_and_notify(pool);
            lock_take(&pool->lock);
        }
    }
    pool->backoff.failures = 0;
    pool->backoff.until = pool->backoff.urgent_until = 0;
    leave_changed(pool);
    return RPOOL_OK;
}

static rpool_status set_suspended(rpool *handle, int suspended)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_status status = RPOOL_OK;
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);

    if (atom_load(&pool->gate) & GATE_CLOSED)
        status = RPOOL_CLOSED;
    else if (suspended)
        (void)atom_or(&pool->gate, GATE_SUSPENDED);
    else
        (void)atom_and(&pool->gate, ~(uint64_t)GATE_SUSPENDED);
    leave_changed(pool);
    return status;
}

rpool_status rpool_suspend(rpool *handle)
{
    return set_suspended(handle, 1);
}

rpool_status rpool_resume(rpool *handle)
{
    return set_suspended(handle, 0);
}
