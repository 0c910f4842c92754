/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_THREADS_H
#define CORE_THREADS_H

#include "pool.h"

/* From here on, until busy is counted down, the provider or a listener may keep
 * this thread of the pool: a close past its deadline leaves it behind. */
void rpool__begin_busy_locked(struct pool *pool) POOL_LOCKED(pool);
/* Starts the thread of a place that rpool__reserve_worker_locked() took.
 * Returns 0, or an errno value.  Lock: not held. */
int rpool__spawn_worker(struct pool *pool, int index);
/* Gives that place up again, and asks for no other thread for a while. */
void rpool__spawn_failed_locked(struct pool *pool, int index) POOL_LOCKED(pool);
int rpool__reserve_worker_locked(struct pool *pool) POOL_LOCKED(pool);
int rpool__retire_worker_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* Takes the threads out of the pool.  Stores those that have ended, at most
 * THREADS, for thread_join() without the mutex, and returns their number. */
int rpool__reap_threads_locked(struct pool *pool, struct thread *ended)
    POOL_LOCKED(pool);

#endif
