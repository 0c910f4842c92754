/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a borrower does with a lease: use it, and end it by release, discard or
 * detach.
 *
 * A release makes two transitions.  LEASED to RETURNING makes the slot the
 * releasing thread's: if two threads end the same lease, one of them succeeds,
 * and the other has only read atomic words.  Between the two the thread resets
 * the item if needed and stores times.  RETURNING to IDLE gives the slot away.
 * Then the thread reads the gate, and settles if there is an obstacle
 * (settle.c).
 *
 * If a call of the borrower is running, the end of the lease waits for it.
 */
#include "callout.h"
#include "entry.h"
#include "handle.h"
#include "misuse.h"
#include "settle.h"
#include "slot.h"

#include "base/quick.h"
#include "quickpath.h"

/* Returns whether there is no such pool, or it is the parent's and this is a
 * child of fork(). */
static int is_foreign(const struct pool *pool)
{
    return pool == NULL || (atom_load(&pool->gate) & GATE_FORKED) != 0;
}

/* ---- the end of a lease ---- */

/* Ends the lease and returns 1: the slot is RETURNING, and the caller's.
 * Otherwise returns 0, after MISUSE was emitted if there is a pool. */
static int take_lease(struct pool *pool, struct slot *slot, uint64_t handle)
{
    if (is_foreign(pool))
        return 0;
    uint64_t number = 0;
    enum lease lease =
        slot == NULL ? LEASE_INVALID : slot_end_lease(slot, handle, &number);
    if (lease == LEASE_IN_USE)
        rpool__misuse(pool, number, "a lease was released during a call on it");
    if (lease == LEASE_INVALID)
        rpool__misuse(pool, 0,
                      "an invalid handle was released (already released?)");
    return lease == LEASE_OK;
}

QUICK_PART int is_used_up(const struct pool *pool, const struct slot *slot)
{
    return atom_peek(&slot->leases) - atom_peek(&slot->first_lease) >=
           pool->config.max_uses;
}

/* Returns why the item cannot be leased again, or RPOOL_REASON_NONE. */
static rpool_reason reason_to_close(struct pool *pool, const struct slot *slot,
                                    int verdict, int64_t now)
{
    if (verdict == RPOOL_DISCARD)
        return RPOOL_REASON_RESET;
    if (now >= (int64_t)atom_peek(&slot->expires))
        return RPOOL_REASON_LIFETIME;
    if (is_used_up(pool, slot))
        return RPOOL_REASON_USES;
    return RPOOL_REASON_NONE;
}

/* The idle time starts. */
QUICK_PART void stamp_end(struct slot *slot, int64_t now)
{
    atom_put(&slot->leased_since, 0);
    atom_put(&slot->idle_since, (uint64_t)now);
    atom_put(&slot->proven, (uint64_t)now);
}

/* Returns whether the lease was reported as a leak, so that LEAK_RETURNED must
 * be emitted.  If a worker is still reporting it, that worker emits both. */
static int end_leak(struct slot *slot)
{
    uint64_t leak = atom_load(&slot->leak);
    uint64_t serial = atom_load(&slot->word) & SERIAL_MASK;
    if (leak == (serial | LEAK_REPORTING) &&
        atom_cas(&slot->leak, &leak, serial | LEAK_ENDED))
        return 0;
    return leak == (serial | LEAK_REPORTED);
}

static void end_lease(struct pool *pool, struct slot *slot,
                      rpool_event_type type, int64_t now)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_RETURNING);
    int64_t since = (int64_t)atom_peek(&slot->leased_since);
    stamp_end(slot, now);
    if (pool->on_event == NULL)
        return;

    int64_t ms = (now - since) / CLOCK_MS;
    rpool__emit_slot(pool, slot, type, ms);
    if (pool->config.leak_after != CLOCK_NEVER && end_leak(slot))
        rpool__emit_slot(pool, slot, RPOOL_EVENT_LEAK_RETURNED, ms);
}

/* The slot is IDLE, and may be another thread's by now.  Settles if the gate
 * has an obstacle, and arms the cleaner for what will be due of the item. */
QUICK_PART uint64_t after_idle(struct pool *pool, int64_t now, int64_t expires)
{
    uint64_t gate = atom_load(&pool->gate);
    if ((gate & CELL_MASK) != 0)
        rpool__settle(pool);
    int64_t due = expires - now;
    if ((int64_t)atom_load(&pool->alarm.idle_due) < due)
        due = (int64_t)atom_load(&pool->alarm.idle_due);
    if (due < (int64_t)atom_load(&pool->alarm.wake_at) - now)
        rpool__arm_slowly(pool, now + due);
    return gate;
}

/* The thread's next acquire of this pool begins with this slot. */
static void remember(struct pool *pool, struct slot *slot, uint64_t handle,
                     uint64_t gate, int64_t now)
{
    uint64_t key = gate_open(gate) | (uint64_t)pool->cell;
    *hint_for(key) = (struct thread_hint){
        .key = key, .lease = handle, .pool = pool, .slot = slot, .time = now};
}

/* The reason RPOOL_REASON_NONE stands for that of the flags in the word. */
__attribute__((noinline)) static void
close_item(struct pool *pool, struct slot *slot, rpool_reason reason)
{
    rpool__enter_as_owner(pool);
    if (reason == RPOOL_REASON_NONE)
        reason = rpool__flag_reason(atom_load(&slot->word));
    rpool__close_slot_locked(pool, slot, reason);
    rpool__settle_locked(pool);
    rpool__leave_and_drain(pool);
}

static int needs_reset(const struct pool *pool, const struct slot *slot)
{
    if (pool->provider.reset == NULL)
        return 0;
    return (atom_load(&slot->word) & SLOT_USED) != 0 ||
           !atom_peek(&pool->rules.tracks_use);
}

