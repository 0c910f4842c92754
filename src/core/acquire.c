/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Acquire.
 *
 * The lock-free path reads the gate, claims an idle slot, and reads the gate
 * again.  It first tries the slot of the thread's hint, then the fittest idle
 * one.  If the gate has an obstacle or no idle item is ready, the thread enters
 * the pool and goes through the loop in obtain_locked().
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

/* How long a caller waits for the answer to its own ping.  Then it leaves the
 * item to a worker and waits in the queue. */
#define PATIENCE (20 * CLOCK_MS)

/* Which idle items a caller that may wait claims, the cheapest first. */
enum stage {
    STAGE_LOOK,  /* ready items, and those whose answer may be here already */
    STAGE_PING,  /* also items that need a ping */
    STAGE_AWAIT, /* also items whose answer is still on its way */
    STAGE_READY  /* a ping was slow or failed: waits for a ready item */
};
static const unsigned accepted[] = {
    [STAGE_LOOK] = ACCEPT_READY | ACCEPT(FIT_ANSWER),
    [STAGE_PING] = ACCEPT_READY | ACCEPT(FIT_PING),
    [STAGE_AWAIT] = ACCEPT_ALL,
};

/* One acquire on its way through the pool. */
struct request {
    uint64_t handle;   /* of the pool */
    struct slot *slot; /* claimed, LEASED or CHECKING; or NULL */
    uint64_t ticket;   /* 0: the caller has not been in the queue */
    enum stage stage;
    uint32_t from;  /* STAGE_LOOK: the slot to go on with */
    int looks;      /* items that were looked at in vain; at most MOST_LOOKS */
    int wait;       /* the timeout is not 0 */
    int in_callout; /* of this pool: the caller may not wait in the queue */
    int queued;     /* the caller has waited in the queue */
    int64_t began, deadline;
};
static const rpool_site nowhere;

/* ---- the item is the caller's ---- */

/* Stores the times of the lease.  Until then leased_since is 0, so that the
 * cleaner does not take the idle time for a lease. */
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
    assert(word_state(word) == SLOT_LEASED);
    acquire_finish(pool, slot, now, site);
    rpool__emit_slot(pool, slot, RPOOL_EVENT_ACQUIRED, waited / CLOCK_MS);
    return (rpool_item *)(uintptr_t)slot_handle(pool, slot, word);
}

/* ---- the claimed slot ---- */

/* Gives the claimed item back, with these flags.  Something may be due of it at
 * once; the workers are woken for that. */
static void put_back_locked(struct pool *pool, struct slot *slot,
                            uint64_t flags) POOL_LOCKED(pool)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_LEASED ||
           word_state(atom_peek(&slot->word)) == SLOT_CHECKING);
    rpool__keep_or_reject_locked(pool, slot, flags);
    rpool__settle_locked(pool);
    rpool__arm_slot_locked(pool, slot);
    rpool__wake_workers_locked(pool);
}

/* An item that owes an answer goes on owing it. */
static void give_up_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    if (r->slot != NULL)
        put_back_locked(pool, r->slot,
                        atom_load(&r->slot->word) & SLOT_OWES_ANSWER);
    r->slot = NULL;
}

static void close_bad_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    assert(word_state(atom_peek(&r->slot->word)) == SLOT_CHECKING);
    rpool__reject_locked(pool, r->slot, RPOOL_REASON_CHECK);
    rpool__settle_locked(pool);
    r->slot = NULL;
}

/* CHECKING to LEASED, unless the item must be closed. */
static void lease_or_close_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    if (rpool__slot_make_leased(r->slot))
        return;
    rpool__reject_locked(pool, r->slot, RPOOL_REASON_NONE);
    rpool__settle_locked(pool);
    r->slot = NULL;
}

/* ---- without an item: claim one, or wait ---- */

/*
 * A try-acquire does not go before waiters.  If every idle item needs a ping,
 * for which a try-acquire may not wait, a worker pings one.  The ping counts
 * for the next lease of the item, so that the next attempt succeeds however
 * late it comes.
 */
