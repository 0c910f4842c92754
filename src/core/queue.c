/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The line: waiters in order of arrival, each on its own stack, all under the
 * pool's mutex.
 *
 * A waiter leaves the line in one of two critical sections, its grant (answer)
 * or its own giving up, and whichever comes first sets answered or takes it
 * out: so it gets exactly one answer, and an item that was granted is never
 * lost to a deadline that passed at the same moment.
 *
 * An answered waiter stands in the list of the answered ones until a thread
 * that drops the mutex takes it out to wake it, or until it finds its answer by
 * itself.  Both happen under the mutex, so a record in a list exists.  Once it
 * is in no list it may be gone at any time after the mutex is dropped: the
 * thread that wakes it keeps a copy of the address it sleeps on (base/sleep.h).
 */
#include "queue.h"

static void update_gate_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (pool->queue.length > 0)
        (void)atom_or(&pool->gate, GATE_QUEUE);
    else
        (void)atom_and(&pool->gate, ~(uint64_t)GATE_QUEUE);
}

/* By ticket: a newcomer's is the highest, one that came before and returns
 * from a failed check goes back before all that came after it. */
void rpool__queue_insert_locked(struct pool *pool, struct waiter *w)
{
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
    list_remove(&w->node);
    pool->queue.length--;
    update_gate_locked(pool);
}

void rpool__queue_answer_locked(struct pool *pool, struct waiter *w,
                                rpool_status status, struct slot *slot)
{
    rpool__queue_remove_locked(pool, w);
    w->answered = 1;
    w->status = status;
    w->slot = slot;
    list_push_back(&pool->queue.answered, &w->node);
}

/* Takes as many answered waiters out of their list as there is room for; their
 * wake-ups are to be sent after the mutex was dropped. */
int rpool__queue_pop_answered_locked(struct pool *pool, struct wake *wake,
                                     int room)
{
    int n = 0;
    for (; n < room && !list_empty(&pool->queue.answered); n++) {
        struct list *node = list_pop_front(&pool->queue.answered);
        wake[n] =
            sleeper_rouse(&container_of(node, struct waiter, node)->sleeper);
    }
    return n;
}
