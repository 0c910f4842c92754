/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * How a thread enters a pool and leaves it.
 *
 * A thread enters with rpool__enter() or rpool__enter_as_owner(): it then holds
 * the mutex and is counted in pool.refs, so that the pool cannot end.  It
 * leaves with rpool__leave() or rpool__leave_and_drain(), which drop the mutex.
 * In between it may drop the mutex and take it again.
 */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include "pool.h"

/* Enters the pool if it is the one that the handle names, and returns 1.
 * `pool` is that of rpool__pool_of(handle).  Otherwise returns 0: the mutex is
 * free, and rpool__refusal() says why. */
int rpool__enter(struct pool *pool, uint64_t handle)
    LOCK_ATTRIBUTE(try_acquire_capability(1, pool->lock));
rpool_status rpool__refusal(const struct pool *pool, rpool_failure *why);

/* Enters a pool that cannot end, because the calling thread is one of its
 * threads or owns one of its slots. */
void rpool__enter_as_owner(struct pool *pool)
    LOCK_ATTRIBUTE(acquire_capability(pool->lock));

/* Leaves the pool.  If the pool is closed and nothing is left of it, the
 * calling thread ends it. */
void rpool__leave(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* The same for a thread that may have closed a slot.  If no worker is left that
 * destroys the resource, the calling thread does. */
void rpool__leave_and_drain(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* Destroys the resources of all slots that are CLOSING.  Drops the mutex
 * meanwhile. */
void rpool__drain_locked(struct pool *pool) POOL_LOCKED(pool);

/* Drops the mutex, wakes the answered waiters, and starts a worker if one is
 * missing.  May take and drop the mutex again meanwhile. */
void rpool__unlock_and_notify(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* The same for a worker that has taken a job. */
void rpool__unlock_for_job(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* Drops the mutex and does nothing else, for a thread that has left no work for
 * others, or that may not call the listener. */
void rpool__unlock_quietly(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* Called before a sleep.  If there is anything to do, does what
 * rpool__unlock_and_notify() does, takes the mutex again and returns 1: the
 * caller tests its condition again.  Otherwise returns 0: the caller sleeps. */
int rpool__notify_locked(struct pool *pool) POOL_LOCKED(pool);

/* Sleeps on one of the pool's condition variables.  May return early. */
void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
    POOL_LOCKED(pool);

/* Settles a pool that the caller has no part in any more: the pool may be over,
 * and the cell another pool's.  Lock: not held. */
void rpool__settle(struct pool *pool);

/* rpool__arm_locked() for a thread that does not hold the mutex and may have no
 * part in the pool any more.  If the pool is over, wake_at is 0. */
void rpool__arm_slowly(struct pool *pool, int64_t when);

#endif
