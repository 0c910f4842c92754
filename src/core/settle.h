/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

#include "pool.h"

/* Brings the pool to rest after any change: a closed pool keeps nothing idle,
 * nor does one over its size; idle items go to the head of the line; workers
 * learn what there is to do.  One call looks at a batch of slots and waiters at
 * most.  If there are more, the calling thread settles again, with the mutex
 * free in between, when it comes to rpool__unlock_and_notify. */
void rpool__settle_locked(struct pool *pool) POOL_LOCKED(pool);
/* Disposes of an owned item that is bad; reason 0: as the flags of its word
 * say. An item that nobody has had yet counts as a failed creation. */
void rpool__reject_locked(struct pool *pool, struct slot *slot,
                          rpool_reason reason) POOL_LOCKED(pool);
/* Makes an owned item idle, with these flags; disposes of it if its word says
 * that it must leave. */
void rpool__keep_or_reject_locked(struct pool *pool, struct slot *slot,
                                  uint64_t flags) POOL_LOCKED(pool);

#endif
