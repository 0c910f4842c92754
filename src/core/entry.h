/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include "pool.h"

/* Not 0: the mutex of the pool (of rpool__pool_of(handle)) is taken, it is the
 * one that handle means, and the caller counted in inside. */
int rpool__enter(struct pool *pool, uint64_t handle)
    LOCK_ATTRIBUTE(try_acquire_capability(1, pool->lock));
/* Enters a pool that cannot end, because the calling thread is one of its
 * threads or owns one of its slots. */
void rpool__enter_as_owner(struct pool *pool)
    LOCK_ATTRIBUTE(acquire_capability(pool->lock));
/* Why rpool__enter said no; why may be NULL. */
rpool_status rpool__refusal(const struct pool *pool, rpool_failure *why);
/* Drops the mutex, wakes the answered waiters, starts a worker if one is
 * missing.  The mutex may be taken and dropped again meanwhile. */
void rpool__unlock_and_notify(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Drops the mutex, and does nothing else. */
void rpool__unlock_quietly(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Drops the mutex for a job that a worker has taken. */
void rpool__unlock_for_job(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Before a sleep: does what rpool__unlock_and_notify does, if there is anything
 * to do, and takes the mutex again.  Returns 0 if there was nothing to do, so
 * that the caller may sleep; else it must look at its predicate again. */
int rpool__notify_locked(struct pool *pool) POOL_LOCKED(pool);
/* Sleeps on one of the pool's condition variables; returns also for nothing. */
void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
    POOL_LOCKED(pool);
/* Leaves a pool that was entered.  If nothing is left of a closed pool, this
 * thread ends it.  Lock: held, and free afterwards. */
void rpool__leave(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* The same, for a thread that may have queued a disposal: if no worker is left
 * that can destroy it, the calling thread does. */
void rpool__leave_and_drain(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Destroys all that is in the queue of disposals; drops the mutex meanwhile. */
void rpool__drain_locked(struct pool *pool) POOL_LOCKED(pool);
/* The same for who holds neither the mutex nor anything of the pool: it may be
 * over, or the shell another pool's by now. */
void rpool__settle(struct pool *pool);
void rpool__arm_slowly(struct pool *pool, int64_t when);

#endif
