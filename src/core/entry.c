/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Entering a pool and leaving it (entry.h).
 *
 * A thread that drops the mutex first finishes what it has caused: it settles
 * until nothing is left, wakes the waiters that were answered, and starts a
 * worker if one is missing.  The last thread that leaves a closed pool destroys
 * what the workers cannot, and ends the pool.
 *
 * A closed pool is over when no slot is occupied, no thread runs and no thread
 * has entered.
 */
#include "entry.h"
#include "alarm.h"
#include "callout.h"
#include "failure.h"
#include "handle.h"
#include "jobs.h"
#include "queue.h"
#include "settle.h"
#include "slot.h"
#include "stuck.h"
#include "threads.h"

/* ---- enter ---- */

int rpool__enter(struct pool *pool, uint64_t handle)
    LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    if (pool == NULL || atom_load(&pool->gate) & GATE_FORKED)
        return 0;

    lock_take(&pool->lock);
    if (!pool_is_open(pool) ||
        (atom_load(&pool->gate) & ~(uint64_t)CELL_MASK) != gate_open(handle)) {
        lock_drop(&pool->lock);
        return 0;
    }
    assert(pool->refs >= 0);
    pool->refs++;
    return 1;
}

rpool_status rpool__refusal(const struct pool *pool, rpool_failure *why)
{
    if (pool == NULL)
        return rpool__fail(why, RPOOL_INVALID, "there is no such pool");
    if (atom_load(&pool->gate) & GATE_FORKED)
        return rpool__fail(why, RPOOL_FORKED,
                           "the pool was opened before fork(): a child opens "
                           "its own");
    return rpool__fail(why, RPOOL_CLOSED, "the pool was closed earlier");
}

void rpool__enter_as_owner(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->refs++;
}

/* ---- drop the mutex ---- */

/*
 * A waiter that was woken under the mutex would run into the mutex and sleep
 * again: two more switches for each hand-over (measured: a third of the rate of
 * 64 threads on 8 items).  A hand-over answers one waiter.  A close or a resume
 * may answer thousands, which are woken in batches.
 */
static void drop_and_wake(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    struct wake wake[WAKE_BATCH];
    for (;;) {
        int n = rpool__queue_pop_answered_locked(pool, wake, WAKE_BATCH);
        int more = !list_empty(&pool->queue.answered);
        lock_drop(&pool->lock);

        for (int i = 0; i < n; i++)
            wake_send(wake[i]);
        if (!more)
            break;
        lock_take(&pool->lock);
    }
}

/* Settles until nothing is left, with the mutex free between two batches. */
static void finish_locked(struct pool *pool) POOL_LOCKED(pool)
{
    pool->refs++;
    while (pool->unsettled) {
        drop_and_wake(pool);
        lock_take(&pool->lock);
        if (pool->unsettled)
            rpool__settle_locked(pool);
    }
    pool->refs--;
}

/*
 * The system refused a worker.  This is emitted as DEGRADED, by a worker if the
 * calling thread is in a callback or is one of the pool's: the listener may
 * wait for what that thread holds.
 */
static void spawn_failed(struct pool *pool, int index)
{
    int by_worker = rpool__in_callout(pool);
    lock_take(&pool->lock);
    pool->refs++;
    rpool__spawn_failed_locked(pool, index);
    rpool__settle_locked(pool);
    if (by_worker)
        rpool__queue_degraded_locked(pool, NO_WORKER);
    lock_drop(&pool->lock);

    if (!by_worker)
        rpool__emit(pool,
                    &(rpool_event){.type = RPOOL_EVENT_DEGRADED,
                                   .message = "cannot start another worker"});
    lock_take(&pool->lock);
    rpool__leave_and_drain(pool);
}

void rpool__unlock_and_notify(struct pool *pool)
{
    finish_locked(pool);
    int place = rpool__reserve_worker_locked(pool);
    drop_and_wake(pool);
    if (place >= 0 && rpool__spawn_worker(pool, place) != 0)
        spawn_failed(pool, place);
}

/* Passes the wake-up on, because several jobs may have caused only one.  If
 * this was the last worker that can be had, settling lets waiters ping for
 * themselves. */
void rpool__unlock_for_job(struct pool *pool)
{
    assert(pool->threads.busy > 0);
    rpool__watch_workers_locked(pool);
    if (rpool__workers_refused_locked(pool))
        rpool__settle_locked(pool);
    rpool__wake_workers_locked(pool);
    rpool__unlock_and_notify(pool);
}

void rpool__unlock_quietly(struct pool *pool)
{
    lock_drop(&pool->lock);
}

int rpool__notify_locked(struct pool *pool)
{
    if (!pool->unsettled && list_empty(&pool->queue.answered) &&
        !rpool__worker_missing_locked(pool))
        return 0;
    rpool__unlock_and_notify(pool);
    lock_take(&pool->lock);
    return 1;
}

void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
{
    if (!rpool__notify_locked(pool))
        cond_wait(cond, &pool->lock, deadline);
}

/* ---- leave ---- */

static int is_over_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool_is_open(pool) && pool->threads.stopping &&
           pool->counts.occupied == 0 && pool->threads.running == 0 &&
           pool->refs == 0;
}

/* Clears the serial first, so that no thread enters any more.  A release that
 * is late reads wake_at 0 and does not wake the cleaner. */
static void end_locked(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    assert(pool->queue.length == 0 && list_empty(&pool->queue.answered));
    assert(list_empty(&pool->lists.closing) && pool->threads.workers == 0);
    atom_store(&pool->gate, GATE_CLOSED);
    atom_store(&pool->alarm.wake_at, 0);
    lock_drop(&pool->lock);

    rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_FREED});
    rpool__call_done(pool);
    rpool__cell_close_files(pool);
    rpool__cell_free(pool);
}

/* CLOSED is emitted before the destroy, because the event has the resource. */
void rpool__drain_locked(struct pool *pool)
{
    while (!list_empty(&pool->lists.closing)) {
        struct slot *slot = rpool__slot_pop_locked(pool, &pool->lists.closing);
        rpool__unlock_and_notify(pool);
        rpool__emit_slot(pool, slot, RPOOL_EVENT_CLOSED, 0);
        rpool__call_destroy(pool, slot);
        lock_take(&pool->lock);
        rpool__slot_destroyed_locked(pool, slot);
    }
}

void rpool__leave(struct pool *pool)
{
    assert(pool->refs > 0);
    finish_locked(pool);
    pool->refs--;
    if (is_over_locked(pool))
        end_locked(pool);
    else
        rpool__unlock_and_notify(pool);
}

/* All workers have ended, or are stuck in the provider or the listener. */
void rpool__leave_and_drain(struct pool *pool)
{
    assert(pool->refs > 0);
    finish_locked(pool);
    if (pool->threads.stopping && pool->threads.workers == pool->threads.busy)
        rpool__drain_locked(pool);
    rpool__leave(pool);
}

/* ---- a pool that the caller has no part in ---- */

void rpool__settle(struct pool *pool)
{
    lock_take(&pool->lock);
    if (pool_is_open(pool)) {
        pool->refs++;
        rpool__settle_locked(pool);
        rpool__leave_and_drain(pool);
    } else {
        lock_drop(&pool->lock);
    }
}

void rpool__arm_slowly(struct pool *pool, int64_t when)
{
    lock_take(&pool->lock);
    rpool__arm_locked(pool, when);
    lock_drop(&pool->lock);
}
