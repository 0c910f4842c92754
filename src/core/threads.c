/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Threads: start, stop, reap. */
#include "threads.h"
#include "alarm.h"
#include "callout.h"
#include "entry.h"
#include "jobs.h"
#include "settle.h"
#include "worker.h"

/* If the system refuses a thread, it is not asked again before that. */
#define HIRE_RETRY (1000 * CLOCK_MS)

void rpool__go_busy_locked(struct pool *pool)
{
    pool->busy++;
    if (pool->stopping)
        cond_wake_all(&pool->changed); /* a close need not wait for it */
}

int rpool__hire_locked(struct pool *pool)
{
    if (!rpool__worker_missing_locked(pool))
        return -1;
    int index = 0;
    while (pool->worker[index].running)
        index++;
    pool->worker[index] = (struct pool_thread){.pool = pool, .running = 1};
    pool->workers++;
    pool->threads++;
    pool->idle_workers++; /* until it has come to look for work */
    return index;
}

int rpool__start_worker(struct pool *pool, int index)
{
    struct pool_thread *w = &pool->worker[index];
    struct thread unheeded;
    int rc = thread_start(&unheeded, rpool__worker_run, w);
    if (rc == 0)
        return 0;
    lock_take(&pool->lock);
    w->running = 0;
    pool->workers--;
    pool->idle_workers--;
    pool->threads--;
    pool->hire_at = clock_now() + HIRE_RETRY;
    if ((atom_load(&pool->gate) & GATE_CLOSED) == 0) /* else it makes do */
        rpool__arm_locked(pool, pool->hire_at);
    rpool__settle_locked(pool);
    cond_wake_all(&pool->changed); /* a close waits for it as for a thread */
    /* A thread of the pool leaves the event to a worker, and so does a thread
     * in a callback: the listener may wait for what that thread holds. */
    int leaves_it = rpool__is_inside(pool);
    if (leaves_it)
        rpool__degraded_locked(pool, NO_WORKER);
    pool->inside++;
    lock_drop(&pool->lock);
    if (!leaves_it)
        rpool__emit(pool,
                    &(rpool_event){.type = RPOOL_EVENT_DEGRADED,
                                   .message = "cannot start another worker"});
    lock_take(&pool->lock);
    pool->inside--;
    rpool__unlock(pool);
    return rc;
}

/* Whether the worker is not needed any more: it was started for a check or for
 * a stuck worker.  It then ends by itself, and nobody joins it. */
int rpool__is_surplus_locked(struct pool *pool, struct pool_thread *worker)
{
    if (pool->stopping || pool->workers <= rpool__most_workers_locked(pool))
        return 0;
    worker->running = 0;
    thread_detach(&worker->thread);
    return 1;
}

static void part_with(struct pool_thread *t, int exited)
{
    if (exited)
        thread_join(&t->thread);
    else
        thread_detach(&t->thread);
}

/* Joins the threads that have ended; one stuck in the provider is left behind
 * and ends by itself.  Only the first to come here finds any. */
void rpool__part_with_threads(struct pool *pool)
{
    for (int i = -1; i < WORKERS; i++) {
        struct pool_thread *t = i < 0 ? &pool->cleaner : &pool->worker[i];
        lock_take(&pool->lock);
        int ours = t->running, exited = t->exited;
        t->running = 0;
        lock_drop(&pool->lock);
        if (ours)
            part_with(t, exited);
    }
}
