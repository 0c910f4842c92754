/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Workers that do not come back: a worker is stuck if its call of the provider
 * has passed its deadline, or if its call of the listener lasts and another job
 * needs a worker.  Up to MAX_STUCK stuck workers are replaced by others.  While
 * a worker is replaced, it counts in none of the limits.
 */
#include "stuck.h"
#include "alarm.h"
#include "jobs.h"

/* A call of the provider is stuck so long after its deadline. */
#define STUCK_GRACE (1000 * CLOCK_MS)

/* A call of the listener may keep a worker for this time. */
#define LISTENER_PATIENCE (20 * CLOCK_MS)

void rpool__begin_call_locked(struct pool *pool, struct pool_thread *worker,
                              enum call call, int64_t deadline)
{
    assert(worker->call == CALL_NONE && worker->stuck == ON_TIME);
    worker->call = call;
    worker->overdue_at = deadline > CLOCK_NEVER - STUCK_GRACE
                             ? CLOCK_NEVER
                             : deadline + STUCK_GRACE;
    if (call != CALL_DESTROY)
        rpool__arm_locked(pool, worker->overdue_at);
}

static int all_are_busy_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->threads.idle_workers == 0 &&
           pool->threads.workers >= rpool__most_workers_locked(pool);
}

/*
 * Returns whether the cleaner must notice that this worker is stuck.  While
 * another worker is free, no job waits for the end of a destroy or of a call of
 * the listener.  The exception is a waiter whose item is in the listener; that
 * waiter looks by itself (rpool__listener_due_locked).
 */
static int is_watched_locked(const struct pool *pool,
                             const struct pool_thread *worker) POOL_LOCKED(pool)
{
    return worker->call == CALL_DESTROY || worker->in_listener
               ? all_are_busy_locked(pool)
               : worker->call != CALL_NONE;
}

void rpool__watch_workers_locked(struct pool *pool)
{
    if (!all_are_busy_locked(pool))
        return;
    for (int i = 0; i < WORKERS; i++)
        if (pool->threads.worker[i].stuck == ON_TIME &&
            is_watched_locked(pool, &pool->threads.worker[i]))
            rpool__arm_locked(pool, pool->threads.worker[i].overdue_at);
}

int64_t rpool__listener_due_locked(const struct pool *pool)
{
    assert(pool->reports.listeners >= 0);
    int64_t due = CLOCK_NEVER;
    for (int i = 0; pool->reports.listeners > 0 && i < WORKERS; i++)
        if (pool->threads.worker[i].in_listener &&
            pool->threads.worker[i].stuck == ON_TIME &&
            pool->threads.worker[i].overdue_at < due)
            due = pool->threads.worker[i].overdue_at;
    return due;
}

/* Takes a stuck worker out of the limits, or (change is -1) puts it back. */
static void count_stuck_locked(struct pool *pool,
                               const struct pool_thread *worker, int change)
    POOL_LOCKED(pool)
{
    pool->threads.stuck += change;
    assert(pool->threads.stuck >= 0 && pool->threads.stuck <= MAX_STUCK);
    if (worker->call == CALL_CREATE)
        pool->threads.stuck_creating += change;
    else if (worker->call == CALL_CHECK)
        pool->checks.for_borrowers -= change;
    else if (worker->call == CALL_KEEPALIVE)
        pool->checks.keepalives -= change;
}

void rpool__end_call_locked(struct pool *pool, struct pool_thread *worker)
{
    assert(worker->call != CALL_NONE);
    if (worker->stuck == STUCK_AND_REPLACED)
        count_stuck_locked(pool, worker, -1);
    worker->stuck = ON_TIME;
    worker->call = CALL_NONE;
}

static void note_one_stuck_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    static const enum degraded what[] = {[CALL_CREATE] = STUCK_CREATE,
                                         [CALL_CHECK] = STUCK_CHECK,
                                         [CALL_KEEPALIVE] = STUCK_CHECK,
                                         [CALL_DESTROY] = STUCK_DESTROY};
    assert(worker->call != CALL_NONE || worker->in_listener);
    if (!worker->in_listener)
        rpool__queue_degraded_locked(pool, what[worker->call]);
    worker->stuck = STUCK;
    if (pool->threads.stuck < MAX_STUCK) {
        worker->stuck = STUCK_AND_REPLACED;
        count_stuck_locked(pool, worker, 1);
    }
}

int rpool__note_stuck_locked(struct pool *pool, int64_t now, int64_t *next)
{
    int noted = 0;
    for (int i = 0; i < WORKERS; i++) {
        struct pool_thread *worker = &pool->threads.worker[i];
        int is_late = now >= worker->overdue_at;
        if (worker->stuck != ON_TIME || !(is_watched_locked(pool, worker) ||
                                          (worker->in_listener && is_late)))
            continue;
        if (is_late) {
            note_one_stuck_locked(pool, worker);
            noted++;
        } else if (worker->overdue_at < *next) {
            *next = worker->overdue_at;
        }
    }
    return noted;
}

void rpool__begin_listener_locked(struct pool *pool, struct pool_thread *worker)
{
    assert(!worker->in_listener && worker->stuck == ON_TIME);
    pool->reports.listeners++;
    worker->in_listener = 1;
    worker->overdue_at = clock_now() + LISTENER_PATIENCE;
}

void rpool__end_listener_locked(struct pool *pool, struct pool_thread *worker)
{
    assert(worker->in_listener && pool->reports.listeners > 0);
    if (worker->stuck == STUCK_AND_REPLACED)
        count_stuck_locked(pool, worker, -1);
    worker->stuck = ON_TIME;
    worker->in_listener = 0;
    pool->reports.listeners--;
}
