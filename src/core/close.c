/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Close.  The closing thread stops the threads of the pool and waits for its
 * items.  The last thread that leaves the closed pool ends it (entry.c): the
 * closing thread, the last release, or a worker that was stuck in the provider.
 */
#include "close.h"
#include "callout.h"
#include "entry.h"
#include "handle.h"
#include "settle.h"
#include "threads.h"

/* After the deadline, a close waits this long for items that only have to be
 * destroyed. */
enum { DESTROY_GRACE_MS = 100 };

void rpool__begin_close_locked(struct pool *pool)
{
    (void)atom_or(&pool->gate, GATE_CLOSED);
    stop_raise(pool->stop_fd);
    rpool__settle_locked(pool);
    cond_wake_all(&pool->state_changed);
}

/* The timeout is meant for leases and creations.  A destroy does not block. */
static void await_items_locked(struct pool *pool, int64_t deadline)
    POOL_LOCKED(pool)
{
    int64_t grace = clock_after(clock_now(), DESTROY_GRACE_MS);
    while (pool->counts.occupied > 0) {
        int64_t until = deadline;
        if (pool->counts.occupied == pool->counts.closing && grace > deadline)
            until = grace;
        if (clock_now() >= until)
            return;
        rpool__sleep_locked(pool, &pool->state_changed, until);
    }
}

/* Waits for the threads that are not busy, and until the deadline for those
 * that are in the provider or in the listener. */
static void stop_threads_locked(struct pool *pool, int64_t deadline)
    POOL_LOCKED(pool)
{
    assert(atom_load(&pool->gate) & GATE_CLOSED);
    pool->threads.stopping = 1;
    cond_wake_all(&pool->work_available);
    watch_wake(&pool->watch);

    while (pool->threads.running > pool->threads.busy)
        rpool__sleep_locked(pool, &pool->state_changed, CLOCK_NEVER);
    while (pool->threads.running > 0 && clock_now() < deadline)
        rpool__sleep_locked(pool, &pool->state_changed, deadline);
}

/* A close in a callback cannot wait for the callback.  It only closes the gate,
 * and the handle stays, so that the application can close again. */
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
    assert(joins <= THREADS);
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
