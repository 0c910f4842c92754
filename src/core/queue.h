/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include "pool.h"

/* How many waiters are woken between two looks at the list of answered ones. */
enum { WAKE_BATCH = 16 };

/* Puts a waiter before all waiters with a higher ticket. */
void rpool__queue_insert_locked(struct pool *pool, struct waiter *w)
    POOL_LOCKED(pool);

/* Takes out a waiter that gives up. */
void rpool__queue_remove_locked(struct pool *pool, struct waiter *w)
    POOL_LOCKED(pool);

/* Takes a waiter out of the queue with an answer: the slot becomes its own. */
void rpool__queue_answer_locked(struct pool *pool, struct waiter *w,
                                rpool_status status, struct slot *slot)
    POOL_LOCKED(pool);

/* Takes up to `room` answered waiters out of their list and returns their
 * number.  The caller sends the wake-ups after it has dropped the mutex. */
int rpool__queue_pop_answered_locked(struct pool *pool, struct wake *wake,
                                     int room) POOL_LOCKED(pool);

/* Returns the waiter that is served next.  The queue is not empty. */
static inline struct waiter *queue_head(const struct pool *pool)
{
    assert(!list_empty(&pool->queue.waiters));
    return container_of(pool->queue.waiters.next, struct waiter, node);
}

#endif
