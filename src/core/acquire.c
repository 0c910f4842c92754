/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Acquire.  The quick path is one swap between two looks at the gate, on the
 * slot of the thread's hint, and without that on the fittest one.  If anything
 * stands in the way, the mutex is taken, rpool__settle_locked finds out what,
 * and the caller goes through the line.
 */
#include "callout.h"
#include "entry.h"
#include "expiry.h"
#include "explain.h"
#include "failure.h"
#include "handle.h"
#include "jobs.h"
#include "search.h"
#include "settle.h"
#include "wait.h"

#include "base/quick.h"
#include "quickpath.h"

/* How long a borrower waits for the answer to its own ping before it leaves
 * that to a worker and stands in line. */
#define PATIENCE (20 * CLOCK_MS)

/* How a borrower tries to get an item, the cheapest way first. */
enum stage {
    STAGE_LOOK,  /* an answer that is owed is read if it is here already */
    STAGE_PING,  /* an item is pinged */
    STAGE_AWAIT, /* an answer that is owed is waited for */
    STAGE_READY  /* one was slow or dead: only a ready item will do */
};
static const unsigned accepted[] = {
    [STAGE_LOOK] = ACCEPT_READY | ACCEPT(FIT_ANSWER),
    [STAGE_PING] = ACCEPT_READY | ACCEPT(FIT_PING),
    [STAGE_AWAIT] = ACCEPT_ALL,
};

struct request {
    uint64_t handle;
    uint64_t ticket; /* 0: not in line yet */
    enum stage stage;
    uint32_t from; /* STAGE_LOOK: the next slot whose answer is looked for */
    int looks;     /* items that were looked at in vain; at most MOST_LOOKS */
    int wait;
    int in_callout; /* of this pool: the caller may not wait in the queue */
    int queued;     /* it has taken one */
    int64_t began, deadline;
};
static const rpool_site nowhere;

/* The last of an acquire: the item is the caller's.  leased_since is 0 until
 * here, so that the cleaner never counts the idle time before. */
QUICK_PART void acquire_finish(struct pool *pool, struct slot *slot,
                               int64_t now, const rpool_site *site)
{
    atom_put(&slot->file, (uintptr_t)site->file);
    atom_put(&slot->func, (uintptr_t)site->func);
    atom_put(&slot->line, (uint64_t)site->line);
    atom_put(&slot->leases, atom_peek(&slot->leases) + 1);
    atom_put(&slot->leased_since, (uint64_t)now);
    if (pool->config.leak_after <
        (int64_t)atom_load(&pool->alarm.wake_at) - now)
        rpool__arm_slowly(pool, now + pool->config.leak_after);
}

static rpool_item *acquire_finish_and_emit(struct pool *pool, struct slot *slot,
                                           uint64_t word, int64_t now,
                                           const rpool_site *site,
                                           int64_t waited)
{
    acquire_finish(pool, slot, now, site);
    rpool__emit_slot(pool, slot, RPOOL_EVENT_ACQUIRED, waited / CLOCK_MS);
    return (rpool_item *)(uintptr_t)slot_handle(pool, slot, word);
}

/* A claimed item that may not be kept after all. */
static void put_back_locked(struct pool *pool, struct slot *slot,
                            uint64_t flags) POOL_LOCKED(pool)
{
    rpool__keep_or_reject_locked(pool, slot, flags);
    rpool__settle_locked(pool);
    rpool__arm_slot_locked(pool, slot);
    rpool__wake_workers_locked(pool); /* for what is due of it at once */
}

/* Without waiting: newcomers do not overtake a line.  If every idle item needs
 * a ping, which a try may not wait for, a worker pings one; that counts for the
 * next lease, so that the next attempt succeeds, however late it comes. */
static rpool_status take_now_locked(struct pool *pool, struct request *r,
                                    struct slot **slot) POOL_LOCKED(pool)
{
    rpool__settle_locked(pool);
    int64_t now = clock_coarse();
    if ((atom_load(&pool->gate) & (GATE_SUSPENDED | GATE_QUEUE)) == 0) {
        if (r->looks < MOST_LOOKS &&
            rpool__claim(pool, now, accepted[STAGE_LOOK], r->from, slot) != 0)
            return RPOOL_OK;
        struct slot *suspect = rpool__find(pool, now, ACCEPT(FIT_PING), 0, 1);
        if (suspect != NULL)
            rpool__slot_request_check_locked(pool, suspect);
    }
    pool->demand.create_requested =
        pool->counts.occupied < pool->limits.max_size;
    rpool__wake_workers_locked(pool);
    return RPOOL_BUSY;
}

