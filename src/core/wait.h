/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_WAIT_H
#define CORE_WAIT_H

#include "pool.h"

/*
 * Waits in the queue until the caller is answered or the deadline passes.
 * *ticket is 0 for a new waiter, which is given one.  needs_ready: struct
 * waiter.  Returns RPOOL_OK and stores a slot, LEASED or CHECKING, which is the
 * caller's; or returns RPOOL_TIMEOUT, RPOOL_CLOSED, RPOOL_CREATE, or RPOOL_BUSY
 * if the queue is full.
 */
rpool_status rpool__wait_locked(struct pool *pool, uint64_t *ticket,
                                int needs_ready, int64_t deadline,
                                struct slot **slot) POOL_LOCKED(pool);

#endif
