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
 * gate; a waiter sets GATE_LINE and then looks at the slots (and so with the
 * other obstacles).  All four are sequentially consistent, so one of the two
 * sees the other: the waiter takes the slot, or the releaser comes here.
 */
#include "slot.h"

void rpool__dispose_locked(struct pool *pool, struct slot *slot,
                           rpool_reason reason)
{
    uint64_t word = atom_load(&slot->word);
    while (!atom_cas(&slot->word, &word,
                     word_with(word, SLOT_DISPOSING) &
                         ~(uint64_t)(SLOT_LEAVE | SLOT_ANSWER)))
        ;
    if (reason == RPOOL_REASON_HANGUP || reason == RPOOL_REASON_CHECK)
        rpool__lost_locked(pool, slot, reason);
    slot->reason = reason;
    rpool__unqueue_locked(pool, slot);
    pool->leaving++;
    pool->ageing -= slot->ageing;
    slot->ageing = 0;
    slot_clear_hint(pool, slot); /* no search stops at it any more */
    list_push_back(&pool->disposals, &slot->node);
    rpool__set_idle_due_locked(pool);
}

/* Flags that came in meanwhile go with the resource. */
void rpool__empty_locked(struct pool *pool, struct slot *slot)
{
    uint64_t word = atom_load(&slot->word);
    while (!atom_cas(&slot->word, &word, word & SERIAL_MASK))
        ;
    atom_put(&slot->resource, 0);
    atom_put(&slot->number, 0); /* a late hang-up finds nobody */
    slot->reason = RPOOL_REASON_NONE;
    list_remove(&slot->leaking);
    rpool__unqueue_locked(pool, slot);
    list_push_front(&pool->empty, &slot->node);
    pool->ageing -= slot->ageing;
    slot->ageing = 0;
    pool->occupied--;
    rpool__set_idle_due_locked(pool);
    cond_wake_all(&pool->changed);
}

void rpool__mark_locked(struct pool *pool, struct slot *slot, uint64_t flag)
{
    uint64_t word = atom_load(&slot->word);
    for (;;) {
        enum slot_state state = word_state(word);
        if (state == SLOT_EMPTY || state == SLOT_DISPOSING)
            return;
        /* IDLE: the swap makes it ours. */
        uint64_t marked = word | flag;
        if (state == SLOT_IDLE)
            marked = word_with(marked, SLOT_DISPOSING);
        if (atom_cas(&slot->word, &word, marked)) {
            if (state == SLOT_IDLE)
                rpool__dispose_locked(pool, slot, rpool__flag_reason(marked));
            return;
        }
    }
}

/* Idle items leave, the highest slots first, while `more` of them must.  *left
 * is counted down for each slot that is looked at. */
static void dispose_idle_locked(struct pool *pool, int more,
                                rpool_reason reason, int *left)
    POOL_LOCKED(pool)
{
    struct slot *slot;
    uint32_t below = (uint32_t)atom_load(&pool->nslots);
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
            rpool__dispose_locked(pool, slot, reason);
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
    int may_ping = !head->pinged || rpool__workers_refused_locked(pool);
    if (rpool__claim(pool, clock_coarse(), may_ping ? ACCEPT_ALL : ACCEPT_READY,
                     0, &slot) == 0 &&
        may_ping && head->pinged && !list_empty(&pool->handed))
        slot = rpool__pop_locked(pool, &pool->handed);
    return slot;
}

/* Has the workers check the idle items of that fitness, among the first
 * HOLD_BATCH idle ones. */
static void wish_locked(struct pool *pool, unsigned unfit) POOL_LOCKED(pool)
{
    int64_t now = clock_coarse();
    struct slot *slot = rpool__next_idle(pool, 0);
    for (int looks = 1; slot != NULL; looks++) {
        uint64_t word = atom_load(&slot->word);
        if (!slot->wished &&
            unfit & ACCEPT(slot_fitness(pool, slot, word, now)))
            rpool__wish_locked(pool, slot);
        slot =
            looks < HOLD_BATCH ? rpool__next_idle(pool, slot->index + 1) : NULL;
    }
}

/* For the waiters that are left, workers check the idle items. */
static void serve_line_locked(struct pool *pool, int *left) POOL_LOCKED(pool)
{
    struct slot *slot;
    for (; !list_empty(&pool->line) && *left > 0; --*left) {
        struct waiter *head =
            container_of(pool->line.next, struct waiter, node);
        slot = next_for_locked(pool, head);
        if (slot == NULL)
            break;
        rpool__answer_locked(pool, head, RPOOL_OK, slot);
    }
    if (list_empty(&pool->line) || *left == 0)
        return;
    wish_locked(pool, ACCEPT(FIT_ANSWER));
    wish_locked(pool, ACCEPT(FIT_PING));
}

