/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Workers call the provider: they destroy, check and create items.
 *
 * One worker is started at open and stays.  Others are started when a job waits
 * and no worker is idle.  Their number is at least create_concurrency + 1, so
 * that one worker is left that does not create.
 *
 * A creation occupies its slot before the worker drops the mutex, so that there
 * are never more than max_size items.  The worker tests right before that the
 * creation is still needed: a release may have served the waiter.
 */
#include "worker.h"
#include "alarm.h"
#include "callout.h"
#include "demand.h"
#include "entry.h"
#include "expiry.h"
#include "failure.h"
#include "jobs.h"
#include "report.h"
#include "settle.h"
#include "slot.h"
#include "stuck.h"
#include "threads.h"

/* ---- destroy ---- */

/* CLOSED is emitted before the destroy, because the event has the resource. */
static void destroy_one_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct slot *slot = rpool__slot_pop_locked(pool, &pool->lists.closing);
    if (pool->on_event != NULL) {
        rpool__begin_listener_locked(pool, worker);
        rpool__unlock_for_job(pool);
        rpool__emit_slot(pool, slot, RPOOL_EVENT_CLOSED, 0);
        lock_take(&pool->lock);
        rpool__end_listener_locked(pool, worker);
    }

    rpool__begin_call_locked(pool, worker, CALL_DESTROY, clock_now());
    rpool__unlock_for_job(pool);
    rpool__call_destroy(pool, slot);
    lock_take(&pool->lock);
    rpool__end_call_locked(pool, worker);
    rpool__slot_destroyed_locked(pool, slot);
    rpool__wake_workers_locked(pool);
}

/* ---- check ---- */

/* Returns the next slot to check for a borrower, CHECKING and the caller's; or
 * NULL if no slot needs the check any more. */
static struct slot *next_check_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (!list_empty(&pool->lists.checks_begun))
        return rpool__slot_pop_locked(pool, &pool->lists.checks_begun);

    while (!list_empty(&pool->lists.checks_requested)) {
        struct slot *slot =
            rpool__slot_pop_locked(pool, &pool->lists.checks_requested);
        if (slot_claim(pool, slot, clock_coarse(),
                       ACCEPT(FIT_ANSWER) | ACCEPT(FIT_PING)) != 0)
            return slot;
    }
    return NULL;
}

/*
 * Checks a slot that is CHECKING; drops the mutex meanwhile.  An item that has
 * passed becomes idle with the flag `good`.  If the answer is not there in
 * time, the item still owes it, and a keepalive does not ping it again at once:
 * its next lease waits for the answer anyway.
 */
static void check_slot_locked(struct pool *pool, struct pool_thread *worker,
                              struct slot *slot, enum call call, uint64_t good)
    POOL_LOCKED(pool)
{
    int64_t deadline =
        clock_after(clock_now(), pool->config.create_timeout / CLOCK_MS);
    rpool__begin_call_locked(pool, worker, call, deadline);
    rpool__unlock_for_job(pool);
    int verdict = rpool__call_check(pool, slot, deadline);
    if (verdict == RPOOL_AGAIN)
        atom_put(&slot->proven, (uint64_t)clock_coarse());
    lock_take(&pool->lock);
    rpool__end_call_locked(pool, worker);

    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        rpool__reject_locked(pool, slot, RPOOL_REASON_CHECK);
    else
        rpool__keep_or_reject_locked(
            pool, slot, verdict == RPOOL_AGAIN ? SLOT_OWES_ANSWER : good);
    rpool__arm_slot_locked(pool, slot);
}

static void check_for_borrower_locked(struct pool *pool,
                                      struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct slot *slot = next_check_locked(pool);
    if (slot == NULL)
        return;

    pool->checks.for_borrowers++;
    check_slot_locked(pool, worker, slot, CALL_CHECK, SLOT_CHECKED);
    pool->checks.for_borrowers--;
    assert(pool->checks.for_borrowers >= 0);
    rpool__settle_locked(pool);
}

/* Pings the first item whose keepalive is due, if it is still idle. */
static void keep_one_alive_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct slot *slot = rpool__slot_pop_locked(pool, &pool->lists.keepalives);
    uint64_t word = atom_load(&slot->word);
    if (word_state(word) != SLOT_IDLE ||
        clock_now() - (int64_t)atom_peek(&slot->proven) <
            pool->config.keepalive ||
        !slot_take_idle(slot, word, SLOT_CHECKING))
        return;

    pool->checks.keepalives++;
    check_slot_locked(pool, worker, slot, CALL_KEEPALIVE, 0);
    pool->checks.keepalives--;
    assert(pool->checks.keepalives >= 0);
    rpool__settle_locked(pool);
}

/* ---- create ---- */

struct creation {
    struct slot *slot; /* CREATING */
    int64_t deadline, took;
    uint64_t round; /* of the back-off, when the creation started */
    int rc;         /* of the provider */
    int unwatched;  /* the descriptor cannot be watched */
    rpool_failure why;
};

static void create(struct pool *pool, struct creation *c)
{
    int64_t start = clock_now();
    void *resource = NULL;
    c->rc = rpool__call_create(pool, c->deadline, &resource, &c->why);
    c->took = clock_now() - start;
    if (c->rc == 0 && resource == NULL) {
        (void)rpool__fail(&c->why, RPOOL_CREATE,
                          "the provider's create returned no resource");
        c->rc = -1;
    }
    if (c->rc != 0)
        return;

    rpool__slot_init(pool, c->slot, resource);
    c->unwatched = rpool__watch_slot(pool, c->slot);
}

