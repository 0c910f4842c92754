/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

#include "pool.h"

/* Restores the invariants of the pool (settle.c) after any change.  Visits
 * HOLD_BATCH slots and waiters at most.  If there are more, it sets
 * pool.unsettled, and the calling thread settles again in entry.c, with the
 * mutex free in between. */
void rpool__settle_locked(struct pool *pool) POOL_LOCKED(pool);

/* Closes an item that the caller owns.  The reason RPOOL_REASON_NONE stands for
 * that of the flags in its word.  A bad item that has never been leased counts
 * as a failed creation. */
void rpool__reject_locked(struct pool *pool, struct slot *slot,
                          rpool_reason reason) POOL_LOCKED(pool);

/* Makes an item that the caller owns idle, with these flags, or closes it if
 * its word says so. */
void rpool__keep_or_reject_locked(struct pool *pool, struct slot *slot,
                                  uint64_t flags) POOL_LOCKED(pool);

#endif