static void refuse_line_locked(struct pool *pool, rpool_status status,
                               int *left) POOL_LOCKED(pool)
{
    for (; !list_empty(&pool->line) && *left > 0; --*left)
        rpool__answer_locked(pool,
                             container_of(pool->line.next, struct waiter, node),
                             status, NULL);
}

static int is_hopeless_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->failure.permanent && pool_live(pool) == 0 &&
           clock_now() < pool->urgent_at;
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
    dispose_idle_locked(pool, pool->occupied, RPOOL_REASON_SHUTDOWN, left);
    for (; !list_empty(&pool->handed) && *left > 0; --*left)
        rpool__dispose_locked(
            pool, container_of(pool->handed.next, struct slot, node),
            RPOOL_REASON_SHUTDOWN);
    refuse_line_locked(pool, RPOOL_CLOSED, left);
}

static void settle_open_locked(struct pool *pool, int *left) POOL_LOCKED(pool)
{
    set_obstacle_locked(pool, GATE_OVER, pool_existing(pool) > pool->max_size);
    dispose_idle_locked(pool, pool_existing(pool) - pool->max_size,
                        RPOOL_REASON_RESIZE, left);
    set_obstacle_locked(pool, GATE_OVER, pool_existing(pool) > pool->max_size);
    if (atom_load(&pool->gate) & GATE_SUSPENDED)
        return;
    serve_line_locked(pool, left);
    if (is_hopeless_locked(pool))
        refuse_line_locked(pool, RPOOL_CREATE, left);
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

static int hire_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (!rpool__worker_missing_locked(pool))
        return -1;
    int index = 0;
    while (pool->worker[index].running)
        index++;
    pool->worker[index] = (struct pool_thread){.pool = pool, .running = 1};
    pool->workers++;
    pool->threads++;
    pool->idle_workers++; /* until it has come to look for work */
    return index;
}

/* Takes as many answered waiters out of their list as there is room for; their
 * wake-ups are to be sent after the mutex was dropped. */
static int rouse_locked(struct pool *pool, struct wake *wake, int room)
    POOL_LOCKED(pool)
{
    int n = 0;
    for (; n < room && !list_empty(&pool->answered); n++) {
        struct list *node = list_pop_front(&pool->answered);
        wake[n] =
            sleeper_rouse(&container_of(node, struct waiter, node)->sleeper);
    }
    return n;
}

/*
 * Woken under the mutex, a waiter would run into it at once and sleep again:
 * two more switches for each hand-over (measured: a third of the rate of 64
 * threads on 8 items).  A hand-over answers one waiter.  A close or a resume
 * may answer thousands: these are woken in batches.
 */
static void drop_and_wake(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    struct wake wake[WAKE_BATCH];
    for (;;) {
        int n = rouse_locked(pool, wake, WAKE_BATCH);
        int more = !list_empty(&pool->answered);
        lock_drop(&pool->lock);

        for (int i = 0; i < n; i++)
            wake_send(wake[i]);
        if (!more)
            break;
        lock_take(&pool->lock);
    }
}

/* Settles until nothing is left, with the mutex free between two batches.  The
 * pool cannot end meanwhile. */
static void finish_locked(struct pool *pool) POOL_LOCKED(pool)
{
    pool->inside++;
    while (pool->unsettled) {
        drop_and_wake(pool);
        lock_take(&pool->lock);
        if (pool->unsettled)
            rpool__settle_locked(pool);
    }
    pool->inside--;
}

void rpool__step_out(struct pool *pool)
{
    finish_locked(pool);
    int hired = hire_locked(pool);
    drop_and_wake(pool);
    if (hired >= 0)
        (void)rpool__start_worker(pool, hired);
}

int rpool__notify_locked(struct pool *pool)
{
    if (!pool->unsettled && list_empty(&pool->answered) &&
        !rpool__worker_missing_locked(pool))
        return 0;
    rpool__step_out(pool);
    lock_take(&pool->lock);
    return 1;
}

void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
{
    if (!rpool__notify_locked(pool))
        cond_wait(cond, &pool->lock, deadline);
}

void rpool__unlock(struct pool *pool)
{
    finish_locked(pool);
    if (pool->stopping && pool->workers == pool->busy &&
        !list_empty(&pool->disposals))
        rpool__run_disposals_locked(pool, NULL);
    rpool__depart(pool);
}

void rpool__depart(struct pool *pool)
{
    finish_locked(pool);
    if (rpool__is_over_locked(pool))
        rpool__end_locked(pool);
    else
        rpool__step_out(pool);
}

void rpool__settle(struct pool *pool)
{
    lock_take(&pool->lock);
    if (pool_is_open(pool)) {
        rpool__settle_locked(pool);
        rpool__unlock(pool);
    } else {
        lock_drop(&pool->lock);
    }
}
