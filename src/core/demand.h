/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_DEMAND_H
#define CORE_DEMAND_H

#include "pool.h"

/* When the next creation may begin.  Until then a permanent failure is fresh
 * enough to refuse a caller with it. */
int64_t rpool__retry_due_locked(const struct pool *pool) POOL_LOCKED(pool);
/* Creations that should be under way, less those that are. */
int rpool__need_locked(const struct pool *pool) POOL_LOCKED(pool);
/* One of them may begin, as soon as rpool__retry_due_locked() says. */
int rpool__may_create_locked(const struct pool *pool) POOL_LOCKED(pool);
/* A creation has succeeded.  That ends the pause of one that has failed, but
 * not of an item that was lost: what becomes of this one is not known yet. */
void rpool__end_backoff_locked(struct pool *pool) POOL_LOCKED(pool);
/* A creation has failed.  Of those that began in one round only the first that
 * fails is a step of the back-off: an outage fails them all together. */
void rpool__count_failure_locked(struct pool *pool, uint64_t round,
                                 const rpool_failure *why) POOL_LOCKED(pool);
/* An item is about to leave for that reason.  If nobody ever had it, and it was
 * made a moment ago, then its creation failed after all. */
void rpool__count_stillborn_locked(struct pool *pool, const struct slot *slot,
                                   rpool_reason reason) POOL_LOCKED(pool);

#endif
