/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_ALARM_H
#define CORE_ALARM_H

#include "pool.h"

/* Has the cleaner wake at `when` or before. */
void rpool__arm_locked(struct pool *pool, int64_t when) POOL_LOCKED(pool);

/* Recomputes how long a slot may be idle.  Called after each change of the
 * number of items, of min_size and of the number of ageing items. */
void rpool__set_idle_due_locked(struct pool *pool) POOL_LOCKED(pool);

#endif