/* RETURNING to IDLE, or to CLOSING.  `now` was read before the lease ended. */
__attribute__((noinline)) static void
give_back(struct pool *pool, struct slot *slot, uint64_t handle,
          rpool_reason reason, int64_t now)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_RETURNING);
    int verdict = RPOOL_REUSE;
    if (reason == RPOOL_REASON_NONE && needs_reset(pool, slot)) {
        verdict = rpool__call_reset(pool, slot);
        now = clock_coarse();
    }
    if (reason == RPOOL_REASON_NONE)
        reason = reason_to_close(pool, slot, verdict, now);
    end_lease(pool, slot, RPOOL_EVENT_RELEASED, now);

    int64_t expires = (int64_t)atom_peek(&slot->expires);
    if (reason == RPOOL_REASON_NONE &&
        slot_make_idle(slot, verdict == RPOOL_CHECK ? SLOT_OWES_ANSWER : 0))
        remember(pool, slot, handle, after_idle(pool, now, expires), now);
    else
        close_item(pool, slot, reason);
}

__attribute__((noinline)) static void end(uint64_t handle, rpool_reason reason,
                                          int64_t now)
{
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (take_lease(pool, slot, handle))
        give_back(pool, slot, handle, reason, now);
}

/* ---- the lock-free path ---- */

/* Releases the lease of the thread's hint; if it is another, looks the handle
 * up.  A child of fork() has no hint of its parent's.  The clock is read first,
 * before there is anything to keep over that call. */
QUICK_PART void release(uint64_t handle)
{
    int64_t now = clock_coarse();
    struct thread_hint *hint = hint_of_lease(handle);
    if (hint == NULL ||
        !slot_move(hint->slot, handle, SLOT_LEASED, SLOT_RETURNING)) {
        end(handle, RPOOL_REASON_NONE, now);
        return;
    }

    struct pool *pool = hint->pool;
    struct slot *slot = hint->slot;
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    if (!pool->release_is_trivial || now >= expires || is_used_up(pool, slot)) {
        give_back(pool, slot, handle, RPOOL_REASON_NONE, now);
        return;
    }

    stamp_end(slot, now);
    if (!slot_move(slot, handle, SLOT_RETURNING, SLOT_IDLE)) {
        close_item(pool, slot, RPOOL_REASON_NONE);
        return;
    }
    slot_set_hint(slot);
    hint->time = now;
    (void)after_idle(pool, now, expires);
}

QUICK void rpool__release(rpool_item *item)
{
    if (item != NULL)
        release((uintptr_t)item);
}

QUICK void rpool_release(rpool_item **item)
{
    if (item == NULL || *item == NULL)
        return;
    uint64_t handle = (uintptr_t)*item;
    *item = NULL;
    release(handle);
}

void rpool_discard(rpool_item **item)
{
    if (item == NULL || *item == NULL)
        return;
    uint64_t handle = (uintptr_t)*item;
    *item = NULL;
    end(handle, RPOOL_REASON_DISCARD, clock_coarse());
}

void *rpool_detach(rpool_item **item)
{
    if (item == NULL || *item == NULL)
        return NULL;
    uint64_t handle = (uintptr_t)*item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    *item = NULL;
    if (!take_lease(pool, slot, handle))
        return NULL;

    void *resource = slot_resource(slot);
    rpool__unwatch(pool, slot);
    end_lease(pool, slot, RPOOL_EVENT_DETACHED, clock_coarse());
    rpool__enter_as_owner(pool);
    pool->stats.detached++;
    rpool__slot_empty_locked(pool, slot);
    rpool__settle_locked(pool);
    rpool__leave_and_drain(pool);
    return resource;
}

/* ---- a lease in use ---- */

rpool_status rpool_begin_use(const rpool_item *item, void **resource)
{
    uint64_t handle = (uintptr_t)item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (resource == NULL || pool == NULL)
        return RPOOL_INVALID;
    if (is_foreign(pool))
        return RPOOL_FORKED;

    enum lease lease =
        slot == NULL ? LEASE_INVALID : slot_begin_use(slot, handle);
    if (lease == LEASE_OK) {
        *resource = slot_resource(slot);
        return RPOOL_OK;
    }
    if (lease == LEASE_IN_USE) {
        rpool__misuse(pool, atom_peek(&slot->number),
                      "a lease is used twice at once");
        return RPOOL_BUSY;
    }
    rpool__misuse(pool, 0, "an invalid handle was used (already released?)");
    return RPOOL_INVALID;
}

void rpool_end_use(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (slot == NULL || is_foreign(pool))
        return;
    if (slot_end_use(slot, handle)) {
        end_lease(pool, slot, RPOOL_EVENT_RELEASED, clock_coarse());
        close_item(pool, slot, RPOOL_REASON_RESET);
    }
}

/* ---- what a handle means ---- */

/* Returns the slot if the handle is a lease. */
static struct slot *leased_slot(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (slot == NULL || is_foreign(pool))
        return NULL;
    return slot_is_lease(atom_load(&slot->word), handle) ? slot : NULL;
}

/* If another thread ends the lease at this moment, the resource that was read
 * may be that of the next lease.  Therefore the handle is tested again. */
void *rpool_resource(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct slot *slot = leased_slot(item);
    if (slot == NULL)
        return NULL;
    if (atom_load(&rpool__pool_of(handle)->rules.tracks_use) != 0)
        slot_mark_used(slot, handle);
    void *resource = slot_resource(slot);
    return leased_slot(item) == slot ? resource : NULL;
}

uint64_t rpool_number(const rpool_item *item)
{
    struct slot *slot = leased_slot(item);
    return slot == NULL ? 0 : atom_peek(&slot->number);
}
