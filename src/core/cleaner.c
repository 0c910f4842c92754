/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The cleaner sleeps until exactly the next thing due, or a hang-up, and
 * decides.  It calls neither the provider nor the listener: workers do.
 *
 * A thing that is due later than the cleaner wakes needs no call.  One that is
 * due earlier must wake it: the thread that makes it due stores the time in the
 * slot and then reads next_wake, and the cleaner stores CLOCK_NEVER into
 * next_wake and then reads the slots.  One of the two sees the other.  While it
 * reads, a caller lowers next_wake without waking it, and when it is woken it
 * only sleeps again, until the earlier time: however busy the pool, it looks
 * once for each time due.
 *
 * The owner of an item that comes back to IDLE answers for it: a release, a
 * creation and a check that gives back arm for all that is due of it.
 */
#include "internal.h"

/* A look visits all slots.  So that many items that fall due one after the
 * other do not cost a look each, the next look is later by this for each 64
 * slots: 40 ms in the largest pool. */
#define SPACING (CLOCK_MS / 4)

struct round { /* what one look at all slots found */
    int64_t now, next;
    int acted;
    int telling; /* the cleaner's own look: leaks are told */
};

void rpool__arm_locked(struct pool *pool, int64_t when)
{
    if (when >= (int64_t)atom_load(&pool->next_wake))
        return;
    atom_store(&pool->next_wake, (uint64_t)when);
    if (pool->cleaner_asleep)
        watch_wake(&pool->watch);
}

void rpool__arm_slowly(struct pool *pool, int64_t when)
{
    lock_take(&pool->lock);
    rpool__arm_locked(pool, when);
    lock_drop(&pool->lock);
}

static int surplus_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool_existing(pool) - pool->min_size;
}

void rpool__set_idle_due_locked(struct pool *pool)
{
    int64_t due = pool->keepalive;
    if (surplus_locked(pool) > 0 && pool->idle_timeout < due)
        due = pool->idle_timeout;
    if (due != (int64_t)atom_load(&pool->idle_due))
        atom_store(&pool->idle_due, (uint64_t)due);
    int may_leave =
        (surplus_locked(pool) > 0) + (surplus_locked(pool) > pool->ageing);
    if (may_leave > pool->may_leave)
        rpool__arm_locked(pool, 0); /* for what is idle since long */
    pool->may_leave = may_leave;
}

static int64_t saturating(int64_t time, int64_t span)
{
    return span > CLOCK_NEVER - time ? CLOCK_NEVER : time + span;
}

static void at_latest(struct round *round, int64_t when)
{
    if (when < round->next)
        round->next = when;
}

/* How long before the end of a lifetime its replacement is begun. */
static int64_t lead_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t lead = 2 * pool->last_create_ns + 1000 * CLOCK_MS;
    return lead < pool->lifetime / 8 ? lead : pool->lifetime / 8;
}

static int take_idle(struct slot *slot, uint64_t word, enum slot_state to)
{
    return word_state(word) == SLOT_IDLE &&
           atom_cas(&slot->word, &word, word_with(word, to));
}

/* Idle longer than allowed, or past its lifetime: it leaves. */
static int expire_locked(struct pool *pool, struct slot *slot, uint64_t word,
                         struct round *round) POOL_LOCKED(pool)
{
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    int64_t idle_out =
        saturating((int64_t)atom_peek(&slot->idle_since), pool->idle_timeout);
    rpool_reason reason = RPOOL_REASON_NONE;
    int may_idle_out = surplus_locked(pool) > (slot->ageing ? 0 : pool->ageing);
    if (may_idle_out && round->now >= idle_out && idle_out <= expires)
        reason = RPOOL_REASON_IDLE; /* that was due first */
    else if (round->now >= expires)
        reason = RPOOL_REASON_LIFETIME;
    else if (may_idle_out)
        at_latest(round, idle_out);
    if (reason == RPOOL_REASON_NONE) {
        at_latest(round, expires);
        return 0;
    }
    if (take_idle(slot, word, SLOT_RETURNING))
        rpool__dispose_locked(pool, slot, reason);
    return 1;
}

/*
 * Near its end an item no longer counts for min_size, so its replacement is
 * begun where there is room.  Where there is none, it leaves early, one at a
 * time.
 */
static int replace_ahead_locked(struct pool *pool, struct slot *slot,
                                uint64_t word, struct round *round)
    POOL_LOCKED(pool)
{
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    if (expires == CLOCK_NEVER || pool->min_size == 0)
        return 0;
    int64_t ahead = expires - lead_locked(pool);
    if (round->now < ahead) {
        at_latest(round, ahead);
        return 0;
    }
    if (!slot->ageing) {
        slot->ageing = 1;
        pool->ageing++;
    }
    if (pool->occupied < pool->max_size || pool->creating + pool->leaving > 0 ||
        pool_is_failing(pool) || surplus_locked(pool) > 0 ||
        !take_idle(slot, word, SLOT_RETURNING))
        return 0;
    rpool__dispose_locked(pool, slot, RPOOL_REASON_LIFETIME);
    return 1;
}

