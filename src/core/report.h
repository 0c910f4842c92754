/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "pool.h"

/* Emits one LEAK or DEGRADED.  Drops the mutex meanwhile. */
void rpool__report_one_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

#endif
