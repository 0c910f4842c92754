/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What there is to do for the workers, and how many of them are needed. */
#include "jobs.h"
#include "demand.h"

int rpool__may_check_locked(const struct pool *pool)
{
    return pool->checks.for_borrowers < MAX_CHECKERS &&
           !(list_empty(&pool->lists.checks_begun) &&
             list_empty(&pool->lists.checks_requested));
}

int rpool__may_keep_alive_locked(const struct pool *pool)
{
    return pool->checks.keepalives == 0 && !list_empty(&pool->lists.keepalives);
}

int rpool__may_report_locked(const struct pool *pool)
{
    return !pool->reports.running &&
           (pool->reports.degraded != 0 || !list_empty(&pool->lists.leaks));
}

static int jobs_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return !list_empty(&pool->lists.closing) + rpool__may_check_locked(pool) +
           rpool__may_report_locked(pool) + rpool__may_keep_alive_locked(pool) +
           rpool__may_create_locked(pool);
}

int rpool__most_workers_locked(const struct pool *pool)
{
    assert(pool->checks.for_borrowers >= 0 && pool->threads.stuck >= 0);
    return pool->config.create_concurrency + 1 + pool->checks.for_borrowers +
           pool->threads.stuck;
}

/* Returns whether the only job is a creation after the back-off, and an idle
 * worker will wake at that time by itself. */
static int alarm_is_set_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t due = rpool__retry_due_locked(pool);
    return pool->threads.worker_wake_at <= due && clock_now() < due &&
           rpool__may_create_locked(pool);
}

void rpool__wake_workers_locked(struct pool *pool)
{
    for (int jobs = jobs_locked(pool) - alarm_is_set_locked(pool); jobs > 0;
         jobs--)
        cond_wake(&pool->work_available);
}

int rpool__worker_missing_locked(const struct pool *pool)
{
    assert(pool->threads.idle_workers >= 0);
    return pool->threads.idle_workers == 0 && !pool->threads.stopping &&
           pool->threads.workers < rpool__most_workers_locked(pool) &&
           jobs_locked(pool) > 0 && clock_now() >= pool->threads.spawn_retry_at;
}

int rpool__workers_refused_locked(const struct pool *pool)
{
    return pool->threads.idle_workers == 0 &&
           clock_now() < pool->threads.spawn_retry_at;
}

void rpool__queue_degraded_locked(struct pool *pool, enum degraded what)
{
    assert(what <= NO_WORKER);
    if (pool->on_event != NULL)
        pool->reports.degraded |= 1U << what;
}
