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
#include "internal.h"

static void line_changed_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (pool->waiting > 0)
        (void)atom_or(&pool->gate, GATE_LINE);
    else
        (void)atom_and(&pool->gate, ~(uint64_t)GATE_LINE);
}

/* By ticket: a newcomer's is the highest, one that came before and returns
 * from a failed check goes back before all that came after it. */
static void stand_locked(struct pool *pool, struct waiter *w) POOL_LOCKED(pool)
{
    struct list *at = pool->line.prev;
    while (at != &pool->line &&
           container_of(at, struct waiter, node)->ticket > w->ticket)
        at = at->prev;
    list_insert_after(at, &w->node);
    pool->waiting++;
    line_changed_locked(pool);
}

static void leave_locked(struct pool *pool, struct waiter *w) POOL_LOCKED(pool)
{
    list_remove(&w->node);
    pool->waiting--;
    line_changed_locked(pool);
}

void rpool__answer_locked(struct pool *pool, struct waiter *w,
                          rpool_status status, struct slot *slot)
{
    leave_locked(pool, w);
    w->answered = 1;
    w->status = status;
    w->slot = slot;
    list_push_back(&pool->answered, &w->node);
}

static int is_full_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (pool->max_waiters < 0 || pool->waiting < pool->max_waiters)
        return 0;
    rpool__settle_locked(pool);
    return pool->waiting >= pool->max_waiters;
}

/* The item that a waiter is to get may be in a slow listener's hands. */
static void note_slow_listener_locked(struct pool *pool, int64_t due)
    POOL_LOCKED(pool)
{
    int64_t now = clock_now();
    if (now >= due && rpool__note_stuck_locked(pool, now, &due) > 0)
        rpool__settle_locked(pool);
}

rpool_status rpool__wait_locked(struct pool *pool, uint64_t *ticket, int pinged,
                                int64_t deadline, struct slot **slot)
{
    if (*ticket == 0) {
        if (is_full_locked(pool))
            return RPOOL_BUSY;
        *ticket = ++pool->tickets;
    }
    struct waiter w = {
        .ticket = *ticket, .pinged = pinged, .status = RPOOL_TIMEOUT};
    sleeper_init(&w.sleeper);
    stand_locked(pool, &w);
    rpool__settle_locked(pool);
    while (!w.answered && clock_now() < deadline) {
        int64_t due = rpool__listener_due_locked(pool);
        if (!rpool__notify_locked(pool))
            sleeper_wait(&w.sleeper, &pool->lock,
                         due < deadline ? due : deadline);
        note_slow_listener_locked(pool, due);
    }
    if (w.answered)
        list_remove(&w.node); /* perhaps it was not woken yet */
    else
        leave_locked(pool, &w);
    *slot = w.slot;
    return w.status;
}
