/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is due of one slot: idle timeout, lifetime, replacement, keepalive, and
 * the report of a leak.  Nothing here calls the provider or the listener.
 */
#include "expiry.h"
#include "alarm.h"
#include "slot.h"

static int64_t saturating(int64_t time, int64_t span)
{
    assert(time >= 0 && span >= 0);
    return span > CLOCK_NEVER - time ? CLOCK_NEVER : time + span;
}

static void at_latest(struct scan *scan, int64_t when)
{
    if (when < scan->next)
        scan->next = when;
}

/* Returns how long before the end of a lifetime the replacement is created:
 * twice the time of the last creation and a second, but at most an eighth of
 * the lifetime. */
static int64_t lead_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t lead = 2 * pool->demand.create_time + 1000 * CLOCK_MS;
    return lead < pool->config.lifetime / 8 ? lead : pool->config.lifetime / 8;
}

/* Closes an idle item after its idle timeout or its lifetime.  If both have
 * passed, the reason is the one that passed first. */
static int expire_locked(struct pool *pool, struct slot *slot, uint64_t word,
                         struct scan *scan) POOL_LOCKED(pool)
{
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    int64_t idle_out = saturating((int64_t)atom_peek(&slot->idle_since),
                                  pool->config.idle_timeout);
    rpool_reason reason = RPOOL_REASON_NONE;
    int may_idle_out =
        pool_surplus(pool) > (slot->ageing ? 0 : pool->counts.ageing);
    if (may_idle_out && scan->now >= idle_out && idle_out <= expires)
        reason = RPOOL_REASON_IDLE;
    else if (scan->now >= expires)
        reason = RPOOL_REASON_LIFETIME;
    else if (may_idle_out)
        at_latest(scan, idle_out);
    if (reason == RPOOL_REASON_NONE) {
        at_latest(scan, expires);
        return 0;
    }

    if (slot_take_idle(slot, word, SLOT_RETURNING))
        rpool__close_slot_locked(pool, slot, reason);
    return 1;
}

/*
 * Replaces an item before its lifetime ends.  Once it is ageing it does not
 * count for min_size, so that a worker creates another one if there is room.
 * If there is no room, the ageing item is closed early, one at a time.
 */
static int replace_ahead_locked(struct pool *pool, struct slot *slot,
                                uint64_t word, struct scan *scan)
    POOL_LOCKED(pool)
{
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    if (expires == CLOCK_NEVER || pool->limits.min_size == 0)
        return 0;
    int64_t ahead = expires - lead_locked(pool);
    if (scan->now < ahead) {
        at_latest(scan, ahead);
        return 0;
    }

    assert(!slot->ageing || pool->counts.ageing > 0);
    if (!slot->ageing) {
        slot->ageing = 1;
        pool->counts.ageing++;
    }
    if (pool->counts.occupied < pool->limits.max_size ||
        pool->counts.creating + pool->counts.closing > 0 ||
        pool_is_failing(pool) || pool_surplus(pool) > 0 ||
        !slot_take_idle(slot, word, SLOT_RETURNING))
        return 0;
    rpool__close_slot_locked(pool, slot, RPOOL_REASON_LIFETIME);
    return 1;
}

/* Requests a keepalive ping.  A worker pings the item if it is still idle then.
 * The workers of a closed pool may be gone. */
static void keep_alive_locked(struct pool *pool, struct slot *slot,
                              struct scan *scan) POOL_LOCKED(pool)
{
    if (pool->config.keepalive == CLOCK_NEVER ||
        atom_load(&pool->gate) & GATE_CLOSED)
        return;
    int64_t due =
        saturating((int64_t)atom_peek(&slot->proven), pool->config.keepalive);
    if (scan->now < due) {
        at_latest(scan, due);
    } else if (list_empty(&slot->node)) {
        list_push_back(&pool->lists.keepalives, &slot->node);
        scan->acted++;
    }
}

/* Has a worker report a lease that lasts too long.  A lease that was claimed a
 * moment ago has no time yet. */
static void note_leak_locked(struct pool *pool, struct slot *slot,
                             uint64_t word, struct scan *scan) POOL_LOCKED(pool)
{
    uint64_t serial = word & SERIAL_MASK;
    if (pool->config.leak_after == CLOCK_NEVER || pool->on_event == NULL ||
        (atom_load(&slot->leak) & SERIAL_MASK) == serial)
        return;
    int64_t since = (int64_t)atom_peek(&slot->leased_since);
    if (since == 0)
        since = scan->now;
    int64_t due = saturating(since, pool->config.leak_after);
    if (scan->now < due || !scan->reports_leaks) {
        at_latest(scan, due);
        return;
    }

    atom_store(&slot->leak, serial | LEAK_QUEUED);
    list_remove(&slot->leak_node);
    list_push_back(&pool->lists.leaks, &slot->leak_node);
    scan->acted++;
}

void rpool__scan_slot_locked(struct pool *pool, struct slot *slot,
                             struct scan *scan)
{
    uint64_t word = atom_load(&slot->word);
    enum slot_state state = word_state(word);
    assert(state < SLOT_STATES);
    if (state == SLOT_EMPTY || state == SLOT_CREATING || state == SLOT_CLOSING)
        return;

    if (state == SLOT_IDLE && expire_locked(pool, slot, word, scan)) {
        scan->acted++;
        return;
    }
    if (replace_ahead_locked(pool, slot, word, scan)) {
        scan->acted++;
        return;
    }
    if (state == SLOT_IDLE)
        keep_alive_locked(pool, slot, scan);
    if (state == SLOT_LEASED)
        note_leak_locked(pool, slot, word, scan);
}

void rpool__arm_slot_locked(struct pool *pool, struct slot *slot)
{
    struct scan scan = {.next = CLOCK_NEVER};
    scan.now = clock_now();
    rpool__scan_slot_locked(pool, slot, &scan);
    rpool__arm_locked(pool, scan.next);
}
