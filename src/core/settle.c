/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The one place where a pool comes to rest.  A thread that changes anything
 * under the mutex, or that finds an obstacle in the gate after a swap outside
 * of it, calls rpool__settle_locked.  If that call was not cut short by its
 * batch (pool.unsettled), the following holds for all slots without an owner:
 *
 *   closed      => nothing is idle, or to be checked, and nobody waits;
 *   hopeless    => nobody waits, unless suspended: nothing can be created for
 *                  now, and nothing is left that could be given back;
 *   over size   => nothing is idle;
 *   someone waits and not suspended => nothing that is ready is idle, and what
 *                  needs a ping or owes an answer is wished to be checked.
 *
 * Why no item is stranded: a releaser makes its slot IDLE and then reads the
 * gate; a waiter sets GATE_QUEUE and then looks at the slots (and so with the
 * other obstacles).  All four are sequentially consistent, so one of the two
 * sees the other: the waiter takes the slot, or the releaser comes here.
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
    if (!slot_make_idle(pool, slot, flags))
        rpool__reject_locked(pool, slot, RPOOL_REASON_NONE);
}

/* Idle items leave, the highest slots first, while `more` of them must.  *left
 * is counted down for each slot that is looked at. */
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
            slot_clear_hint(pool, slot);
        }
    }
}

/*
 * The item for the head of the line, or NULL.  A head that has not pinged yet
 * is granted also an item that needs a ping, and pings it itself.  A head whose
 * ping was slow or failed waits for a ready item, since workers ping the others
 * side by side.  If there is no worker, and none can be started, that head is
 * granted an item that needs a ping after all.
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

/* Has the workers check the idle items of that fitness, among the first
 * HOLD_BATCH idle ones. */
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

/* For the waiters that are left, workers check the idle items. */
static void serve_queue_locked(struct pool *pool, int *left) POOL_LOCKED(pool)
{
    struct slot *slot;
    for (; !list_empty(&pool->queue.waiters) && *left > 0; --*left) {
        struct waiter *head =
            container_of(pool->queue.waiters.next, struct waiter, node);
        slot = next_for_locked(pool, head);
        if (slot == NULL)
            break;
        rpool__queue_answer_locked(pool, head, RPOOL_OK, slot);
    }
    if (list_empty(&pool->queue.waiters) || *left == 0)
        return;
    request_checks_locked(pool, ACCEPT(FIT_ANSWER));
    request_checks_locked(pool, ACCEPT(FIT_PING));
}

static void refuse_queue_locked(struct pool *pool, rpool_status status,
                                int *left) POOL_LOCKED(pool)
{
    for (; !list_empty(&pool->queue.waiters) && *left > 0; --*left)
        rpool__queue_answer_locked(
            pool, container_of(pool->queue.waiters.next, struct waiter, node),
            status, NULL);
}

static int is_hopeless_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->backoff.failure.permanent && pool_live(pool) == 0 &&
           clock_now() < pool->backoff.urgent_until;
}

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

void rpool__settle_locked(struct pool *pool)
{
    int left = HOLD_BATCH;
    if (atom_load(&pool->gate) & GATE_CLOSED)
        settle_closed_locked(pool, &left);
    else
        settle_open_locked(pool, &left);
    pool->unsettled = left == 0;
    rpool__wake_workers_locked(pool);
}
