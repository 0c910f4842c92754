/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_ALARM_H
#define CORE_ALARM_H

#include "pool.h"

void rpool__arm_locked(struct pool *pool, int64_t when) POOL_LOCKED(pool);
void rpool__set_idle_due_locked(struct pool *pool) POOL_LOCKED(pool);

#endif
