/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What must hold.  At every step of a run the pool's fields are compared with
 * their last values, and each difference is reported to the model.  When all
 * coroutines are blocked, no work may be left undone.  In the end every
 * resource is gone.
 *
 * Reads the pool's fields directly, without the base: between two steps no
 * coroutine is writing them.
 */
#include "base/sched.h"
#include "world.h"

static uint64_t peek_gate(const struct pool *pool)
{
    return atom_peek(&pool->gate);
}

uint64_t oracle_word(const struct pool *pool, int index)
{
    if ((uint32_t)index >= pool->made)
        return SLOT_EMPTY;
    return atom_peek(&pool_slot(pool, (uint32_t)index)->word);
}

/* Threads of the pool hand slots to each other, so they count as one. */
static int thread_number(void)
{
    struct sim_thread *self = sched_self();
    if (self->id >= MODEL_THREADS)
        sim_fail("too many threads for the model");
    return self->of_pool ? 0 : self->id;
}

/* Returns whether a borrower has handed it to the workers, and none has taken
 * it yet. */
static int is_handed(const struct pool *pool, int index)
{
    if ((uint32_t)index >= pool->made)
        return 0;
    const struct list *l = pool->lists.checks_begun.next;
    while (l != &pool->lists.checks_begun &&
           l != &pool_slot(pool, (uint32_t)index)->node)
        l = l->next;
    return l != &pool->lists.checks_begun;
}

/* Returns whether it waits for a worker while none is free. */
static int awaits_worker(const struct pool *pool, const struct slot *slot)
{
    return !list_empty(&slot->node) && pool->threads.idle_workers == 0;
}

/* ---- every step -------------------------------------------------------------
 */

/* The running thread owns the slot, and has not leased it yet. */
static int is_own(const struct model_slot *s)
{
    if (s->owner != 0 && s->owner != thread_number())
        return 0;
    return s->state == SLOT_CREATING || s->state == SLOT_CHECKING ||
           s->state == SLOT_RETURNING ||
           (s->state == SLOT_LEASED && !s->leased);
}

struct times oracle_times(const struct pool *pool, int index)
{
    if ((uint32_t)index >= pool->made)
        return (struct times){0};
    if ((uint32_t)index >= pool->made)
        return (struct times){0};
    const struct slot *slot = pool_slot(pool, (uint32_t)index);
    return (struct times){.leased_since = atom_peek(&slot->leased_since),
                          .idle_since = atom_peek(&slot->idle_since),
                          .proven = atom_peek(&slot->proven)};
}

/* A slot's times may be changed only by its owner. */
static void step_times(struct era *era, int index)
{
    struct times *seen = &era->times[index];
    struct times now = oracle_times(era->pool, index);
    int changed = now.leased_since != seen->leased_since ||
                  now.idle_since != seen->idle_since ||
                  now.proven != seen->proven;
    *seen = now;
    if (changed && !is_own(&era->model.slot[index]))
        sim_fail("slot %d: thread %d writes times, but does not own it", index,
                 thread_number());
}

/* Checks an item that leaves although it is still needed. */
static void step_leaver(const struct pool *pool, int index)
{
    const struct slot *slot = pool_slot(pool, (uint32_t)index);
    if (slot->reason == RPOOL_REASON_IDLE &&
        pool_existing(pool) < pool->limits.min_size)
        sim_fail("slot %d leaves idle, and %d of %d stay", index,
                 pool_existing(pool), pool->limits.min_size);
    if (slot->reason == RPOOL_REASON_LIFETIME &&
        sched_now() + CLOCK_COARSE_TICK < (int64_t)atom_peek(&slot->expires) &&
        (pool->counts.occupied < pool->limits.max_size ||
         pool->counts.creating > 0))
        sim_fail("slot %d leaves early, but there is room", index);
}