static void emit_creation(struct pool *pool, const struct creation *c)
{
    int64_t ms = c->took / CLOCK_MS;
    if (c->rc != 0)
        rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_CREATE_FAILED,
                                         .ms = ms,
                                         .message = c->why.message,
                                         .failure = &c->why});
    if (c->unwatched)
        rpool__emit(
            pool,
            &(rpool_event){
                .type = RPOOL_EVENT_DEGRADED,
                .item = atom_peek(&c->slot->number),
                .message = "cannot watch the descriptor of a new resource"});
    if (c->rc == 0)
        rpool__emit_slot(pool, c->slot, RPOOL_EVENT_CREATED, ms);
}

static void emit_creation_locked(struct pool *pool, struct pool_thread *worker,
                                 const struct creation *c) POOL_LOCKED(pool)
{
    if (pool->on_event == NULL)
        return;
    rpool__begin_listener_locked(pool, worker);
    rpool__unlock_for_job(pool);
    emit_creation(pool, c);
    lock_take(&pool->lock);
    rpool__end_listener_locked(pool, worker);
}

/* The new item may let the cleaner close an ageing one. */
static void created_locked(struct pool *pool, struct slot *slot, int64_t took)
    POOL_LOCKED(pool)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CREATING);
    rpool__end_backoff_locked(pool);
    pool->demand.create_time = took;
    pool->stats.created++;
    pool->stats.create_us += (uint64_t)(took / 1000);

    if (pool_existing(pool) > pool->limits.max_size)
        rpool__close_slot_locked(pool, slot, RPOOL_REASON_RESIZE);
    else
        rpool__keep_or_reject_locked(pool, slot, 0);
    rpool__set_idle_due_locked(pool);
    rpool__arm_slot_locked(pool, slot);
    if (pool->counts.ageing > 0)
        rpool__arm_locked(pool, 0);
}

static void failed_locked(struct pool *pool, struct slot *slot, uint64_t round,
                          const rpool_failure *why) POOL_LOCKED(pool)
{
    assert(slot_resource(slot) == NULL);
    rpool__slot_empty_locked(pool, slot);
    pool->stats.create_failed++;
    rpool__count_failure_locked(pool, round, why);
}

/*
 * CREATED is emitted before the item can be leased, so the worker counts as
 * creating while it is in the listener.  CREATE_FAILED is emitted last, when
 * nothing waits for the listener.
 */
static void create_one_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct creation c = {.slot = rpool__slot_occupy_locked(pool),
                         .round = pool->backoff.round};
    c.deadline =
        clock_after(clock_now(), pool->config.create_timeout / CLOCK_MS);
    rpool__begin_call_locked(pool, worker, CALL_CREATE, c.deadline);
    rpool__unlock_for_job(pool);
    create(pool, &c);
    lock_take(&pool->lock);
    rpool__end_call_locked(pool, worker);

    if (c.rc == 0) {
        worker->call = CALL_CREATE;
        emit_creation_locked(pool, worker, &c);
        rpool__end_call_locked(pool, worker);
    }
    pool->counts.creating--;
    assert(pool->counts.creating >= 0);
    if (c.rc == 0)
        created_locked(pool, c.slot, c.took);
    else
        failed_locked(pool, c.slot, c.round, &c.why);
    cond_wake_all(&pool->state_changed);
    rpool__settle_locked(pool);

    if (c.rc != 0)
        emit_creation_locked(pool, worker, &c);
}

/* ---- the thread ---- */

/* Does one job.  Returns 0 if there is none that may start now. */
static int work_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    if (!list_empty(&pool->lists.closing))
        destroy_one_locked(pool, worker);
    else if (rpool__may_check_locked(pool))
        check_for_borrower_locked(pool, worker);
    else if (rpool__may_create_locked(pool) &&
             clock_now() >= rpool__retry_due_locked(pool))
        create_one_locked(pool, worker);
    else if (rpool__may_report_locked(pool))
        rpool__report_one_locked(pool, worker);
    else if (rpool__may_keep_alive_locked(pool))
        keep_one_alive_locked(pool, worker);
    else
        return 0;
    return 1;
}

/* Sleeps until there is a job, or until the back-off ends.  First starts
 * another worker if one is missing; this may call the listener, so the worker
 * does not count as idle yet. */
static void rest_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (rpool__worker_missing_locked(pool)) {
        rpool__unlock_and_notify(pool);
        lock_take(&pool->lock);
        return;
    }

    int64_t until = rpool__may_create_locked(pool)
                        ? rpool__retry_due_locked(pool)
                        : CLOCK_NEVER;
    if (until != CLOCK_NEVER)
        pool->threads.worker_wake_at = until;
    pool->threads.idle_workers++;
    rpool__sleep_locked(pool, &pool->work_available, until);
    pool->threads.idle_workers--;

    /* If another worker had set it, one worker is woken in vain. */
    pool->threads.worker_wake_at = CLOCK_NEVER;
}

/* The thread counts as in a callback of the pool until it ends. */
void *rpool__worker_run(void *arg) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    struct pool_thread *self = arg;
    struct pool *pool = self->pool;
    struct callout here;
    rpool__callout_begin(&here, pool);
    thread_begin(pool->name);
    rpool__enter_as_owner(pool);
    thread_self(&self->thread);
    pool->threads.idle_workers--;
    assert(self->running && pool->threads.idle_workers >= 0);

    for (;;) {
        rpool__begin_busy_locked(pool);
        int worked = work_locked(pool, self);
        pool->threads.busy--;
        if (rpool__retire_worker_locked(pool, self))
            break;
        if (worked)
            continue;
        if (pool->threads.stopping)
            break;
        rest_locked(pool);
    }

    if (pool->threads.stopping)
        self->exited = 1;
    pool->threads.workers--;
    pool->threads.running--;
    cond_wake_all(&pool->state_changed);
    rpool__leave_and_drain(pool);
    return NULL;
}
