/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_JOBS_H
#define CORE_JOBS_H

#include "pool.h"

int rpool__may_check_locked(const struct pool *pool) POOL_LOCKED(pool);
int rpool__may_keep_alive_locked(const struct pool *pool) POOL_LOCKED(pool);
/* Wakes an idle worker for each thing there is to do, or says that one is
 * missing. */
void rpool__wake_workers_locked(struct pool *pool) POOL_LOCKED(pool);
int rpool__worker_missing_locked(const struct pool *pool) POOL_LOCKED(pool);
/* How many workers there may be now. */
int rpool__most_workers_locked(const struct pool *pool) POOL_LOCKED(pool);
/* No worker is free, and the system refuses another one for now. */
int rpool__workers_refused_locked(const struct pool *pool) POOL_LOCKED(pool);
/* A worker is to tell the listener of that, if there is a listener. */
void rpool__queue_degraded_locked(struct pool *pool, enum degraded what)
    POOL_LOCKED(pool);
int rpool__may_report_locked(const struct pool *pool) POOL_LOCKED(pool);

#endif
