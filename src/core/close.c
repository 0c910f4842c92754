/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Open, wait, resize, recycle, suspend, resume, close, and the end.
 *
 * A closed pool is over when nothing of it runs and nothing is leased: no slot
 * is occupied, no thread is left, no call is inside.  Whoever makes that true
 * ends it, in rpool__unlock: the closing thread, the last release, or a worker
 * that was left behind in a creation.
 */
#include "close.h"
#include "callout.h"
#include "entry.h"
#include "handle.h"
#include "settle.h"
#include "threads.h"

void rpool__begin_close_locked(struct pool *pool)
{
    (void)atom_or(&pool->gate, GATE_CLOSED);
    stop_raise(pool->stop_fd);
    rpool__settle_locked(pool);
    cond_wake_all(&pool->state_changed);
}

/* The timeout is for what is leased or being created; what is only being
 * destroyed, which does not block, gets a moment anyway. */
static void await_items_locked(struct pool *pool, int64_t deadline)
    POOL_LOCKED(pool)
{
    int64_t moment = clock_after(clock_now(), 100);
    while (pool->counts.occupied > 0) {
        int64_t until = deadline;
        if (pool->counts.occupied == pool->counts.closing && moment > deadline)
            until = moment;
        if (clock_now() >= until)
            return;
        rpool__sleep_locked(pool, &pool->state_changed, until);
    }
}

/* The threads that are not in the provider's hands end, and until the deadline
 * the others may. */
static void stop_threads_locked(struct pool *pool, int64_t deadline)
    POOL_LOCKED(pool)
{
    pool->threads.stopping = 1;
    cond_wake_all(&pool->work_available);
    watch_wake(&pool->watch);
    while (pool->threads.running > pool->threads.busy)
        rpool__sleep_locked(pool, &pool->state_changed, CLOCK_NEVER);
    while (pool->threads.running > 0 && clock_now() < deadline)
        rpool__sleep_locked(pool, &pool->state_changed, deadline);
}

rpool_status rpool_close(rpool **handle, int timeout_ms)
{
    if (handle == NULL || *handle == NULL)
        return RPOOL_OK;
    uint64_t word = (uintptr_t)*handle;
    struct pool *pool = rpool__pool_of(word);
    if (!rpool__enter(pool, word)) {
        *handle = NULL;
        return rpool__refusal(pool, NULL);
    }
    int64_t deadline = clock_after(clock_now(), timeout_ms);
    rpool__begin_close_locked(pool);
    if (rpool__in_callout(pool)) {
        rpool__leave(pool);
        return RPOOL_BUSY;
    }
    *handle = NULL;
    rpool__unlock_and_notify(pool);
    lock_take(&pool->lock);
    await_items_locked(pool, deadline);
    stop_threads_locked(pool, deadline);
    struct thread ended[THREADS];
    int joins = rpool__reap_threads_locked(pool, ended);
    rpool__unlock_and_notify(pool);
    for (int i = 0; i < joins; i++)
        thread_join(&ended[i]);

    lock_take(&pool->lock);
    rpool_status status = pool->counts.occupied + pool->threads.running > 0
                              ? RPOOL_TIMEOUT
                              : RPOOL_OK;
    rpool__leave(pool);
    return status;
}
