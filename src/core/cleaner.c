/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The cleaner sleeps until the next thing is due (alarm.c) or a peer closes its
 * connection.  Then it visits the slots (expiry.c).  It calls neither the
 * provider nor the listener; workers do.
 *
 * A thread that makes an item idle arms the cleaner for all that will be due of
 * it: a release, a creation and a check do.
 */
#include "cleaner.h"
#include "alarm.h"
#include "callout.h"
#include "demand.h"
#include "entry.h"
#include "expiry.h"
#include "jobs.h"
#include "settle.h"
#include "slot.h"
#include "stuck.h"

/* A scan visits all slots.  The next scan comes no sooner than after this time
 * for each 64 slots (40 ms in the largest pool), so that items that fall due
 * one after the other do not cost a scan each. */
#define SPACING (CLOCK_MS / 4)

/* Returns when the next scan is due.  Begins with the highest slots: the lowest
 * ones are leased most often. */
static int64_t scan_slots_locked(struct pool *pool) POOL_LOCKED(pool)
{
    struct scan scan = {.next = CLOCK_NEVER, .reports_leaks = 1};
    scan.now = clock_now();
    uint32_t seen = 0;
    scan.acted += rpool__note_stuck_locked(pool, scan.now, &scan.next);
    for (uint32_t i = (uint32_t)atom_load(&pool->slots.count); i-- > 0;) {
        rpool__scan_slot_locked(pool, pool_slot(pool, i), &scan);
        if (++seen % HOLD_BATCH == 0) {
            lock_drop(&pool->lock);
            lock_take(&pool->lock);
        }
    }

    if (scan.acted > 0 || rpool__need_locked(pool) > 0)
        rpool__settle_locked(pool);
    int64_t soonest = scan.now + SPACING * (seen / HINT_SLOTS);
    return scan.next < soonest ? soonest : scan.next;
}

/* If the token's number is not that of the slot, the connection was destroyed
 * and the slot has another one. */
static void peer_closed_locked(struct pool *pool, uint64_t token)
    POOL_LOCKED(pool)
{
    struct slot *slot = pool_slot(pool, (uint32_t)token & SLOT_MASK);
    assert(slot->index < atom_peek(&pool->slots.count));
    if (token >> SLOT_BITS == atom_peek(&slot->number) &&
        rpool__slot_mark_locked(pool, slot, SLOT_PEER_CLOSED))
        rpool__count_stillborn_locked(pool, slot, slot->reason);
}

static void start_worker_locked(struct pool *pool) POOL_LOCKED(pool)
{
    rpool__unlock_and_notify(pool);
    lock_take(&pool->lock);
}

/* The thread counts as in a callback of the pool until it ends. */
void *rpool__cleaner_run(void *arg) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    struct pool *pool = ((struct pool_thread *)arg)->pool;
    uint64_t tokens[HOLD_BATCH];
    struct callout here;
    rpool__callout_begin(&here, pool);
    thread_begin(pool->name);
    rpool__enter_as_owner(pool);
    thread_self(&pool->threads.cleaner.thread);
    assert(pool->threads.cleaner.running);

    while (!pool->threads.stopping) {
        if (clock_now() >= (int64_t)atom_load(&pool->alarm.wake_at)) {
            atom_store(&pool->alarm.wake_at, (uint64_t)CLOCK_NEVER);
            rpool__arm_locked(pool, scan_slots_locked(pool));
        }
        if (rpool__worker_missing_locked(pool)) {
            start_worker_locked(pool);
            continue;
        }

        pool->threads.cleaner_asleep = 1;
        int64_t until = (int64_t)atom_load(&pool->alarm.wake_at);
        rpool__unlock_and_notify(pool);
        int n = watch_wait(&pool->watch, until, tokens, HOLD_BATCH);
        lock_take(&pool->lock);
        pool->threads.cleaner_asleep = 0;
        for (int i = 0; i < n; i++)
            peer_closed_locked(pool, tokens[i]);
        if (n > 0)
            rpool__settle_locked(pool);
    }

    pool->threads.cleaner.exited = 1;
    pool->threads.running--;
    cond_wake_all(&pool->state_changed);
    rpool__leave(pool);
    return NULL;
}