static rpool_status claim_now_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    assert(r->slot == NULL && !r->wait);
    rpool__settle_locked(pool);
    int64_t now = clock_coarse();
    if ((atom_load(&pool->gate) & (GATE_SUSPENDED | GATE_QUEUE)) == 0) {
        if (r->looks < MOST_LOOKS &&
            rpool__claim(pool, now, accepted[STAGE_LOOK], r->from, &r->slot) !=
                0)
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

/* Claims the fittest idle item, stage by stage, or waits in the queue.  A
 * waiter may be granted an item whose answer is on its way, and waits for that
 * answer. */
static rpool_status claim_or_wait_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    assert(r->slot == NULL && r->wait);
    int64_t now = clock_coarse();
    while (r->stage < STAGE_READY &&
           atom_load(&pool->gate) == gate_open(r->handle)) {
        if (r->looks < MOST_LOOKS &&
            rpool__claim(pool, now, accepted[r->stage], r->from, &r->slot) != 0)
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
        pool, &r->ticket, r->stage == STAGE_READY, r->deadline, &r->slot);
    r->queued |= status != RPOOL_BUSY;
    return status;
}

/* ---- with an item that is CHECKING ---- */

/* The answer that the item owed was good.  If it is so old that the item needs
 * a ping too, a try-acquire leaves the ping to a worker. */
static void answered_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    uint64_t word = slot_clear_answer(r->slot);
    if (slot_fitness(pool, r->slot, word, clock_coarse()) != FIT_PING) {
        lease_or_close_locked(pool, r);
    } else if (!r->wait) {
        put_back_locked(pool, r->slot, 0);
        r->slot = NULL;
    }
}

/* Reads what has arrived for the item; drops the mutex meanwhile.  If the
 * answer has not arrived, the caller goes on to the next item. */
static void look_locked(struct pool *pool, struct request *r) POOL_LOCKED(pool)
{
    rpool__unlock_and_notify(pool);
    int verdict = rpool__call_look(pool, r->slot);
    lock_take(&pool->lock);

    if (verdict == RPOOL_GOOD) {
        answered_locked(pool, r);
    } else if (verdict == RPOOL_AGAIN) {
        r->from = r->slot->index + 1;
        r->looks++;
        put_back_locked(pool, r->slot, SLOT_OWES_ANSWER);
        r->slot = NULL;
    } else {
        close_bad_locked(pool, r);
    }
}

/* Pings the item and waits for its answer until the caller's patience ends;
 * drops the mutex meanwhile.  After a slow or a failed ping the caller waits in
 * the queue, and a worker goes on with the slow one. */
static rpool_status ping_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    assert(r->wait);
    int64_t until = clock_after(clock_now(), PATIENCE / CLOCK_MS);
    if (until > r->deadline || r->in_callout ||
        rpool__workers_refused_locked(pool))
        until = r->deadline;
    rpool__unlock_and_notify(pool);
    int verdict = rpool__call_check(pool, r->slot, until);
    lock_take(&pool->lock);

    if (verdict == RPOOL_GOOD) {
        lease_or_close_locked(pool, r);
        return RPOOL_OK;
    }
    r->stage = STAGE_READY;
    if (verdict != RPOOL_AGAIN) {
        close_bad_locked(pool, r);
        return RPOOL_OK;
    }

    int late = until == r->deadline;
    if (late) {
        put_back_locked(pool, r->slot, SLOT_OWES_ANSWER);
    } else {
        rpool__slot_hand_over_locked(pool, r->slot);
        rpool__settle_locked(pool);
    }
    r->slot = NULL;
    return late ? RPOOL_TIMEOUT : RPOOL_OK;
}

/* ---- the loop ---- */

enum step {
    STEP_REFUSE,
    STEP_CLAIM,
    STEP_PUT_BACK,
    STEP_LOOK,
    STEP_PING,
    STEP_DONE
};

/* Returns the next step of an acquire. */
static enum step next_step_locked(const struct pool *pool,
                                  const struct request *r) POOL_LOCKED(pool)
{
    if (atom_load(&pool->gate) & GATE_CLOSED)
        return STEP_REFUSE;
    if (r->slot == NULL)
        return STEP_CLAIM;
    uint64_t word = atom_load(&r->slot->word);
    if (word_state(word) == SLOT_LEASED)
        return STEP_DONE;

    assert(word_state(word) == SLOT_CHECKING);
    enum fitness fitness = slot_fitness(pool, r->slot, word, clock_coarse());
    int owes = fitness == FIT_ANSWER && r->stage >= STAGE_AWAIT;
    if (r->wait && (fitness == FIT_PING || owes))
        return STEP_PING;
    return fitness == FIT_PING ? STEP_PUT_BACK : STEP_LOOK;
}

/* A caller whose item was checked goes before all callers that came since. */
static void keep_place(struct request *r)
{
    if (r->ticket == 0)
        r->ticket = 1;
}

