/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Wait, resize, recycle, suspend, resume. */
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

rpool_status rpool_wait(rpool *handle, int timeout_ms, rpool_failure *why)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_status status = RPOOL_OK;
    if (!rpool__enter(pool, (uintptr_t)handle)) {
        return rpool__refusal(pool, why);
    }
    int64_t deadline = clock_after(clock_now(), timeout_ms);
    int in_callout = rpool__in_callout(pool);
    pool->demand.min_size_waits++;
    rpool__wake_workers_locked(pool);
    for (;;) {
        if (atom_load(&pool->gate) & GATE_CLOSED)
            status = RPOOL_CLOSED;
        else if (pool_existing(pool) >= pool->limits.min_size)
            break;
        else if (pool->backoff.failure.permanent &&
                 clock_now() < pool->backoff.urgent_until)
            status = RPOOL_CREATE;
        else if (in_callout)
            status = RPOOL_BUSY;
        else if (clock_now() >= deadline)
            status = RPOOL_TIMEOUT;
        if (status != RPOOL_OK)
            break;
        rpool__sleep_locked(pool, &pool->state_changed, deadline);
    }
    pool->demand.min_size_waits--;
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

static void leave(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    rpool__set_idle_due_locked(pool);
    rpool__arm_locked(pool, 0);
    rpool__settle_locked(pool);
    rpool__leave_and_drain(pool);
}

/* It may be megabytes, so the mutex is dropped meanwhile. */
static int grow_locked(struct pool *pool, uint32_t nslots) POOL_LOCKED(pool)
{
    while (pool->limits.growing)
        rpool__sleep_locked(pool, &pool->state_changed, CLOCK_NEVER);
    /* Quietly: a listener that resizes would wait for itself. */
    pool->limits.growing = 1;
    struct list fresh;
    list_init(&fresh);
    rpool__unlock_quietly(pool);
    int rc = rpool__grow(pool, nslots, &fresh);
    lock_take(&pool->lock);
    if (rc == 0)
        rpool__add_locked(pool, nslots, &fresh);
    pool->limits.growing = 0;
    cond_wake_all(&pool->state_changed);
    return rc;
}

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
        cond_wake_all(&pool->state_changed); /* a wait may be over */
    }
    leave(pool);
    return status;
}

rpool_status rpool_recycle(rpool *handle)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);
    for (uint32_t i = 0; i < atom_load(&pool->slots.count); i++) {
        rpool__slot_mark_locked(pool, pool_slot(pool, i), SLOT_RECYCLED);
        if ((i + 1) % HOLD_BATCH == 0) {
            rpool__unlock_and_notify(pool);
            lock_take(&pool->lock);
        }
    }
    pool->backoff.failures = 0; /* what failed may be what the recycle is for */
    pool->backoff.until = pool->backoff.urgent_until = 0;
    leave(pool);
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
    leave(pool);
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
