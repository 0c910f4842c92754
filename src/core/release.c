/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a borrower does with a lease: use it, and give it back by release,
 * discard or detach.
 *
 * A release swaps twice and then looks at the gate.  LEASED to RETURNING makes
 * the slot the releasing thread's: if two threads end the same lease, one of
 * them swaps, and the other has read atomic words of the slot and written
 * nothing. Between the two swaps the thread reads the pool's options and stores
 * times, and RETURNING to IDLE gives the slot away.  A lease in use is not
 * ended: that is noted in its word, and the end of the use ends the lease.
 */
#include "callout.h"
#include "entry.h"
#include "handle.h"
#include "misuse.h"
#include "settle.h"
#include "slot.h"

#include "base/quick.h"
#include "quickpath.h"

/* No such pool, or the parent's of a child of fork(). */
static int is_foreign(const struct pool *pool)
{
    return pool == NULL || (atom_load(&pool->gate) & GATE_FORKED) != 0;
}

/* ---- the end of a lease ---- */

/* A lease in use ends with the use.  0: the use was over, and nothing done. */
__attribute__((noinline)) static int
end_in_use(struct pool *pool, struct slot *slot, uint64_t word)
{
    uint64_t number = atom_peek(&slot->number);
    if (!atom_cas(&slot->word, &word, word | SLOT_END_PENDING))
        return 0;
    rpool__misuse(pool, number, "a lease in use was given back");
    return 1;
}

/* Takes the lease from its holder, LEASED to RETURNING: of two who try, one. 0:
 * not leased, or in use and ended by that, and whoever can be told was told. */
static int take_lease(struct pool *pool, struct slot *slot, uint64_t handle)
{
    if (is_foreign(pool))
        return 0;
    uint64_t word = slot == NULL ? 0 : atom_load(&slot->word);
    while (slot != NULL && slot_is_lease(word, handle)) {
        if (word & SLOT_IN_USE) {
            if (end_in_use(pool, slot, word))
                return 0;
            word = atom_load(&slot->word);
        } else if (atom_cas(&slot->word, &word,
                            word_with(word, SLOT_RETURNING))) {
            return 1;
        }
    }
    rpool__misuse(pool, 0, "a lease that is not leased was given back");
    return 0;
}

QUICK_PART int is_used_up(const struct pool *pool, const struct slot *slot)
{
    return atom_peek(&slot->leases) - atom_peek(&slot->first_lease) >=
           pool->config.max_uses;
}

static rpool_reason reason_to_leave(struct pool *pool, const struct slot *slot,
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

/* leased_since is 0 from here on, and idle times count. */
QUICK_PART void stamp_end(struct slot *slot, int64_t now)
{
    atom_put(&slot->leased_since, 0);
    atom_put(&slot->idle_since, (uint64_t)now);
    atom_put(&slot->proven, (uint64_t)now);
}

/* Not 0: the lease was reported as a leak.  A worker that is just reporting it
 * tells also of its end. */
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
    int64_t since = (int64_t)atom_peek(&slot->leased_since);
    stamp_end(slot, now);
    if (pool->on_event == NULL)
        return;
    int64_t ms = (now - since) / CLOCK_MS;
    rpool__emit_slot(pool, slot, type, ms);
    if (pool->config.leak_after != CLOCK_NEVER && end_leak(slot))
        rpool__emit_slot(pool, slot, RPOOL_EVENT_LEAK_RETURNED, ms);
}

/* The slot is IDLE by now, and may be another thread's: the look at the gate,
 * and a look at when the cleaner wakes. */
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

__attribute__((noinline)) static void
dispose(struct pool *pool, struct slot *slot, rpool_reason reason)
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

/* RETURNING to IDLE, or to the queue of disposals.  now: before the first
 * swap. */
__attribute__((noinline)) static void
give_back(struct pool *pool, struct slot *slot, uint64_t handle,
          rpool_reason reason, int64_t now)
{
    int verdict = RPOOL_REUSE;
    if (reason == RPOOL_REASON_NONE && needs_reset(pool, slot)) {
        verdict = rpool__call_reset(pool, slot);
        now = clock_coarse();
    }
    if (reason == RPOOL_REASON_NONE)
        reason = reason_to_leave(pool, slot, verdict, now);
    end_lease(pool, slot, RPOOL_EVENT_RELEASED, now);
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    if (reason == RPOOL_REASON_NONE &&
        slot_make_idle(pool, slot,
                       verdict == RPOOL_CHECK ? SLOT_OWES_ANSWER : 0))
        remember(pool, slot, handle, after_idle(pool, now, expires), now);
    else
        dispose(pool, slot, reason);
}

