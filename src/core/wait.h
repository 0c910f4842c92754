/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_WAIT_H
#define CORE_WAIT_H

#include "pool.h"

/* Stands in line until served, or the deadline; ticket 0 is a newcomer, and is
 * given one.  pinged: see struct waiter.  The mutex is held before and after.
 */
rpool_status rpool__wait_locked(struct pool *pool, uint64_t *ticket,
                                int needs_ready, int64_t deadline,
                                struct slot **slot) POOL_LOCKED(pool);

#endif
