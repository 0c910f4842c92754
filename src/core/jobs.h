/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_JOBS_H
#define CORE_JOBS_H

#include "pool.h"

/* Return whether a worker may start a job of that kind. */
int rpool__may_check_locked(const struct pool *pool) POOL_LOCKED(pool);
int rpool__may_keep_alive_locked(const struct pool *pool) POOL_LOCKED(pool);
int rpool__may_report_locked(const struct pool *pool) POOL_LOCKED(pool);

/* Wakes one idle worker for each kind of job that may start. */
void rpool__wake_workers_locked(struct pool *pool) POOL_LOCKED(pool);

/* Returns how many workers there may be now. */
int rpool__most_workers_locked(const struct pool *pool) POOL_LOCKED(pool);

/* Returns whether another worker should be started. */
int rpool__worker_missing_locked(const struct pool *pool) POOL_LOCKED(pool);

/* Returns whether no worker is idle and the system has refused another thread a
 * moment ago. */
int rpool__workers_refused_locked(const struct pool *pool) POOL_LOCKED(pool);

/* If there is a listener, has a worker emit DEGRADED. */
void rpool__queue_degraded_locked(struct pool *pool, enum degraded what)
    POOL_LOCKED(pool);

#endif