/*
 * Goes on until r->slot is LEASED, or there is a reason to give up.  The
 * lock-free path may have claimed r->slot, if the gate had no obstacle then. If
 * the pool was closed meanwhile, the search may have hidden an idle item for a
 * moment, so the caller settles.
 */
static rpool_status obtain_locked(struct pool *pool, struct request *r)
    POOL_LOCKED(pool)
{
    if (atom_load(&pool->gate) != gate_open(r->handle))
        give_up_locked(pool, r);
    if (atom_load(&pool->gate) & GATE_CLOSED)
        rpool__settle_locked(pool);

    for (;;) {
        rpool_status status = RPOOL_OK;
        enum step step = next_step_locked(pool, r);
        if (step > STEP_CLAIM && step < STEP_DONE)
            keep_place(r);
        switch (step) {
        case STEP_REFUSE:
            status = RPOOL_CLOSED;
            break;
        case STEP_CLAIM:
            status = r->wait ? claim_or_wait_locked(pool, r)
                             : claim_now_locked(pool, r);
            break;
        case STEP_PUT_BACK:
            put_back_locked(pool, r->slot, 0);
            r->slot = NULL;
            break;
        case STEP_LOOK:
            look_locked(pool, r);
            break;
        case STEP_PING:
            status = ping_locked(pool, r);
            break;
        case STEP_DONE:
            return RPOOL_OK;
        }
        if (status != RPOOL_OK) {
            give_up_locked(pool, r);
            return status;
        }
    }
}

/* ---- the way through the pool ---- */

static void count_locked(struct pool *pool, const struct request *r,
                         rpool_status status, int64_t waited) POOL_LOCKED(pool)
{
    assert(waited >= 0);
    if (r->queued)
        pool->stats.waited++;
    pool->stats.wait_us += (uint64_t)(waited / 1000);
    if (status == RPOOL_TIMEOUT)
        pool->stats.timed_out++;
    else if (status == RPOOL_BUSY && r->wait)
        pool->stats.refused++;
}

static void report_failure(struct pool *pool, const struct request *r,
                           rpool_status status, int64_t waited,
                           rpool_failure *why)
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

/* The cell has become another pool's during the lock-free path.  The claim took
 * an item of that pool, or the search has hidden one for a moment. */
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

/* `slot` is what the lock-free path has claimed, or NULL. */
__attribute__((noinline)) static rpool_status
acquire_slowly(uint64_t handle, int timeout_ms, struct slot *slot,
               rpool_item **item, rpool_failure *why, const rpool_site *site)
{
    struct request r = {
        .handle = handle, .slot = slot, .wait = timeout_ms != 0};
    struct pool *pool = rpool__pool_of(handle);
    r.in_callout = r.wait && rpool__in_callout(pool);
    if (!rpool__enter(pool, handle)) {
        settle_stray(pool, slot);
        return rpool__refusal(pool, why);
    }

    r.began = clock_now();
    r.deadline = r.wait ? clock_after(r.began, timeout_ms) : 0;
    rpool_status status = obtain_locked(pool, &r);
    assert((status == RPOOL_OK) == (r.slot != NULL));
    int64_t waited = clock_now() - r.began;
    count_locked(pool, &r, status, waited);
    if (status != RPOOL_OK) {
        rpool__unlock_and_notify(pool);
        report_failure(pool, &r, status, waited, why);
        lock_take(&pool->lock);
    }
    rpool__leave_and_drain(pool);

    if (status == RPOOL_OK)
        *item = acquire_finish_and_emit(pool, r.slot, atom_load(&r.slot->word),
                                        clock_coarse(), site, waited);
    return status;
}

/* ---- the lock-free path ---- */

__attribute__((noinline)) static void emit_acquired(struct pool *pool,
                                                    const struct slot *slot)
{
    rpool__emit_slot(pool, slot, RPOOL_EVENT_ACQUIRED, 0);
}

/* Leases the item of this thread's hint, or returns NULL.  The caller reads the
 * clock, before there is anything to keep over that call.  The hint is stored
 * before the event, because the listener may acquire and change the hint. */
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
        emit_acquired(pool, slot);
    return (rpool_item *)(uintptr_t)lease;
}

/* Leases any idle item that is ready; otherwise goes through the pool. */
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
        return rpool__fail(why, RPOOL_INVALID,
                           "the pointer to the item is NULL");
    if (site == NULL)
        site = &nowhere;

    rpool_item *own = acquire_own(handle, clock_coarse(), site);
    if (own == NULL)
        return acquire_any(handle, timeout_ms, item, why, site);
    *item = own;
    return RPOOL_OK;
}
