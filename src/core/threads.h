/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_THREADS_H
#define CORE_THREADS_H

#include "pool.h"

/* If another worker is needed, takes a place for it in threads.worker and
 * returns the index; else returns -1. */
int rpool__reserve_worker_locked(struct pool *pool) POOL_LOCKED(pool);

/* Starts the thread of that place.  Returns 0, or an errno value.  Lock: not
 * held. */
int rpool__spawn_worker(struct pool *pool, int index);

/* Gives that place up, and starts no other worker for a while. */
void rpool__spawn_failed_locked(struct pool *pool, int index) POOL_LOCKED(pool);

/* Until the caller counts threads.busy down, the provider or the listener may
 * block this thread of the pool.  A close whose deadline passes leaves it
 * behind. */
void rpool__begin_busy_locked(struct pool *pool) POOL_LOCKED(pool);

/* If there are more workers than are needed, detaches the calling worker and
 * returns 1: its thread must end. */
int rpool__retire_worker_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

/* Takes all threads out of the pool.  Stores those that have ended in `ended`,
 * which has room for THREADS, and returns their number.  The caller joins them
 * without the mutex. */
int rpool__reap_threads_locked(struct pool *pool, struct thread *ended)
    POOL_LOCKED(pool);

#endif
