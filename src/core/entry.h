/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include "pool.h"

/* Not 0: the mutex of the pool (of rpool__pool_of(handle)) is taken, it is the
 * one that handle means, and the caller counted in inside. */
int rpool__enter(struct pool *pool, uint64_t handle)
    LOCK_ATTRIBUTE(try_acquire_capability(1, pool->lock));
/* Why rpool__enter said no; why may be NULL. */
rpool_status rpool__refusal(const struct pool *pool, rpool_failure *why);
/* Drops the mutex, wakes the answered waiters, starts a worker if one is
 * missing.  The mutex may be taken and dropped again meanwhile. */
void rpool__step_out(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Drops the mutex for a job that a worker has taken. */
void rpool__begin_job(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Before a sleep: does what rpool__step_out does, if there is anything to do,
 * and takes the mutex again.  Returns 0 if there was nothing to do, so that the
 * caller may sleep; else it must look at its predicate again. */
int rpool__notify_locked(struct pool *pool) POOL_LOCKED(pool);
/* Sleeps on one of the pool's condition variables; returns also for nothing. */
void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
    POOL_LOCKED(pool);
/* The end of a call: before the mutex is dropped, what only the last one can
 * do, destroy when the workers are gone and end a pool that is over. */
void rpool__unlock(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* The same for who leaves the destroying to others: workers end when nothing is
 * queued, and whoever queues something later does it by itself. */
void rpool__depart(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* The same for who holds neither the mutex nor anything of the pool: it may be
 * over, or the shell another pool's by now. */
void rpool__settle(struct pool *pool);
int rpool__is_over_locked(const struct pool *pool) POOL_LOCKED(pool);
void rpool__end_locked(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
void rpool__arm_slowly(struct pool *pool, int64_t when);
/* Destroys the first in the queue, which is not empty; without a worker, all
 * of them.  Drops the mutex meanwhile. */
void rpool__run_disposals_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

#endif