static void step_slots(struct era *era)
{
    int occupied = 0;
    for (int i = 0; i < MODEL_SLOTS; i++) {
        uint64_t word = oracle_word(era->pool, i);
        enum slot_state state = word_state(word);
        occupied += state != SLOT_EMPTY;
        if (is_handed(era->pool, i))
            model_hand_over(&era->model, i);
        if (state == era->model.slot[i].state)
            continue;
        model_move(&era->model, i, state, thread_number());
        if (state == SLOT_CLOSING)
            step_leaver(era->pool, i);
        if (state != SLOT_LEASED)
            continue;
        if ((word & SERIAL_MASK) <= era->serials[i])
            sim_fail("slot %d is leased with an old serial", i);
        if (word & SLOT_MUST_CLOSE)
            sim_fail("slot %d is leased, but should leave", i);
        era->serials[i] = word & SERIAL_MASK;
    }
    if (occupied != era->pool->counts.occupied)
        sim_fail("%d slots are occupied, but %d are counted", occupied,
                 era->pool->counts.occupied);
    if (occupied > era->occupied && occupied > era->pool->limits.max_size)
        sim_fail("%d slots are occupied, but %d may be", occupied,
                 era->pool->limits.max_size);
    era->occupied = occupied;
}

static void step_answered(struct era *era)
{
    const struct waiter *w = era->answered;
    if (w == NULL || era->answered_by != sim_self())
        return;
    era->answered = NULL;
    if (!w->answered || (w->status == RPOOL_OK) != (w->slot != NULL))
        sim_fail("a waiter left with an incomplete answer");
    model_answer(&era->model, era->answered_thread,
                 w->slot == NULL ? -1 : (int)w->slot->index);
}

static int stands(struct pool *pool, const struct waiter *w)
{
    for (struct list *l = pool->queue.waiters.next; l != &pool->queue.waiters;
         l = l->next)
        if (container_of(l, struct waiter, node) == w)
            return 1;
    return 0;
}

/* Checks the waiters that have left the queue. */
static void step_leavers(struct era *era)
{
    int kept = 0;
    for (int i = 0; i < era->waiting; i++) {
        if (stands(era->pool, era->line[i])) {
            era->line[kept] = era->line[i];
            era->threads[kept++] = era->threads[i];
        } else if (era->threads[i] == sim_self()) {
            model_leave(&era->model, era->threads[i]);
        } else if (era->answered != NULL) {
            sim_fail("two left the line in one step");
        } else {
            era->answered = era->line[i];
            era->answered_thread = era->threads[i];
            era->answered_by = sim_self();
        }
    }
    era->waiting = kept;
}

static int is_known(const struct era *era, const struct waiter *w)
{
    for (int i = 0; i < era->waiting; i++)
        if (era->line[i] == w)
            return 1;
    return 0;
}

static void step_line(struct era *era)
{
    struct pool *pool = era->pool;
    int at = 0;
    uint64_t before = 0;
    step_answered(era);
    step_leavers(era);
    for (struct list *l = pool->queue.waiters.next; l != &pool->queue.waiters;
         l = l->next) {
        struct waiter *w = container_of(l, struct waiter, node);
        if (!is_known(era, w)) {
            era->line[era->waiting] = w;
            era->threads[era->waiting++] = sim_self();
            model_stand(&era->model, w->ticket, sim_self());
        }
        if (w->ticket < before)
            sim_fail("the line is out of order");
        before = w->ticket;
        at++;
    }
    if (at != pool->queue.length)
        sim_fail("%d wait, but %d are counted", at, pool->queue.length);
}

void oracle_step(void)
{
    for (int i = 0; i < world.era_count; i++) {
        struct era *era = &world.eras[i];
        if (era->pool == NULL || era->freed)
            continue;
        model_gate(&era->model, (peek_gate(era->pool) & GATE_QUEUE) != 0);
        step_slots(era);
        for (int j = 0; j < MODEL_SLOTS; j++)
            step_times(era, j);
        step_line(era);
    }
}

/* ---- when all are blocked
 * ------------------------------------------------------ */

/* Times are those of the coarse clock, and so is the cleaner's alarm. */
static int overdue(uint64_t since, int64_t span)
{
    int64_t ago = sched_now() - (int64_t)since;
    return span != CLOCK_NEVER && ago > span + 2 * CLOCK_COARSE_TICK;
}

static const struct thing *thing_in(const struct slot *slot)
{
    return (const struct thing *)(uintptr_t)atom_peek(&slot->resource);
}

