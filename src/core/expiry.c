/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What is due of one slot. */
#include "expiry.h"
#include "alarm.h"
#include "slot.h"

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

/* Idle longer than allowed, or past its lifetime: it leaves. */
static int expire_locked(struct pool *pool, struct slot *slot, uint64_t word,
                         struct round *round) POOL_LOCKED(pool)
{
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    int64_t idle_out =
        saturating((int64_t)atom_peek(&slot->idle_since), pool->idle_timeout);
    rpool_reason reason = RPOOL_REASON_NONE;
    int may_idle_out = pool_surplus(pool) > (slot->ageing ? 0 : pool->ageing);
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
    if (slot_take_idle(slot, word, SLOT_RETURNING))
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
        pool_is_failing(pool) || pool_surplus(pool) > 0 ||
        !slot_take_idle(slot, word, SLOT_RETURNING))
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

void rpool__look_at_locked(struct pool *pool, struct slot *slot,
                           struct round *round)
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
    rpool__look_at_locked(pool, slot, &round);
    rpool__arm_locked(pool, round.next);
}
