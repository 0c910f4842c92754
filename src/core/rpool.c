/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Borrowing: acquire, release, discard, detach.
 *
 * The quick path of either is one swap between two looks at the gate (of a
 * release, the look after it).  If anything stands in the way, the mutex is
 * taken and rpool__settle_locked finds out what.
 */
#include "slot.h"

struct request {
    uint64_t handle;
    uint64_t ticket; /* 0: not in line yet */
    uint32_t from;   /* not waiting: the next slot to try */
    int wait;
    int64_t began, deadline;
};

/* ---- acquire ---- */

/* Those who are told of a lease, if there are any. */
__attribute__((noinline)) static void tell_lease(struct pool *pool,
                                                 const struct slot *slot,
                                                 int64_t now, int64_t waited)
{
    if (pool->leak != CLOCK_NEVER)
        rpool__arm(pool, now + pool->leak);
    if (pool->on_event != NULL)
        rpool__emit_slot(pool, slot, RPOOL_EVENT_ACQUIRED, waited / CLOCK_MS);
}

/* The last of an acquire: the item is the caller's.  lent_since is 0 until
 * here, so that the cleaner never counts the idle time before. */
static inline rpool_item *lend(struct pool *pool, struct slot *slot,
                               uint64_t word, int64_t now,
                               const rpool_site *site, int64_t waited)
{
    static const rpool_site nowhere;
    if (site == NULL)
        site = &nowhere;
    atom_put(&slot->file, (uintptr_t)site->file);
    atom_put(&slot->func, (uintptr_t)site->func);
    atom_put(&slot->line, (uint64_t)site->line);
    atom_put(&slot->leases, atom_peek(&slot->leases) + 1);
    atom_put(&slot->lent_since, (uint64_t)now);
    if (pool->told)
        tell_lease(pool, slot, now, waited);
    return (rpool_item *)(uintptr_t)slot_handle(pool, slot, word);
}

/* A claimed item that may not be kept after all. */
static void put_back_locked(struct pool *pool, struct slot *slot,
                            uint64_t flags) POOL_LOCKED(pool)
{
    if (!slot_make_idle(pool, slot, flags))
        rpool__dispose_locked(pool, slot,
                              rpool__flag_reason(atom_load(&slot->word)));
    rpool__settle_locked(pool);
    rpool__arm_slot_locked(pool, slot);
    rpool__wake_workers_locked(pool); /* for what is due of it at once */
}

/* Without waiting: newcomers do not overtake a line. */
static rpool_status take_now_locked(struct pool *pool, struct request *r,
                                    struct slot **slot) POOL_LOCKED(pool)
{
    rpool__settle_locked(pool);
    *slot = NULL;
    if ((atom_load(&pool->gate) & (GATE_SUSPENDED | GATE_LINE)) == 0)
        (void)rpool__claim(pool, clock_coarse(), 1, r->from, slot);
    if (*slot != NULL)
        return RPOOL_OK;
    pool->asked = pool->occupied < pool->max_size;
    rpool__wake_workers_locked(pool);
    return RPOOL_BUSY;
}

/* Failed its check though it was new and never lent: the next one would fail
 * as well, so creating pauses as after a failure. */
static void pause_if_stillborn_locked(struct pool *pool,
                                      const struct slot *slot) POOL_LOCKED(pool)
{
    int64_t age = clock_now() - (int64_t)atom_peek(&slot->proven);
    if (atom_peek(&slot->leases) > atom_peek(&slot->first_lease) ||
        age >= pool->check_after)
        return;
    rpool_failure why;
    (void)rpool__fail(&why, RPOOL_CREATE, "a new item failed its check");
    rpool__pause_locked(pool, &why);
}

