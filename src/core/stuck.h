/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_STUCK_H
#define CORE_STUCK_H

#include "pool.h"

/* The worker is about to call the provider.  The call is stuck if it outlasts
 * `deadline` by more than a second. */
void rpool__begin_call_locked(struct pool *pool, struct pool_thread *worker,
                              enum call call, int64_t deadline)
    POOL_LOCKED(pool);
void rpool__end_call_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

/* The worker is about to call the listener.  If the call lasts and another job
 * needs the worker, another worker takes its place. */
void rpool__begin_listener_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
void rpool__end_listener_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

/* Finds the workers that have become stuck, lets others take their places, and
 * has a worker emit DEGRADED.  Returns their number.  Lowers *next to the time
 * when another call may become stuck. */
int rpool__note_stuck_locked(struct pool *pool, int64_t now, int64_t *next)
    POOL_LOCKED(pool);

/* Returns when a listener will have kept a worker for too long, or CLOCK_NEVER.
 * A waiter calls rpool__note_stuck_locked() then. */
int64_t rpool__listener_due_locked(const struct pool *pool) POOL_LOCKED(pool);

/* If all workers are busy, has the cleaner wake when one may be stuck. */
void rpool__watch_workers_locked(struct pool *pool) POOL_LOCKED(pool);

#endif
