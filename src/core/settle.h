/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

#include "pool.h"

/* Brings the pool to rest after any change: a closed pool keeps nothing idle,
 * nor does one over its size; idle items go to the head of the line; workers
 * learn what there is to do.  One call looks at a batch of slots and waiters at
 * most.  If there are more, the calling thread settles again, with the mutex
 * free in between, when it comes to rpool__step_out. */
void rpool__settle_locked(struct pool *pool) POOL_LOCKED(pool);

#endif