static void quiet_idle(const struct pool *pool, int index)
{
    const struct slot *slot = pool_slot(pool, (uint32_t)index);
    uint64_t gate = peek_gate(pool);
    if (gate & GATE_CLOSED)
        sim_fail("slot %d is idle in a closed pool", index);
    if (pool_existing(pool) > pool->limits.max_size)
        sim_fail("slot %d is idle in a pool over its size", index);
    if (pool->queue.length > 0 && (gate & GATE_SUSPENDED) == 0 &&
        !awaits_worker(pool, slot))
        sim_fail("slot %d (%llx) is idle while %d wait, %d idle workers of %d, "
                 "%d check",
                 index, (unsigned long long)atom_peek(&slot->word),
                 pool->queue.length, pool->threads.idle_workers,
                 pool->threads.workers, pool->checks.for_borrowers);
    if (thing_in(slot)->hung && sim_fd_watched(thing_in(slot)->fd))
        sim_fail("slot %d is idle, but was hung up", index);
    if (overdue(atom_peek(&slot->expires), 0))
        sim_fail("slot %d is idle past its lifetime", index);
    int staying = pool_existing(pool) - pool->counts.ageing;
    if (!slot->ageing && staying > pool->limits.min_size &&
        overdue(atom_peek(&slot->idle_since), pool->config.idle_timeout))
        sim_fail("slot %d is idle for too long", index);
    if (!world.script->no_check && !pool->checks.keepalives &&
        !awaits_worker(pool, slot) &&
        overdue(atom_peek(&slot->proven), pool->config.keepalive) &&
        overdue((uint64_t)thing_in(slot)->checked_at, pool->config.keepalive))
        sim_fail("slot %d was not kept alive", index);
}

/* Fails if an item is needed, there is room, and a thread is free, but none
 * creates. */
static void quiet_creations(const struct pool *pool)
{
    uint64_t gate = peek_gate(pool);
    int wanted = gate & GATE_SUSPENDED ? 0 : pool->queue.length;
    int missing = pool->limits.min_size - pool_live(pool);
    int64_t due = wanted > 0 ? pool->backoff.urgent_until : pool->backoff.until;
    if ((gate & GATE_CLOSED) == 0 && (wanted > 0 || missing > 0) &&
        pool->counts.creating == pool->threads.stuck_creating &&
        pool->counts.occupied < pool->limits.max_size && due < sched_now() &&
        pool->threads.busy < pool->threads.workers)
        sim_fail("no creation starts: %d wait, %d of %d there, %d at least, %d "
                 "failures, %d idle workers, %d busy",
                 wanted, pool_live(pool), pool->limits.max_size,
                 pool->limits.min_size, pool->backoff.failures,
                 pool->threads.idle_workers, pool->threads.busy);
}

static void quiet_counts(const struct era *era)
{
    int leased = 0, things = 0;
    for (int i = 0; i < MODEL_SLOTS; i++)
        leased += word_state(oracle_word(era->pool, i)) == SLOT_LEASED;
    for (int i = 0; i < world.thing_count; i++)
        things += world.things[i]->era == era && world.things[i]->leased;
    if (leased != things)
        sim_fail("%d slots are leased, but %d resources", leased, things);
}

void oracle_quiet(void)
{
    for (int i = 0; i < world.era_count; i++) {
        const struct era *era = &world.eras[i];
        if (era->pool == NULL || era->freed)
            continue;
        if (era->pool->lock.owner != NULL)
            sim_fail("all threads sleep, and one holds the lock");
        for (int j = 0; j < MODEL_SLOTS; j++)
            if (word_state(oracle_word(era->pool, j)) == SLOT_IDLE)
                quiet_idle(era->pool, j);
        if ((peek_gate(era->pool) & GATE_CLOSED) && era->pool->queue.length > 0)
            sim_fail("%d wait for a closed pool", era->pool->queue.length);
        quiet_creations(era->pool);
        if (!world.script->mute)
            quiet_counts(era);
    }
}

/* ---- the end
 * --------------------------------------------------------------------- */

void oracle_end(void)
{
    for (int i = 0; i < world.era_count; i++) {
        const struct era *era = &world.eras[i];
        if (!era->freed || era->done != 1)
            sim_fail("pool %d has not ended", i);
        if (era->made != era->destroyed + era->detached)
            sim_fail("pool %d: %d made, %d destroyed, %d detached", i,
                     era->made, era->destroyed, era->detached);
    }
    for (int i = 0; i < world.thing_count; i++)
        if (world.things[i]->leaks != 0)
            sim_fail("resource %d: %d leaks came back and it was not told",
                     world.things[i]->number, world.things[i]->leaks);
    if (sim_counts().late_removals > 0)
        sim_fail("a descriptor was unwatched after it was closed");
}