/* The fittest idle item, or a place in the line.  A waiter may be granted an
 * item whose answer is on its way: it waits for that answer. */
static rpool_status take_or_wait_locked(struct pool *pool, struct request *r,
                                        struct slot **slot) POOL_LOCKED(pool)
{
    int64_t now = clock_coarse();
    while (r->stage < STAGE_READY &&
           atom_load(&pool->gate) == gate_open(r->handle)) {
        if (r->looks < MOST_LOOKS &&
            rpool__claim(pool, now, accepted[r->stage], r->from, slot) != 0)
            return RPOOL_OK;
        if (r->stage == STAGE_AWAIT)
            break;
        r->stage++;
        r->from = 0;
        r->looks = 0;
    }
    if (r->stage < STAGE_READY)
        r->stage = STAGE_AWAIT;
    if (r->in_callout)
        return RPOOL_BUSY;
    rpool_status status = rpool__wait_locked(
        pool, &r->ticket, r->stage == STAGE_READY, r->deadline, slot);
    r->queued |= status != RPOOL_BUSY;
    return status;
}

/* CHECKING to LEASED, unless a reason to leave came in. */
static void lease_or_close_locked(struct pool *pool, struct slot **slot)
    POOL_LOCKED(pool)
{
    if (rpool__slot_make_leased(*slot))
        return;
    rpool__reject_locked(pool, *slot, RPOOL_REASON_NONE);
    rpool__settle_locked(pool);
    *slot = NULL;
}

static void close_bad_locked(struct pool *pool, struct slot **slot)
    POOL_LOCKED(pool)
{
    rpool__reject_locked(pool, *slot, RPOOL_REASON_CHECK);
    rpool__settle_locked(pool);
    *slot = NULL;
}

/* The answer that the item owed was here.  If that answer is so old that it
 * proves nothing of now, the item needs a ping too.  A try leaves the ping to a
 * worker. */
static void answered_locked(struct pool *pool, const struct request *r,
                            struct slot **slot) POOL_LOCKED(pool)
{
    uint64_t word = slot_clear_answer(*slot);
    if (slot_fitness(pool, *slot, word, clock_coarse()) != FIT_PING) {
        lease_or_close_locked(pool, slot);
    } else if (!r->wait) {
        put_back_locked(pool, *slot, 0);
        *slot = NULL;
    }
}

/* Reads what has arrived for an item that is CHECKING and the caller's; drops
 * the mutex meanwhile.  If the item's answer has not arrived, the caller goes
 * on to the next item. */
static void look_locked(struct pool *pool, struct request *r,
                        struct slot **slot) POOL_LOCKED(pool)
{
    rpool__unlock_and_notify(pool);
    int verdict = rpool__call_look(pool, *slot);
    lock_take(&pool->lock);
    if (verdict == RPOOL_GOOD) {
        answered_locked(pool, r, slot);
    } else if (verdict == RPOOL_AGAIN) {
        r->from = (*slot)->index + 1;
        r->looks++;
        put_back_locked(pool, *slot, SLOT_OWES_ANSWER);
        *slot = NULL;
    } else {
        close_bad_locked(pool, slot);
    }
}

/* Waits for an answer of an item that is CHECKING and the caller's, until the
 * caller's patience ends; drops the mutex meanwhile.  After a slow or a failed
 * ping the caller stands in line, and a worker goes on with the slow one. */
static rpool_status ping_locked(struct pool *pool, struct request *r,
                                struct slot **slot) POOL_LOCKED(pool)
{
    int64_t until = clock_after(clock_now(), PATIENCE / CLOCK_MS);
    if (until > r->deadline || r->in_callout ||
        rpool__workers_refused_locked(pool))
        until = r->deadline;
    rpool__unlock_and_notify(pool);
    int verdict = rpool__call_check(pool, *slot, until);
    lock_take(&pool->lock);
    if (verdict == RPOOL_GOOD) {
        lease_or_close_locked(pool, slot);
        return RPOOL_OK;
    }
    r->stage = STAGE_READY;
    if (verdict != RPOOL_AGAIN) {
        close_bad_locked(pool, slot);
        return RPOOL_OK;
    }
    int late = until == r->deadline;
    if (late)
        put_back_locked(pool, *slot, SLOT_OWES_ANSWER);
    else
        rpool__slot_hand_over_locked(pool, *slot);
    rpool__settle_locked(pool);
    *slot = NULL;
    return late ? RPOOL_TIMEOUT : RPOOL_OK;
}

