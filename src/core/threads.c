/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Threads: start, stop, reap. */
#include "threads.h"
#include "alarm.h"
#include "jobs.h"

/* If the system refuses a thread, it is not asked again before that. */
#define SPAWN_RETRY (1000 * CLOCK_MS)

void rpool__begin_busy_locked(struct pool *pool)
{
    pool->threads.busy++;
    if (pool->threads.stopping)
        cond_wake_all(&pool->state_changed); /* a close need not wait for it */
}

int rpool__reserve_worker_locked(struct pool *pool)
{
    if (!rpool__worker_missing_locked(pool))
        return -1;
    int index = 0;
    while (pool->threads.worker[index].running)
        index++;
    pool->threads.worker[index] =
        (struct pool_thread){.pool = pool, .running = 1};
    pool->threads.workers++;
    pool->threads.running++;
    pool->threads.idle_workers++; /* until it has come to look for work */
    return index;
}

int rpool__spawn_worker(struct pool *pool, int index)
{
    struct thread unused; /* the thread writes its own id itself */
    return thread_start(&unused, pool->threads.worker_run,
                        &pool->threads.worker[index]);
}

void rpool__spawn_failed_locked(struct pool *pool, int index)
{
    pool->threads.worker[index].running = 0;
    pool->threads.workers--;
    pool->threads.idle_workers--;
    pool->threads.running--;
    pool->threads.spawn_retry_at = clock_now() + SPAWN_RETRY;
    if ((atom_load(&pool->gate) & GATE_CLOSED) == 0) /* else it makes do */
        rpool__arm_locked(pool, pool->threads.spawn_retry_at);
    /* A close waits for it as for a thread. */
    cond_wake_all(&pool->state_changed);
}

/* Whether the worker is not needed any more: it was started for a check or for
 * a stuck worker.  It then ends by itself, and nobody joins it. */
int rpool__retire_worker_locked(struct pool *pool, struct pool_thread *worker)
{
    if (pool->threads.stopping ||
        pool->threads.workers <= rpool__most_workers_locked(pool))
        return 0;
    worker->running = 0;
    thread_detach(&worker->thread);
    return 1;
}

/* A thread that is stuck in the provider is detached, and ends by itself.  Only
 * the first close finds any. */
int rpool__reap_threads_locked(struct pool *pool, struct thread *ended)
{
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