/* Owned and CHECKING; drops the mutex meanwhile.  OK: it is LENT. */
static rpool_status check_locked(struct pool *pool, struct request *r,
                                 struct slot **slot) POOL_LOCKED(pool)
{
    rpool__step_out(pool);
    int verdict = rpool__run_check(pool, *slot, r->deadline);
    lock_take(&pool->lock);
    if (verdict == RPOOL_GOOD && rpool__make_lent(*slot))
        return RPOOL_OK;
    if (verdict == RPOOL_AGAIN) {
        r->from = (*slot)->index + 1;
        put_back_locked(pool, *slot, SLOT_ANSWER);
        *slot = NULL;
        return r->wait ? RPOOL_TIMEOUT : RPOOL_OK;
    }
    if (verdict != RPOOL_GOOD)
        pause_if_stillborn_locked(pool, *slot);
    rpool__dispose_locked(pool, *slot,
                          verdict == RPOOL_GOOD
                              ? rpool__flag_reason(atom_load(&(*slot)->word))
                              : RPOOL_REASON_CHECK);
    rpool__settle_locked(pool);
    *slot = NULL;
    return RPOOL_OK;
}

/* Before all that came while its item was checked: it was there first. */
static void keep_place(struct request *r)
{
    if (r->ticket == 0)
        r->ticket = 1;
}

/* One step towards an item that is LENT to us: from none to one, or from
 * CHECKING to LENT or none. */
static rpool_status step_locked(struct pool *pool, struct request *r,
                                struct slot **slot) POOL_LOCKED(pool)
{
    if (*slot != NULL) {
        keep_place(r);
        return check_locked(pool, r, slot);
    }
    return r->wait ? rpool__wait_locked(pool, &r->ticket, r->deadline, slot)
                   : take_now_locked(pool, r, slot);
}

static void give_up_locked(struct pool *pool, struct slot **slot)
    POOL_LOCKED(pool)
{
    if (*slot != NULL)
        put_back_locked(pool, *slot, atom_load(&(*slot)->word) & SLOT_ANSWER);
    *slot = NULL;
}

/* Until an item is LENT to us, or there is a reason why not.  *slot: what the
 * quick path claimed, if there was no obstacle then. */
