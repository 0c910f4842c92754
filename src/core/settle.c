/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Settle: restore the pool's invariants after a change.
 *
 * A thread that changes anything under the mutex calls rpool__settle_locked(),
 * and so does a thread that finds an obstacle in the gate after a lock-free
 * transition.  Unless the call stopped at HOLD_BATCH (pool.unsettled), the
 * following holds afterwards for all slots without an owner:
 *
 * - If the pool is closed, no item is idle or to be checked, and the queue is
 *   empty.
 * - If nothing can be created for now and no item is left, the queue is empty,
 *   unless the pool is suspended.
 * - If there are more items than max_size, no item is idle.
 * - If there is a waiter and the pool is not suspended, no idle item is ready,
 *   and checks are requested for the others.
 *
 * No idle item is missed: a release makes its slot IDLE and then reads the
 * gate.  A waiter sets GATE_QUEUE and then reads the slots, and it is the same
 * with the other obstacles.  All four accesses are sequentially consistent, so
 * one of the two threads sees the other: either the waiter takes the item, or
 * the release settles.
 */
#include "settle.h"
#include "demand.h"
#include "jobs.h"
#include "queue.h"
#include "search.h"
#include "slot.h"

void rpool__reject_locked(struct pool *pool, struct slot *slot,
                          rpool_reason reason)
{
    if (reason == RPOOL_REASON_NONE)
        reason = rpool__flag_reason(atom_load(&slot->word));
    rpool__close_slot_locked(pool, slot, reason);
    if (reason == RPOOL_REASON_HANGUP || reason == RPOOL_REASON_CHECK)
        rpool__count_stillborn_locked(pool, slot, reason);
}

void rpool__keep_or_reject_locked(struct pool *pool, struct slot *slot,
                                  uint64_t flags)
{
    assert((flags & ~(uint64_t)(SLOT_OWES_ANSWER | SLOT_CHECKED)) == 0);
    if (!slot_make_idle(slot, flags))
        rpool__reject_locked(pool, slot, RPOOL_REASON_NONE);
}

/* Closes up to `more` idle items, the highest slots first.  Counts *left down
 * for each slot that it visits. */
static void close_idle_locked(struct pool *pool, int more, rpool_reason reason,
                              int *left) POOL_LOCKED(pool)
{
    struct slot *slot;
    uint32_t below = (uint32_t)atom_load(&pool->slots.count);
    for (; more > 0 && *left > 0; --*left) {
        slot = rpool__hinted_below(pool, below);
        if (slot == NULL)
            return;

        below = slot->index;
        uint64_t word = atom_load(&slot->word);
        while (word_state(word) == SLOT_IDLE &&
               !atom_cas(&slot->word, &word, word_with(word, SLOT_RETURNING)))
            ;
        if (word_state(word) == SLOT_IDLE) {
            rpool__close_slot_locked(pool, slot, reason);
            more--;
        } else {
            slot_clear_hint(slot);
        }
    }
}

/* ---- the waiter queue ---- */

/*
 * Returns the item for the first waiter, claimed, or NULL.
 *
 * A waiter that has not pinged yet may be granted an item that needs a ping,
 * and pings it itself.  If a ping of the waiter was slow or failed, it is
 * granted a ready item only, because the workers ping several items at once.
 * If no worker can be had, it pings another one after all.
 */
static struct slot *next_for_locked(struct pool *pool,
                                    const struct waiter *head) POOL_LOCKED(pool)
{
    struct slot *slot = NULL;
    int may_ping = !head->needs_ready || rpool__workers_refused_locked(pool);
    if (rpool__claim(pool, clock_coarse(), may_ping ? ACCEPT_ALL : ACCEPT_READY,
                     0, &slot) == 0 &&
        may_ping && head->needs_ready && !list_empty(&pool->lists.checks_begun))
        slot = rpool__slot_pop_locked(pool, &pool->lists.checks_begun);
    return slot;
}

/* Requests checks of the items of that fitness, among the first HOLD_BATCH idle
 * ones. */
static void request_checks_locked(struct pool *pool, unsigned unfit)
    POOL_LOCKED(pool)
{
    int64_t now = clock_coarse();
    struct slot *slot = rpool__next_idle(pool, 0);
    for (int looks = 1; slot != NULL; looks++) {
        uint64_t word = atom_load(&slot->word);
        if (!slot->check_requested &&
            unfit & ACCEPT(slot_fitness(pool, slot, word, now)))
            rpool__slot_request_check_locked(pool, slot);
        slot =
            looks < HOLD_BATCH ? rpool__next_idle(pool, slot->index + 1) : NULL;
    }
}

