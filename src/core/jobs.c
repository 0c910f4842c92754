/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What there is to do for the workers. */
#include "jobs.h"
#include "demand.h"

void rpool__degraded_locked(struct pool *pool, enum degraded what)
{
    if (pool->on_event != NULL)
        pool->to_tell |= 1U << what;
}

int rpool__may_tell_locked(const struct pool *pool)
{
    return !pool->telling && (pool->to_tell != 0 || !list_empty(&pool->leaks));
}

int rpool__may_check_locked(const struct pool *pool)
{
    return pool->checkers < MAX_CHECKERS &&
           !(list_empty(&pool->handed) && list_empty(&pool->wished));
}

int rpool__may_keep_alive_locked(const struct pool *pool)
{
    return pool->keeping == 0 && !list_empty(&pool->keepalives);
}

static int jobs_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return !list_empty(&pool->disposals) + rpool__may_check_locked(pool) +
           rpool__may_tell_locked(pool) + rpool__may_keep_alive_locked(pool) +
           rpool__may_create_locked(pool);
}

int rpool__most_workers_locked(const struct pool *pool)
{
    return pool->create_concurrency + 1 + pool->checkers + pool->stuck;
}

/* Only the end of a pause is missing, and a worker wakes for that by itself. */
static int alarm_is_set_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t due = rpool__retry_due_locked(pool);
    return pool->alarm_at <= due && clock_now() < due &&
           rpool__may_create_locked(pool);
}

void rpool__wake_workers_locked(struct pool *pool)
{

    for (int jobs = jobs_locked(pool) - alarm_is_set_locked(pool); jobs > 0;
         jobs--)
        cond_wake(&pool->work);
}

int rpool__worker_missing_locked(const struct pool *pool)
{
    return pool->idle_workers == 0 && !pool->stopping &&
           pool->workers < rpool__most_workers_locked(pool) &&
           jobs_locked(pool) > 0 && clock_now() >= pool->hire_at;
}

int rpool__workers_refused_locked(const struct pool *pool)
{
    return pool->idle_workers == 0 && clock_now() < pool->hire_at;
}
