/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include "pool.h"

/* Waiters that are woken between two looks at the list of answered ones. */
enum { WAKE_BATCH = 16 };

void rpool__queue_insert_locked(struct pool *pool, struct waiter *w)
    POOL_LOCKED(pool);
void rpool__queue_remove_locked(struct pool *pool, struct waiter *w)
    POOL_LOCKED(pool);
void rpool__queue_answer_locked(struct pool *pool, struct waiter *w,
                                rpool_status status, struct slot *slot)
    POOL_LOCKED(pool);
int rpool__queue_pop_answered_locked(struct pool *pool, struct wake *wake,
                                     int room) POOL_LOCKED(pool);

#endif