static rpool_status prove_locked(struct pool *pool, struct request *r,
                                 struct slot **slot) POOL_LOCKED(pool)
{
    enum fitness fitness =
        slot_fitness(pool, *slot, atom_load(&(*slot)->word), clock_coarse());
    int owes = fitness == FIT_ANSWER && r->stage >= STAGE_AWAIT;
    if (r->wait && (fitness == FIT_PING || owes))
        return ping_locked(pool, r, slot);
    if (fitness == FIT_PING) {
        put_back_locked(pool, *slot, 0);
        *slot = NULL;
    } else {
        look_locked(pool, r, slot);
    }
    return RPOOL_OK;
}

/* The caller goes before all callers that came while its item was checked. */
static void keep_place(struct request *r)
{
    if (r->ticket == 0)
        r->ticket = 1;
}

/* One step towards an item that is LEASED to us: from none to one, or from
 * CHECKING to LEASED or none. */
static rpool_status step_locked(struct pool *pool, struct request *r,
                                struct slot **slot) POOL_LOCKED(pool)
{
    if (*slot != NULL) {
        keep_place(r);
        return prove_locked(pool, r, slot);
    }
    return r->wait ? take_or_wait_locked(pool, r, slot)
                   : take_now_locked(pool, r, slot);
}

static void give_up_locked(struct pool *pool, struct slot **slot)
    POOL_LOCKED(pool)
{
    if (*slot != NULL)
        put_back_locked(pool, *slot,
                        atom_load(&(*slot)->word) & SLOT_OWES_ANSWER);
    *slot = NULL;
}

/* Until an item is LEASED to us, or there is a reason why not.  *slot: what the
 * quick path claimed, if there was no obstacle then. */
static rpool_status obtain_locked(struct pool *pool, struct request *r,
                                  struct slot **slot) POOL_LOCKED(pool)
{
    if (atom_load(&pool->gate) != gate_open(r->handle))
        give_up_locked(pool, slot);
    if (atom_load(&pool->gate) & GATE_CLOSED)
        rpool__settle_locked(pool); /* the search may have hidden an item */
    for (;;) {
        rpool_status status = RPOOL_CLOSED;
        if ((atom_load(&pool->gate) & GATE_CLOSED) == 0) {
            if (*slot != NULL &&
                word_state(atom_load(&(*slot)->word)) == SLOT_LEASED)
                return RPOOL_OK;
            status = step_locked(pool, r, slot);
        }
        if (status != RPOOL_OK) {
            give_up_locked(pool, slot);
            return status;
        }
    }
}

static void count_locked(struct pool *pool, const struct request *r,
                         rpool_status status, int64_t waited) POOL_LOCKED(pool)
{
    if (r->queued)
        pool->stats.waited++;
    pool->stats.wait_us += (uint64_t)(waited / 1000);
    if (status == RPOOL_TIMEOUT)
        pool->stats.timed_out++;
    else if (status == RPOOL_BUSY && r->wait)
        pool->stats.refused++;
}

static void report(struct pool *pool, const struct request *r,
                   rpool_status status, int64_t waited, rpool_failure *why)
{
    if (r->in_callout && status == RPOOL_BUSY) {
        (void)rpool__fail(why, status, "%s", rpool__in_callout_text);
        return;
    }
    rpool__explain(pool, why, status, r->wait ? waited / CLOCK_MS : -1);
    if (status == RPOOL_TIMEOUT || (status == RPOOL_BUSY && r->wait))
        rpool__emit(pool, &(rpool_event){.type = status == RPOOL_TIMEOUT
                                                     ? RPOOL_EVENT_TIMED_OUT
                                                     : RPOOL_EVENT_REFUSED,
                                         .ms = waited / CLOCK_MS});
}

/* The shell became another pool's between two steps of the quick path: the
 * claim took an item of that one, or the search hid one for a moment. */
static void settle_stray(struct pool *pool, struct slot *slot)
{
    if (pool == NULL || atom_load(&pool->gate) & GATE_FORKED)
        return;
    if (slot == NULL) {
        rpool__settle(pool);
        return;
    }
    rpool__enter_as_owner(pool);
    put_back_locked(pool, slot, atom_load(&slot->word) & SLOT_OWES_ANSWER);
    rpool__leave_and_drain(pool);
}