static void serve_queue_locked(struct pool *pool, int *left) POOL_LOCKED(pool)
{
    struct slot *slot;
    for (; !list_empty(&pool->queue.waiters) && *left > 0; --*left) {
        struct waiter *head = queue_head(pool);
        slot = next_for_locked(pool, head);
        if (slot == NULL)
            break;
        rpool__queue_answer_locked(pool, head, RPOOL_OK, slot);
    }
    if (list_empty(&pool->queue.waiters) || *left == 0)
        return;

    assert(!(atom_peek(&pool->gate) & (GATE_CLOSED | GATE_SUSPENDED)));
    request_checks_locked(pool, ACCEPT(FIT_ANSWER));
    request_checks_locked(pool, ACCEPT(FIT_PING));
}

static void refuse_queue_locked(struct pool *pool, rpool_status status,
                                int *left) POOL_LOCKED(pool)
{
    assert(status != RPOOL_OK);
    for (; !list_empty(&pool->queue.waiters) && *left > 0; --*left)
        rpool__queue_answer_locked(pool, queue_head(pool), status, NULL);
}

static int is_hopeless_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->backoff.failure.permanent && pool_live(pool) == 0 &&
           clock_now() < pool->backoff.urgent_until;
}

/* ---- settle ---- */

static void set_obstacle_locked(struct pool *pool, uint64_t bit, int on)
    POOL_LOCKED(pool)
{
    if (((atom_load(&pool->gate) & bit) != 0) == (on != 0))
        return;
    if (on)
        (void)atom_or(&pool->gate, bit);
    else
        (void)atom_and(&pool->gate, ~bit);
}

static void settle_closed_locked(struct pool *pool, int *left) POOL_LOCKED(pool)
{
    close_idle_locked(pool, pool->counts.occupied, RPOOL_REASON_SHUTDOWN, left);
    for (; !list_empty(&pool->lists.checks_begun) && *left > 0; --*left)
        rpool__close_slot_locked(
            pool,
            container_of(pool->lists.checks_begun.next, struct slot, node),
            RPOOL_REASON_SHUTDOWN);
    refuse_queue_locked(pool, RPOOL_CLOSED, left);
}

static void settle_open_locked(struct pool *pool, int *left) POOL_LOCKED(pool)
{
    set_obstacle_locked(pool, GATE_OVERSIZED,
                        pool_existing(pool) > pool->limits.max_size);
    close_idle_locked(pool, pool_existing(pool) - pool->limits.max_size,
                      RPOOL_REASON_RESIZE, left);
    set_obstacle_locked(pool, GATE_OVERSIZED,
                        pool_existing(pool) > pool->limits.max_size);
    if (atom_load(&pool->gate) & GATE_SUSPENDED)
        return;

    serve_queue_locked(pool, left);
    if (is_hopeless_locked(pool))
        refuse_queue_locked(pool, RPOOL_CREATE, left);
}

/* ---- the asserted invariants ---- */

ASSERT_ONLY static int counts_are_sane_locked(const struct pool *pool)
    POOL_LOCKED(pool)
{
    const struct counts *c = &pool->counts;
    return c->creating >= 0 && c->closing >= 0 && c->ageing >= 0 &&
           c->creating + c->closing <= c->occupied &&
           c->ageing <= pool_existing(pool) &&
           c->occupied <= (int)atom_peek(&pool->slots.count);
}

/* Counts the slots of a small pool.  In the smallest pools, which a model
 * checker explores, each read of a word would multiply the schedules. */
ASSERT_ONLY static int counts_are_exact_locked(const struct pool *pool)
    POOL_LOCKED(pool)
{
    enum { FEWEST = 4, MOST = 64 };
    int states[SLOT_STATES] = {0};
    uint32_t nslots = (uint32_t)atom_peek(&pool->slots.count);
    if (nslots < FEWEST || nslots > MOST)
        return 1;

    for (uint32_t i = 0; i < nslots; i++)
        states[word_state(atom_peek(&pool_slot(pool, i)->word))]++;
    return states[SLOT_EMPTY] + pool->counts.occupied == (int)nslots &&
           states[SLOT_CLOSING] == pool->counts.closing;
}

/* Returns whether waiters are in the queue only where they may be.  Idle items
 * cannot be asserted: a release may make one idle at any time, and then it
 * settles. */
ASSERT_ONLY static int queue_is_settled_locked(const struct pool *pool)
    POOL_LOCKED(pool)
{
    uint64_t gate = atom_peek(&pool->gate);
    int waits = pool->queue.length > 0;
    if (waits != ((gate & GATE_QUEUE) != 0))
        return 0;
    if (gate & GATE_CLOSED)
        return !waits && list_empty(&pool->lists.checks_begun);
    int oversized = pool_existing(pool) > pool->limits.max_size;
    return oversized == ((gate & GATE_OVERSIZED) != 0);
}

void rpool__settle_locked(struct pool *pool)
{
    int left = HOLD_BATCH;
    if (atom_load(&pool->gate) & GATE_CLOSED)
        settle_closed_locked(pool, &left);
    else
        settle_open_locked(pool, &left);
    pool->unsettled = left == 0;

    assert(counts_are_sane_locked(pool) && counts_are_exact_locked(pool));
    assert(pool->unsettled || queue_is_settled_locked(pool));
    rpool__wake_workers_locked(pool);
}
