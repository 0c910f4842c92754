/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The threads of a pool: start a worker, end it, and reap all threads. */
#include "threads.h"
#include "alarm.h"
#include "jobs.h"

/* After the system has refused a thread, no other is started for this time. */
#define SPAWN_RETRY (1000 * CLOCK_MS)

/* The new worker counts as idle until it comes to look for a job. */
int rpool__reserve_worker_locked(struct pool *pool)
{
    if (!rpool__worker_missing_locked(pool))
        return -1;

    int index = 0;
    while (pool->threads.worker[index].running)
        index++;
    assert(index < WORKERS);
    pool->threads.worker[index] =
        (struct pool_thread){.pool = pool, .running = 1};
    pool->threads.workers++;
    pool->threads.running++;
    pool->threads.idle_workers++;
    return index;
}

/* The thread stores its own id in its place (base/thread.h says why). */
int rpool__spawn_worker(struct pool *pool, int index)
{
    assert(index >= 0 && index < WORKERS);
    struct thread unused;
    return thread_start(&unused, pool->threads.worker_run,
                        &pool->threads.worker[index]);
}

void rpool__spawn_failed_locked(struct pool *pool, int index)
{
    assert(pool->threads.worker[index].running);
    pool->threads.worker[index].running = 0;
    pool->threads.workers--;
    pool->threads.idle_workers--;
    pool->threads.running--;

    /* The cleaner of a closed pool may have ended. */
    pool->threads.spawn_retry_at = clock_now() + SPAWN_RETRY;
    if ((atom_load(&pool->gate) & GATE_CLOSED) == 0)
        rpool__arm_locked(pool, pool->threads.spawn_retry_at);

    /* A close waits for this place as for a thread. */
    cond_wake_all(&pool->state_changed);
}

/* A close does not wait for a thread that is busy. */
void rpool__begin_busy_locked(struct pool *pool)
{
    pool->threads.busy++;
    assert(pool->threads.busy <= pool->threads.running);
    if (pool->threads.stopping)
        cond_wake_all(&pool->state_changed);
}

/* The worker was started for a check or for a stuck worker.  No thread joins
 * it. */
int rpool__retire_worker_locked(struct pool *pool, struct pool_thread *worker)
{
    assert(worker->call == CALL_NONE && !worker->in_listener);
    if (pool->threads.stopping ||
        pool->threads.workers <= rpool__most_workers_locked(pool))
        return 0;
    worker->running = 0;
    thread_detach(&worker->thread);
    return 1;
}

/* A thread that is stuck in the provider is detached, and ends later by itself.
 * If two threads close the pool, the second finds no thread. */
int rpool__reap_threads_locked(struct pool *pool, struct thread *ended)
{
    assert(pool->threads.stopping);
    int n = 0;
    for (int i = -1; i < WORKERS; i++) {
        struct pool_thread *t =
            i < 0 ? &pool->threads.cleaner : &pool->threads.worker[i];
        if (t->running && t->exited)
            ended[n++] = t->thread;
        else if (t->running)
            thread_detach(&t->thread);
        t->running = 0;
    }
    return n;
}