/* A worker checks it if it is idle still when its turn comes. */
static void keep_alive_locked(struct pool *pool, struct slot *slot,
                              struct round *round) POOL_LOCKED(pool)
{
    if (pool->keepalive == CLOCK_NEVER ||
        atom_load(&pool->gate) & GATE_CLOSED) /* its workers may be gone */
        return;
    int64_t due =
        saturating((int64_t)atom_peek(&slot->proven), pool->keepalive);
    if (round->now < due) {
        at_latest(round, due);
    } else if (list_empty(&slot->node)) {
        list_push_back(&pool->keepalives, &slot->node);
        round->acted++;
    }
}

/* A lease that lasts too long: a worker tells of it, since no work of the pool
 * may wait for a listener. */
static void note_leak_locked(struct pool *pool, struct slot *slot,
                             uint64_t word, struct round *round)
    POOL_LOCKED(pool)
{
    uint64_t serial = word & SERIAL_MASK;
    if (pool->leak == CLOCK_NEVER || pool->on_event == NULL ||
        (atom_load(&slot->leak) & SERIAL_MASK) == serial)
        return;
    int64_t since = (int64_t)atom_peek(&slot->leased_since);
    if (since == 0) /* claimed a moment ago */
        since = round->now;
    int64_t due = saturating(since, pool->leak);
    if (round->now < due || !round->telling) {
        at_latest(round, due);
        return;
    }
    atom_store(&slot->leak, serial | LEAK_QUEUED);
    list_remove(&slot->leaking);
    list_push_back(&pool->leaks, &slot->leaking);
    round->acted++;
}

static void look_at_locked(struct pool *pool, struct slot *slot,
                           struct round *round) POOL_LOCKED(pool)
{
    uint64_t word = atom_load(&slot->word);
    enum slot_state state = word_state(word);
    if (state == SLOT_EMPTY || state == SLOT_CREATING ||
        state == SLOT_DISPOSING)
        return;
    if (state == SLOT_IDLE && expire_locked(pool, slot, word, round)) {
        round->acted++;
        return;
    }
    if (replace_ahead_locked(pool, slot, word, round)) {
        round->acted++;
        return;
    }
    if (state == SLOT_IDLE)
        keep_alive_locked(pool, slot, round);
    if (state == SLOT_LEASED)
        note_leak_locked(pool, slot, word, round);
}

void rpool__arm_slot_locked(struct pool *pool, struct slot *slot)
{
    struct round round = {.next = CLOCK_NEVER};
    round.now = clock_now();
    look_at_locked(pool, slot, &round);
    rpool__arm_locked(pool, round.next);
}

/* All slots, from the highest: the low ones are the warm ones. */
static int64_t look_around_locked(struct pool *pool) POOL_LOCKED(pool)
{
    struct round round = {.next = CLOCK_NEVER, .telling = 1};
    round.now = clock_now();
    uint32_t seen = 0;
    round.acted += rpool__note_stuck_locked(pool, round.now, &round.next);
    for (uint32_t i = (uint32_t)atom_load(&pool->nslots); i-- > 0;) {
        look_at_locked(pool, pool_slot(pool, i), &round);
        if (++seen % HOLD_BATCH == 0) {
            lock_drop(&pool->lock);
            lock_take(&pool->lock);
        }
    }
    if (round.acted > 0 || rpool__need_locked(pool) > 0)
        rpool__settle_locked(pool);
    int64_t soonest = round.now + SPACING * (seen / HINT_SLOTS);
    return round.next < soonest ? soonest : round.next;
}

static void hung_up_locked(struct pool *pool, uint64_t token) POOL_LOCKED(pool)
{
    struct slot *slot = pool_slot(pool, (uint32_t)token & SLOT_MASK);
    if (token >> SLOT_BITS == atom_peek(&slot->number))
        rpool__mark_locked(pool, slot, SLOT_HUNG_UP);
}

static void start_worker_locked(struct pool *pool) POOL_LOCKED(pool)
{
    rpool__step_out(pool);
    lock_take(&pool->lock);
}

void *rpool__cleaner_run(void *arg) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    struct pool *pool = ((struct pool_thread *)arg)->pool;
    uint64_t tokens[HOLD_BATCH];
    struct inside here;
    rpool__go_in(&here, pool); /* to the end of the thread */
    thread_begin(pool->name);
    lock_take(&pool->lock);
    thread_self(&pool->cleaner.thread);
    while (!pool->stopping) {
        if (clock_now() >= (int64_t)atom_load(&pool->next_wake)) {
            atom_store(&pool->next_wake, (uint64_t)CLOCK_NEVER);
            rpool__arm_locked(pool, look_around_locked(pool));
        }
        if (rpool__worker_missing_locked(pool)) {
            start_worker_locked(pool);
            continue;
        }
        pool->cleaner_asleep = 1;
        int64_t until = (int64_t)atom_load(&pool->next_wake);
        rpool__step_out(pool);
        int n = watch_wait(&pool->watch, until, tokens, HOLD_BATCH);
        lock_take(&pool->lock);
        pool->cleaner_asleep = 0;
        for (int i = 0; i < n; i++)
            hung_up_locked(pool, tokens[i]);
        if (n > 0)
            rpool__settle_locked(pool);
    }
    pool->cleaner.exited = 1;
    pool->threads--;
    cond_wake_all(&pool->changed);
    rpool__depart(pool);
    return NULL;
}
