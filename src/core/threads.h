/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_THREADS_H
#define CORE_THREADS_H

#include "pool.h"

/* From here on, until busy is counted down, the provider or a listener may keep
 * this thread of the pool: a close past its deadline leaves it behind. */
void rpool__go_busy_locked(struct pool *pool) POOL_LOCKED(pool);
/* 0, or an errno value.  Lock: not held; the place was taken and counted. */
int rpool__start_worker(struct pool *pool, int index);
int rpool__hire_locked(struct pool *pool) POOL_LOCKED(pool);
int rpool__is_surplus_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
void rpool__part_with_threads(struct pool *pool);

#endif