__attribute__((noinline)) static void end(uint64_t handle, rpool_reason reason,
                                          int64_t now)
{
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (take_lease(pool, slot, handle))
        give_back(pool, slot, handle, reason, now);
}

/* ---- the quick path ---- */

/* The swap is the only test: it fails also if the word has a flag, and so the
 * lease was used, is in use, or its item must leave. */
QUICK_PART int move_own(struct slot *slot, uint64_t handle,
                        enum slot_state from, enum slot_state to)
{
    uint64_t word = (handle & SERIAL_MASK) | from;
    return atom_cas(&slot->word, &word, (handle & SERIAL_MASK) | to);
}

/* The lease is that of the thread's hint.  A child of fork() has no hint of its
 * parent's. */
QUICK_PART void release(uint64_t handle)
{
    int64_t now = clock_coarse(); /* before there is anything to keep */
    struct thread_hint *hint = hint_of_lease(handle);
    if (hint == NULL ||
        !move_own(hint->slot, handle, SLOT_LEASED, SLOT_RETURNING)) {
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
    if (!move_own(slot, handle, SLOT_RETURNING, SLOT_IDLE)) {
        dispose(pool, slot, RPOOL_REASON_NONE);
        return;
    }
    slot_set_hint(pool, slot);
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
    uint64_t word = slot == NULL ? 0 : atom_load(&slot->word);
    while (slot != NULL && slot_is_lease(word, handle)) {
        if (word & SLOT_IN_USE) {
            rpool__misuse(pool, atom_peek(&slot->number),
                          "a lease is used twice at once");
            return RPOOL_BUSY;
        }
        if (atom_cas(&slot->word, &word, word | SLOT_IN_USE | SLOT_USED)) {
            *resource = slot_resource(slot);
            return RPOOL_OK;
        }
    }
    rpool__misuse(pool, 0, "a lease that is not leased was used");
    return RPOOL_INVALID;
}

void rpool_end_use(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (slot == NULL || is_foreign(pool))
        return;
    uint64_t word = atom_load(&slot->word);
    while (word_state(word) == SLOT_LEASED && (word & SLOT_IN_USE) != 0 &&
           (word & SERIAL_MASK) == (handle & SERIAL_MASK)) {
        int ended = (word & SLOT_END_PENDING) != 0;
        uint64_t unused = word & ~(uint64_t)(SLOT_IN_USE | SLOT_END_PENDING);
        if (!atom_cas(&slot->word, &word,
                      ended ? word_with(unused, SLOT_RETURNING) : unused))
            continue;
        if (ended) {
            end_lease(pool, slot, RPOOL_EVENT_RELEASED, clock_coarse());
            dispose(pool, slot, RPOOL_REASON_RESET);
        }
        return;
    }
}

/* ---- what a lease is ---- */

static struct slot *leased_slot(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (slot == NULL || is_foreign(pool))
        return NULL;
    return slot_is_lease(atom_load(&slot->word), handle) ? slot : NULL;
}

/* If the provider says that unused leases are clean, the word notes that the
 * resource was asked for.  The second look is for a handle that another thread
 * ends at that moment: the resource that was read may be the next lease's. */
void *rpool_resource(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct slot *slot = leased_slot(item);
    if (slot == NULL)
        return NULL;
    uint64_t word = atom_load(&slot->word);
    int marks = atom_load(&rpool__pool_of(handle)->rules.tracks_use) != 0;
    while (marks && (word & SLOT_USED) == 0 && slot_is_lease(word, handle))
        if (atom_cas(&slot->word, &word, word | SLOT_USED))
            break;
    void *resource = slot_resource(slot);
    return leased_slot(item) == slot ? resource : NULL;
}

uint64_t rpool_number(const rpool_item *item)
{
    struct slot *slot = leased_slot(item);
    return slot == NULL ? 0 : atom_peek(&slot->number);
}
