/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The waiter queue: waiters in order of arrival.  Each record is on the stack
 * of its thread, and all are read and written under the pool's mutex.
 *
 * A waiter leaves the queue in one of two critical sections: that of the thread
 * that answers it, or its own when it gives up.  Whichever comes first decides.
 * So a waiter gets exactly one answer, and an item that was granted is never
 * lost because the deadline passed at the same moment.
 *
 * An answered waiter is in the list of answered ones until a thread that drops
 * the mutex takes it out to wake it, or until the waiter finds the answer by
 * itself.  Both happen under the mutex, so a record in a list exists.  Once a
 * record is in no list, its stack frame may end as soon as the mutex is
 * dropped.  Therefore the thread that wakes a waiter keeps a copy of the
 * address that the waiter sleeps on (base/sleep.h).
 */
#include "queue.h"

static void update_gate_locked(struct pool *pool) POOL_LOCKED(pool)
{
    assert(pool->queue.length >= 0);
    assert((pool->queue.length == 0) == list_empty(&pool->queue.waiters));

    if (pool->queue.length > 0)
        (void)atom_or(&pool->gate, GATE_QUEUE);
    else
        (void)atom_and(&pool->gate, ~(uint64_t)GATE_QUEUE);
}

/* A new waiter has the highest ticket.  A waiter that returns to the queue
 * because its item failed a check has an older one. */
void rpool__queue_insert_locked(struct pool *pool, struct waiter *w)
{
    assert(!w->answered && w->ticket <= pool->queue.last_ticket);

    struct list *at = pool->queue.waiters.prev;
    while (at != &pool->queue.waiters &&
           container_of(at, struct waiter, node)->ticket > w->ticket)
        at = at->prev;
    list_insert_after(at, &w->node);
    pool->queue.length++;
    update_gate_locked(pool);
}

void rpool__queue_remove_locked(struct pool *pool, struct waiter *w)
{
    assert(!w->answered);
    list_remove(&w->node);
    pool->queue.length--;
    update_gate_locked(pool);
}

void rpool__queue_answer_locked(struct pool *pool, struct waiter *w,
                                rpool_status status, struct slot *slot)
{
    assert((status == RPOOL_OK) == (slot != NULL));
    rpool__queue_remove_locked(pool, w);
    w->answered = 1;
    w->status = status;
    w->slot = slot;
    list_push_back(&pool->queue.answered, &w->node);
}

int rpool__queue_pop_answered_locked(struct pool *pool, struct wake *wake,
                                     int room)
{
    assert(room > 0);
    int n = 0;
    for (; n < room && !list_empty(&pool->queue.answered); n++) {
        struct list *node = list_pop_front(&pool->queue.answered);
        wake[n] =
            sleeper_rouse(&container_of(node, struct waiter, node)->sleeper);
    }
    return n;
}
