/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Entering a pool, and leaving it. */
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

int rpool__enter(struct pool *pool, uint64_t handle)
    LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    if (pool == NULL || atom_load(&pool->gate) & GATE_FORKED)
        return 0;
    lock_take(&pool->lock);
    if (!pool_is_open(pool) ||
        (atom_load(&pool->gate) & ~(uint64_t)SHELL_MASK) != gate_open(handle)) {
        lock_drop(&pool->lock);
        return 0;
    }
    pool->inside++;
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

/*
 * Woken under the mutex, a waiter would run into it at once and sleep again:
 * two more switches for each hand-over (measured: a third of the rate of 64
 * threads on 8 items).  A hand-over answers one waiter.  A close or a resume
 * may answer thousands: these are woken in batches.
 */
static void drop_and_wake(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    struct wake wake[WAKE_BATCH];
    for (;;) {
        int n = rpool__rouse_locked(pool, wake, WAKE_BATCH);
        int more = !list_empty(&pool->answered);
        lock_drop(&pool->lock);

        for (int i = 0; i < n; i++)
            wake_send(wake[i]);
        if (!more)
            break;
        lock_take(&pool->lock);
    }
}

/* Settles until nothing is left, with the mutex free between two batches.  The
 * pool cannot end meanwhile. */
static void finish_locked(struct pool *pool) POOL_LOCKED(pool)
{
    pool->inside++;
    while (pool->unsettled) {
        drop_and_wake(pool);
        lock_take(&pool->lock);
        if (pool->unsettled)
            rpool__settle_locked(pool);
    }
    pool->inside--;
}

void rpool__step_out(struct pool *pool)
{
    finish_locked(pool);
    int hired = rpool__hire_locked(pool);
    drop_and_wake(pool);
    if (hired >= 0)
        (void)rpool__start_worker(pool, hired);
}

int rpool__notify_locked(struct pool *pool)
{
    if (!pool->unsettled && list_empty(&pool->answered) &&
        !rpool__worker_missing_locked(pool))
        return 0;
    rpool__step_out(pool);
    lock_take(&pool->lock);
    return 1;
}

void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
{
    if (!rpool__notify_locked(pool))
        cond_wait(cond, &pool->lock, deadline);
}

/* Drops the mutex for a job that was taken.  The wake is passed on: several
 * jobs may have had one.  If this was the last worker that can be had, the
 * waiters ping for themselves from now on. */
void rpool__begin_job(struct pool *pool)
{
    rpool__watch_workers_locked(pool);
    if (rpool__workers_refused_locked(pool))
        rpool__settle_locked(pool);
    rpool__wake_workers_locked(pool);
    rpool__step_out(pool);
}

/* CLOSED comes before the destroy, as the listener is given the resource. */
static void tell_closed_locked(struct pool *pool, struct pool_thread *worker,
                               const struct slot *slot) POOL_LOCKED(pool)
{
    if (pool->on_event == NULL)
        return;
    if (worker != NULL)
        rpool__begin_telling(pool, worker);
    else
        rpool__begin_job(pool);
    rpool__emit_slot(pool, slot, RPOOL_EVENT_CLOSED, 0);
    lock_take(&pool->lock);
    if (worker != NULL)
        rpool__end_telling_locked(pool, worker);
}

void rpool__run_disposals_locked(struct pool *pool, struct pool_thread *worker)
{
    do {
        struct slot *slot = rpool__pop_locked(pool, &pool->disposals);
        tell_closed_locked(pool, worker, slot);
        if (worker != NULL)
            rpool__begin_call_locked(pool, worker, CALL_DESTROY, clock_now());
        rpool__begin_job(pool);
        rpool__destroy(pool, slot);
        lock_take(&pool->lock);
        if (worker != NULL)
            rpool__end_call_locked(pool, worker);
        pool->leaving--;
        pool->stats.closed++;
        pool->stats.closed_by[slot->reason]++;
        rpool__empty_locked(pool, slot);
        rpool__wake_workers_locked(pool); /* there is room again */
    } while (worker == NULL && !list_empty(&pool->disposals));
}

int rpool__is_over_locked(const struct pool *pool)
{
    return pool_is_open(pool) && pool->stopping && pool->occupied == 0 &&
           pool->threads == 0 && pool->inside == 0;
}

/* The serial goes first: nobody can enter any more. */
void rpool__end_locked(struct pool *pool)
{
    assert(list_empty(&pool->answered)); /* its waiters are inside */
    atom_store(&pool->gate, GATE_CLOSED);
    atom_store(&pool->next_wake, 0); /* and nobody arms the cleaner */
    lock_drop(&pool->lock);
    rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_FREED});
    if (pool->provider.done != NULL)
        pool->provider.done(pool->ctx);
    rpool__release_means(pool);
    rpool__shell_free(pool);
}

void rpool__unlock(struct pool *pool)
{
    finish_locked(pool);
    if (pool->stopping && pool->workers == pool->busy &&
        !list_empty(&pool->disposals))
        rpool__run_disposals_locked(pool, NULL);
    rpool__depart(pool);
}

void rpool__depart(struct pool *pool)
{
    finish_locked(pool);
    if (rpool__is_over_locked(pool))
        rpool__end_locked(pool);
    else
        rpool__step_out(pool);
}

void rpool__settle(struct pool *pool)
{
    lock_take(&pool->lock);
    if (pool_is_open(pool)) {
        rpool__settle_locked(pool);
        rpool__unlock(pool);
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
