/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* A waiter's time in the queue. */
#include "wait.h"
#include "entry.h"
#include "queue.h"
#include "settle.h"
#include "stuck.h"

/* Settling may answer waiters and so make room. */
static int is_full_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (pool->config.max_waiters < 0 ||
        pool->queue.length < pool->config.max_waiters)
        return 0;
    rpool__settle_locked(pool);
    return pool->queue.length >= pool->config.max_waiters;
}

/* The item that the waiter could have may be in a slow listener. */
static void note_slow_listener_locked(struct pool *pool, int64_t due)
    POOL_LOCKED(pool)
{
    int64_t now = clock_now();
    if (now >= due && rpool__note_stuck_locked(pool, now, &due) > 0)
        rpool__settle_locked(pool);
}

rpool_status rpool__wait_locked(struct pool *pool, uint64_t *ticket,
                                int needs_ready, int64_t deadline,
                                struct slot **slot)
{
    assert(*slot == NULL);
    if (*ticket == 0) {
        if (is_full_locked(pool))
            return RPOOL_BUSY;
        *ticket = ++pool->queue.last_ticket;
    }

    struct waiter w = {
        .ticket = *ticket, .needs_ready = needs_ready, .status = RPOOL_TIMEOUT};
    sleeper_init(&w.sleeper);
    rpool__queue_insert_locked(pool, &w);
    rpool__settle_locked(pool);

    while (!w.answered && clock_now() < deadline) {
        int64_t due = rpool__listener_due_locked(pool);
        if (!rpool__notify_locked(pool))
            sleeper_wait(&w.sleeper, &pool->lock,
                         due < deadline ? due : deadline);
        note_slow_listener_locked(pool, due);
    }

    /* The waiter may have found its answer before it was woken. */
    if (w.answered)
        list_remove(&w.node);
    else
        rpool__queue_remove_locked(pool, &w);
    assert((w.status == RPOOL_OK) == (w.slot != NULL));
    *slot = w.slot;
    return w.status;
}