static rpool_status obtain_locked(struct pool *pool, struct request *r,
                                  struct slot **slot) POOL_LOCKED(pool)
{
    if (atom_load(&pool->gate) != gate_open(r->handle))
        give_up_locked(pool, slot);
    for (;;) {
        rpool_status status = RPOOL_CLOSED;
        if ((atom_load(&pool->gate) & GATE_CLOSED) == 0) {
            if (*slot != NULL &&
                word_state(atom_load(&(*slot)->word)) == SLOT_LENT)
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
    if (r->ticket > 1)
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
    rpool__explain(pool, why, status, r->wait ? waited / CLOCK_MS : -1);
    if (status == RPOOL_TIMEOUT || (status == RPOOL_BUSY && r->wait))
        rpool__emit(pool, &(rpool_event){.type = status == RPOOL_TIMEOUT
                                                     ? RPOOL_EVENT_TIMED_OUT
                                                     : RPOOL_EVENT_REFUSED,
                                         .ms = waited / CLOCK_MS});
}

/* The shell became another pool's between two steps of the quick path, and the
 * claim took an item of that one. */
static void return_stray(struct pool *pool, struct slot *slot)
{
    lock_take(&pool->lock);
    put_back_locked(pool, slot, atom_load(&slot->word) & SLOT_ANSWER);
    rpool__unlock(pool);
}

/* slot: what the quick path claimed and must be looked at again, or NULL. */
__attribute__((noinline)) static rpool_status
acquire_slowly(uint64_t handle, int timeout_ms, struct slot *slot,
               rpool_item **item, rpool_failure *why, const rpool_site *site)
{
    struct request r = {.handle = handle, .wait = timeout_ms != 0};
    struct pool *pool = rpool__pool_of(handle);
    rpool_status status;
    if (!rpool__enter(pool, handle)) {
        if (slot != NULL)
            return_stray(pool, slot);
        status = rpool__refusal(pool);
        return rpool__fail(why, status, "%s", rpool_strerror(status));
    }
    r.began = clock_now();
    r.deadline = r.wait ? clock_after(r.began, timeout_ms) : 0;
    status = obtain_locked(pool, &r, &slot);
    int64_t waited = clock_now() - r.began;
    count_locked(pool, &r, status, waited);
    if (status != RPOOL_OK) {
        rpool__step_out(pool);
        report(pool, &r, status, waited, why);
        lock_take(&pool->lock);
    }
    pool->inside--;
    rpool__unlock(pool);
    if (status == RPOOL_OK)
        *item = lend(pool, slot, atom_load(&slot->word), clock_coarse(), site,
                     waited);
    return status;
}

rpool_status rpool_acquire_at(rpool *pool_handle, int timeout_ms,
                              rpool_item **item, rpool_failure *why,
                              const rpool_site *site)
{
    uint64_t handle = (uintptr_t)pool_handle;
    if (item == NULL)
        return rpool__fail(why, RPOOL_INVALID, "no place for the item");
    *item = NULL;
    struct pool *pool = rpool__pool_of(handle);
    struct slot *slot = NULL;
    if (pool != NULL && atom_load(&pool->gate) == gate_open(handle)) {
        int64_t now = clock_coarse();
        uint64_t word =
            slot_claim_own(pool, handle, now, timeout_ms == 0, &slot);
        if (word == 0)
            word = rpool__claim(pool, now, timeout_ms == 0, 0, &slot);
        if (word_state(word) == SLOT_LENT &&
            atom_load(&pool->gate) == gate_open(handle)) {
            *item = lend(pool, slot, word, now, site, 0);
            return RPOOL_OK;
        }
    }
    return acquire_slowly(handle, timeout_ms, slot, item, why, site);
}

/* ---- release ---- */

/* Takes the lease from its holder, LENT to RETURNING: of two who try, one.  0:
 * not lent, and whoever can be told was told. */
static int take_lease(struct pool *pool, struct slot *slot, uint64_t handle)
{
    if (pool == NULL || atom_load(&pool->gate) & GATE_FORKED)
        return 0;
    if (slot != NULL) {
        uint64_t word = atom_load(&slot->word);
        while (slot_is_lease(word, handle))
            if (atom_cas(&slot->word, &word, word_with(word, SLOT_RETURNING)))
                return 1;
    }
    rpool__misuse(pool, "a lease that is not lent was given back");
    return 0;
}

static rpool_reason reason_to_leave(struct pool *pool, const struct slot *slot,
                                    int verdict, int64_t now)
{
    if (verdict == RPOOL_DISCARD)
        return RPOOL_REASON_RESET;
    if (now >= (int64_t)atom_peek(&slot->expires))
        return RPOOL_REASON_LIFETIME;
    if (pool->max_uses >= 0 &&
        atom_peek(&slot->leases) - atom_peek(&slot->first_lease) >=
            (uint64_t)pool->max_uses)
        return RPOOL_REASON_USES;
    return RPOOL_REASON_NONE;
}

static int run_reset(struct pool *pool, struct slot *slot)
{
    if (pool->provider.reset == NULL)
        return RPOOL_REUSE;
    struct thread_memo *memo = thread_memo();
    const void *outer = memo->inside;
    memo->inside = pool;
    int verdict = pool->provider.reset(pool->ctx, slot->resource);
    memo->inside = outer;
    return verdict;
}

/* lent_since is 0 from here on, and idle times count. */
static void stamp_end(struct slot *slot, int64_t now)
{
    atom_put(&slot->lent_since, 0);
    atom_put(&slot->idle_since, (uint64_t)now);
    atom_put(&slot->proven, (uint64_t)now);
}

static void end_lease(struct pool *pool, struct slot *slot,
                      rpool_event_type type, int64_t now)
{
    int64_t since = (int64_t)atom_peek(&slot->lent_since);
    stamp_end(slot, now);
    if (pool->on_event == NULL)
        return;
    int64_t ms = (now - since) / CLOCK_MS;
    rpool__emit_slot(pool, slot, type, ms);
    if (pool->leak != CLOCK_NEVER &&
        atom_peek(&slot->reported) == (atom_load(&slot->word) & SERIAL_MASK))
        rpool__emit_slot(pool, slot, RPOOL_EVENT_LEAK_RETURNED, ms);
}

/* The slot is IDLE by now, and may be anybody's: the look at the gate, and a
 * look at when the cleaner wakes. */
static void after_idle(struct pool *pool, uint32_t index, int64_t now,
                       int64_t expires)
{
    uint64_t gate = atom_load(&pool->gate);
    struct thread_memo *memo = thread_memo();
    memo->key = gate | (uint64_t)pool->shell;
    memo->value = index;
    memo->time = now;
    if ((gate & SHELL_MASK) != 0)
        rpool__settle(pool);
    int64_t idle_due = (int64_t)atom_load(&pool->idle_due);
    if (idle_due < expires - now)
        expires = now + idle_due;
    rpool__arm(pool, expires);
}

/*
 * With nothing to run and nobody to tell, one swap gives back, LENT to IDLE.
 * The times are stored before it: of two who give the same lease back both may
 * store them, but only one swaps.  0: it takes the long way.
 */
static int give_back_at_once(struct pool *pool, struct slot *slot,
                             uint64_t handle)
{
    uint64_t word = atom_load(&slot->word);
    if (!slot_is_lease(word, handle) || !pool->plain)
        return 0;
    int64_t now = clock_coarse();
    if (word & SLOT_LEAVE || atom_load(&pool->gate) & GATE_FORKED ||
        reason_to_leave(pool, slot, RPOOL_REUSE, now) != RPOOL_REASON_NONE)
        return 0;
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    stamp_end(slot, now);
    if (!atom_cas(&slot->word, &word, word_with(word, SLOT_IDLE)))
        return 0;
    slot_set_hint(pool, slot);
    after_idle(pool, slot->index, now, expires);
    return 1;
}

static void dispose(struct pool *pool, struct slot *slot, rpool_reason reason)
{
    lock_take(&pool->lock);
    if (reason == RPOOL_REASON_NONE)
        reason = rpool__flag_reason(atom_load(&slot->word));
    rpool__dispose_locked(pool, slot, reason);
    rpool__settle_locked(pool);
    rpool__unlock(pool);
}

static void give_back(struct pool *pool, struct slot *slot, rpool_reason reason)
{
    int verdict =
        reason == RPOOL_REASON_NONE ? run_reset(pool, slot) : RPOOL_DISCARD;
    int64_t now = clock_coarse();
    if (reason == RPOOL_REASON_NONE)
        reason = reason_to_leave(pool, slot, verdict, now);
    end_lease(pool, slot, RPOOL_EVENT_RELEASED, now);
    int64_t expires = (int64_t)atom_peek(&slot->expires);
    if (reason == RPOOL_REASON_NONE &&
        slot_make_idle(pool, slot, verdict == RPOOL_CHECK ? SLOT_ANSWER : 0))
        after_idle(pool, slot->index, now, expires);
    else
        dispose(pool, slot, reason);
}

static void end(rpool_item **item, rpool_reason reason)
{
    if (item == NULL || *item == NULL)
        return;
    uint64_t handle = (uintptr_t)*item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    *item = NULL;
    if (slot != NULL && reason == RPOOL_REASON_NONE &&
        give_back_at_once(pool, slot, handle))
        return;
    if (take_lease(pool, slot, handle))
        give_back(pool, slot, reason);
}

void rpool_release(rpool_item **item)
{
    end(item, RPOOL_REASON_NONE);
}

void rpool_discard(rpool_item **item)
{
    end(item, RPOOL_REASON_DISCARD);
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
    void *resource = slot->resource;
    rpool__unwatch(pool, slot);
    end_lease(pool, slot, RPOOL_EVENT_DETACHED, clock_coarse());
    lock_take(&pool->lock);
    pool->stats.detached++;
    rpool__empty_locked(pool, slot);
    rpool__settle_locked(pool);
    rpool__unlock(pool);
    return resource;
}

/* ---- what a lease is ---- */

static struct slot *lent_slot(const rpool_item *item)
{
    uint64_t handle = (uintptr_t)item;
    struct pool *pool;
    struct slot *slot = rpool__slot_of(handle, &pool);
    if (slot == NULL || atom_load(&pool->gate) & GATE_FORKED)
        return NULL;
    uint64_t word = atom_load(&slot->word);
    return slot_is_lease(word, handle) ? slot : NULL;
}

void *rpool_resource(const rpool_item *item)
{
    struct slot *slot = lent_slot(item);
    return slot == NULL ? NULL : slot->resource;
}

uint64_t rpool_number(const rpool_item *item)
{
    struct slot *slot = lent_slot(item);
    return slot == NULL ? 0 : atom_peek(&slot->number);
}
