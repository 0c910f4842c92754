/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_DEMAND_H
#define CORE_DEMAND_H

#include "pool.h"

/* Returns when the next creation may start.  Until then, a waiter without any
 * hope is refused with the last failure if that is permanent. */
int64_t rpool__retry_due_locked(const struct pool *pool) POOL_LOCKED(pool);

/* Returns how many more creations should be running. */
int rpool__need_locked(const struct pool *pool) POOL_LOCKED(pool);

/* Returns whether one more may start, at rpool__retry_due_locked(). */
int rpool__may_create_locked(const struct pool *pool) POOL_LOCKED(pool);

/* A creation has succeeded.  This ends the back-off of a creation that failed.
 * It does not end the back-off of an item that died at once, because the new
 * item may die too. */
void rpool__end_backoff_locked(struct pool *pool) POOL_LOCKED(pool);

/* A creation that started in that round has failed.  Only the first failure of
 * a round extends the back-off, because an outage fails all creations of a
 * round together. */
void rpool__count_failure_locked(struct pool *pool, uint64_t round,
                                 const rpool_failure *why) POOL_LOCKED(pool);

/* An item is bad.  If it is new and has never been leased, this counts as a
 * failed creation. */
void rpool__count_stillborn_locked(struct pool *pool, const struct slot *slot,
                                   rpool_reason reason) POOL_LOCKED(pool);

#endif
