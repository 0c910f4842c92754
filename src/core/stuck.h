/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_STUCK_H
#define CORE_STUCK_H

#include "pool.h"

/* A worker is about to call the provider.  A call that outlasts `deadline` by
 * more than a second is stuck. */
void rpool__begin_call_locked(struct pool *pool, struct pool_thread *worker,
                              enum call call, int64_t deadline)
    POOL_LOCKED(pool);
void rpool__end_call_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* A worker is about to call the listener.  If that lasts, and something waits
 * for the worker, another one takes its place. */
void rpool__begin_listener_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* The mutex is held again. */
void rpool__end_listener_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* Notes the workers that are in a call past its deadline: they count no longer,
 * and a worker is to report them.  Returns how many they are; lowers *next to
 * when another may be. */
int rpool__note_stuck_locked(struct pool *pool, int64_t now, int64_t *next)
    POOL_LOCKED(pool);
/* When a listener has kept a worker for too long; a borrower that waits notes
 * that by itself then. */
int64_t rpool__listener_due_locked(const struct pool *pool) POOL_LOCKED(pool);
/* Has the cleaner wake in time for the others. */
void rpool__watch_workers_locked(struct pool *pool) POOL_LOCKED(pool);

#endif