/* slot: what the quick path claimed and must be looked at again, or NULL. */
__attribute__((noinline)) static rpool_status
acquire_slowly(uint64_t handle, int timeout_ms, struct slot *slot,
               rpool_item **item, rpool_failure *why, const rpool_site *site)
{
    struct request r = {.handle = handle, .wait = timeout_ms != 0};
    struct pool *pool = rpool__pool_of(handle);
    r.in_callout = r.wait && rpool__in_callout(pool);
    if (!rpool__enter(pool, handle)) {
        settle_stray(pool, slot);
        return rpool__refusal(pool, why);
    }
    r.began = clock_now();
    r.deadline = r.wait ? clock_after(r.began, timeout_ms) : 0;
    rpool_status status = obtain_locked(pool, &r, &slot);
    int64_t waited = clock_now() - r.began;
    count_locked(pool, &r, status, waited);
    if (status != RPOOL_OK) {
        rpool__unlock_and_notify(pool);
        report(pool, &r, status, waited, why);
        lock_take(&pool->lock);
    }
    rpool__leave_and_drain(pool);
    if (status == RPOOL_OK)
        *item = acquire_finish_and_emit(pool, slot, atom_load(&slot->word),
                                        clock_coarse(), site, waited);
    return status;
}

/* ---- the quick path ---- */

__attribute__((noinline)) static void emit_acquired(struct pool *pool,
                                                    const struct slot *slot)
{
    rpool__emit_slot(pool, slot, RPOOL_EVENT_ACQUIRED, 0);
}

/* The item of this thread's hint, or NULL.  now: read first, before there is
 * anything to keep over the call. */
QUICK_PART rpool_item *acquire_own(uint64_t handle, int64_t now,
                                   const rpool_site *site)
{
    struct thread_hint *hint = hint_of_pool(handle);
    if (hint == NULL || handle == 0 || now - hint->time > HINT_LASTS)
        return NULL;
    struct pool *pool = hint->pool;
    if (atom_load(&pool->gate) != gate_open(handle))
        return NULL;

    struct slot *slot = hint->slot;
    uint64_t word = slot_claim(pool, slot, now, ACCEPT(FIT_NOW));
    if (word == 0)
        return NULL;
    if (atom_load(&pool->gate) != gate_open(handle)) {
        settle_stray(pool, slot);
        return NULL;
    }
    acquire_finish(pool, slot, now, site);
    uint64_t lease = (word & SERIAL_MASK) | (hint->lease & ~SERIAL_MASK);
    hint->lease = lease;
    if (pool->on_event != NULL)
        emit_acquired(pool,
                      slot); /* it may call the pool, and change the hint */
    return (rpool_item *)(uintptr_t)lease;
}

/* Any idle item, and if there is none, the long way. */
__attribute__((noinline)) static rpool_status
acquire_any(uint64_t handle, int timeout_ms, rpool_item **item,
            rpool_failure *why, const rpool_site *site)
{
    struct pool *pool = rpool__pool_of(handle);
    struct slot *slot = NULL;
    *item = NULL;
    if (pool != NULL && atom_load(&pool->gate) == gate_open(handle)) {
        int64_t now = clock_coarse();
        uint64_t word = rpool__claim(
            pool, now, timeout_ms == 0 ? accepted[STAGE_LOOK] : ACCEPT_ALL, 0,
            &slot);
        if (word_state(word) == SLOT_LEASED &&
            atom_load(&pool->gate) == gate_open(handle)) {
            *item = acquire_finish_and_emit(pool, slot, word, now, site, 0);
            return RPOOL_OK;
        }
    }
    return acquire_slowly(handle, timeout_ms, slot, item, why, site);
}

QUICK rpool_item *rpool__acquire_own(rpool *pool, const rpool_site *site)
{
    return acquire_own((uintptr_t)pool, clock_coarse(), site);
}

QUICK rpool_status rpool_acquire_at(rpool *pool, int timeout_ms,
                                    rpool_item **item, rpool_failure *why,
                                    const rpool_site *site)
{
    uint64_t handle = (uintptr_t)pool;
    if (item == NULL)
        return rpool__fail(why, RPOOL_INVALID, "no place for the item");
    if (site == NULL)
        site = &nowhere;
    rpool_item *own = acquire_own(handle, clock_coarse(), site);
    if (own == NULL)
        return acquire_any(handle, timeout_ms, item, why, site);
    *item = own;
    return RPOOL_OK;
}
