/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Workers call the provider: they destroy, check idle items, and create.  One
 * is started at open and stays; more are started when there is something to do
 * and none is idle, create_concurrency + 1 in all, so that one is always left
 * that does not create.
 *
 * A creation occupies its slot before the mutex is dropped, so that there are
 * never more than max_size; and the need is tested right before, so that a
 * release that came first saves it.
 */
#include "slot.h"

#include "base/random.h"

#include <string.h>

/* If the system refuses a thread, it is not asked again before that. */
#define HIRE_RETRY (1000 * CLOCK_MS)

static struct atom last_number; /* of resources, in the process */

static uint64_t next_number(void)
{
    uint64_t number = atom_load(&last_number);
    while (!atom_cas(&last_number, &number, number + 1))
        ;
    return number + 1;
}

/* ---- what there is to do ---- */

static int may_check_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->checkers < MAX_CHECKERS &&
           !(list_empty(&pool->handed) && list_empty(&pool->wished));
}

static int may_keep_alive_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->keeping == 0 && !list_empty(&pool->keepalives);
}

static int jobs_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return !list_empty(&pool->disposals) + may_check_locked(pool) +
           rpool__may_tell_locked(pool) + may_keep_alive_locked(pool) +
           rpool__may_create_locked(pool);
}

int rpool__most_workers_locked(const struct pool *pool)
{
    return pool->create_concurrency + 1 + pool->checkers + pool->stuck;
}

/* Only the end of a pause is missing, and a worker wakes for that by itself. */
static int alarm_is_set_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t due = rpool__retry_due_locked(pool);
    return pool->alarm_at <= due && clock_now() < due &&
           rpool__may_create_locked(pool);
}

void rpool__wake_workers_locked(struct pool *pool)
{

    for (int jobs = jobs_locked(pool) - alarm_is_set_locked(pool); jobs > 0;
         jobs--)
        cond_wake(&pool->work);
}

int rpool__worker_missing_locked(const struct pool *pool)
{
    return pool->idle_workers == 0 && !pool->stopping &&
           pool->workers < rpool__most_workers_locked(pool) &&
           jobs_locked(pool) > 0 && clock_now() >= pool->hire_at;
}

int rpool__workers_refused_locked(const struct pool *pool)
{
    return pool->idle_workers == 0 && clock_now() < pool->hire_at;
}

void rpool__go_busy_locked(struct pool *pool)
{
    pool->busy++;
    if (pool->stopping)
        cond_wake_all(&pool->changed); /* a close need not wait for it */
}

/* ---- destroy ---- */

static int fd_of(const struct pool *pool, const struct slot *slot)
{
    struct inside here;
    rpool__go_in(&here, pool);
    int fd = pool->provider.fd(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
    return fd;
}

void rpool__unwatch(struct pool *pool, struct slot *slot)
{
    if (slot->fd >= 0 && fd_of(pool, slot) == slot->fd)
        watch_remove(&pool->watch, slot->fd);
}

static void destroy(struct pool *pool, struct slot *slot)
{
    rpool__unwatch(pool, slot);
    struct inside here;
    rpool__go_in(&here, pool);
    pool->provider.destroy(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
}

/* CLOSED comes before the destroy, as the listener is given the resource. */
static void tell_closed_locked(struct pool *pool, struct pool_thread *worker,
                               const struct slot *slot) POOL_LOCKED(pool)
{
    if (pool->on_event == NULL)
        return;
    if (worker != NULL)
        rpool__begin_telling(pool, worker);
    else
        rpool__begin_job(pool);
    rpool__emit_slot(pool, slot, RPOOL_EVENT_CLOSED, 0);
    lock_take(&pool->lock);
    if (worker != NULL)
        rpool__end_telling_locked(pool, worker);
}

void rpool__run_disposals_locked(struct pool *pool, struct pool_thread *worker)
{
    do {
        struct slot *slot = rpool__pop_locked(pool, &pool->disposals);
        tell_closed_locked(pool, worker, slot);
        if (worker != NULL)
            rpool__begin_call_locked(pool, worker, CALL_DESTROY, clock_now());
        rpool__begin_job(pool);
        destroy(pool, slot);
        lock_take(&pool->lock);
        if (worker != NULL)
            rpool__end_call_locked(pool, worker);
        pool->leaving--;
        pool->stats.closed++;
        pool->stats.closed_by[slot->reason]++;
        rpool__empty_locked(pool, slot);
        rpool__wake_workers_locked(pool); /* there is room again */
    } while (worker == NULL && !list_empty(&pool->disposals));
}

/* ---- check ---- */

/* Of the provider's answers one that is bad makes all items that were idle then
 * suspect: they are pinged before they are leased, whatever their age. */
static int judge(struct pool *pool, int verdict)
{
    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        atom_put(&pool->suspect, (uint64_t)clock_now());
    return verdict;
}

int rpool__run_check(struct pool *pool, struct slot *slot, int64_t deadline)
{
    if (pool->provider.check == NULL)
        return RPOOL_GOOD;
    int64_t now = clock_now();
    int64_t idle = now - (int64_t)atom_peek(&slot->idle_since);
    atom_put(&slot->checks, atom_peek(&slot->checks) + 1);
    struct inside here;
    rpool__go_in(&here, pool);
    int verdict = pool->provider.check(pool->ctx, slot_resource(slot),
                                       idle / CLOCK_MS, deadline);
    rpool__go_out(&here);
    if (verdict ==
        RPOOL_GOOD) /* not the coarse time: it may be before suspect */
        atom_put(&slot->proven, (uint64_t)clock_now());
    return judge(pool, verdict);
}

int rpool__run_look(struct pool *pool, struct slot *slot)
{
    if (pool->provider.look == NULL)
        return rpool__run_check(pool, slot, 0);
    struct inside here;
    rpool__go_in(&here, pool);
    int verdict = pool->provider.look(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
    return judge(pool, verdict);
}

void rpool__unqueue_locked(struct pool *pool, struct slot *slot)
{
    (void)pool;
    slot->wished = 0;
    list_remove(&slot->node);
}

struct slot *rpool__pop_locked(struct pool *pool, struct list *list)
{
    struct slot *slot = container_of(list->next, struct slot, node);
    rpool__unqueue_locked(pool, slot);
    return slot;
}

void rpool__hand_over_locked(struct pool *pool, struct slot *slot)
{
    rpool__unqueue_locked(pool, slot);
    list_push_back(&pool->handed, &slot->node);
    rpool__settle_locked(pool);
}

void rpool__wish_locked(struct pool *pool, struct slot *slot)
{
    rpool__unqueue_locked(pool, slot);
    slot->wished = 1;
    list_push_back(&pool->wished, &slot->node);
}

/* The next slot to check for a borrower, CHECKING and the caller's; NULL if
 * none of those that were wished needs it any more. */
static struct slot *next_check_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (!list_empty(&pool->handed))
        return rpool__pop_locked(pool, &pool->handed);
    while (!list_empty(&pool->wished)) {
        struct slot *slot = rpool__pop_locked(pool, &pool->wished);
        if (slot_claim(pool, slot, clock_coarse(),
                       ACCEPT(FIT_ANSWER) | ACCEPT(FIT_PING)) != 0)
            return slot;
    }
    return NULL;
}

/* Drops the mutex meanwhile.  good: the flag of an item that has passed. */
static void check_slot_locked(struct pool *pool, struct pool_thread *worker,
                              struct slot *slot, enum call call, uint64_t good)
    POOL_LOCKED(pool)
{
    int64_t deadline =
        clock_after(clock_now(), pool->create_timeout / CLOCK_MS);
    rpool__begin_call_locked(pool, worker, call, deadline);
    rpool__begin_job(pool);
    int verdict = rpool__run_check(pool, slot, deadline);
    if (verdict == RPOOL_AGAIN) /* others first: a lease waits for it anyway */
        atom_put(&slot->proven, (uint64_t)clock_coarse());
    lock_take(&pool->lock);
    rpool__end_call_locked(pool, worker);
    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        rpool__dispose_locked(pool, slot, RPOOL_REASON_CHECK);
    else if (!slot_make_idle(pool, slot,
                             verdict == RPOOL_AGAIN ? SLOT_ANSWER : good))
        rpool__dispose_locked(pool, slot,
                              rpool__flag_reason(atom_load(&slot->word)));
    rpool__arm_slot_locked(pool, slot);
}

static void check_for_borrower_locked(struct pool *pool,
                                      struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct slot *slot = next_check_locked(pool);
    if (slot == NULL)
        return;
    pool->checkers++;
    check_slot_locked(pool, worker, slot, CALL_CHECK, SLOT_PROVEN);
    pool->checkers--;
    rpool__settle_locked(pool);
}

/* One at a time, so that the others can be borrowed meanwhile. */
static void keep_one_alive_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct slot *slot = rpool__pop_locked(pool, &pool->keepalives);
    uint64_t word = atom_load(&slot->word);
    if (word_state(word) != SLOT_IDLE ||
        clock_now() - (int64_t)atom_peek(&slot->proven) < pool->keepalive ||
        !atom_cas(&slot->word, &word, word_with(word, SLOT_CHECKING)))
        return;
    pool->keeping++;
    check_slot_locked(pool, worker, slot, CALL_KEEPALIVE, 0);
    pool->keeping--;
    rpool__settle_locked(pool);
}

/* ---- create ---- */

/* There is room, so a slot is EMPTY. */
static struct slot *occupy_locked(struct pool *pool) POOL_LOCKED(pool)
{
    struct slot *slot =
        container_of(list_pop_front(&pool->empty), struct slot, node);
    atom_store(&slot->word, word_with(atom_load(&slot->word), SLOT_CREATING));
    pool->occupied++;
    pool->creating++;
    pool->asked = 0;
    return slot;
}

static void furnish(struct pool *pool, struct slot *slot, void *resource)
{
    uint64_t now = (uint64_t)clock_now();
    atom_put(&slot->resource, (uintptr_t)resource);
    slot->fd = -1;
    atom_put(&slot->number, next_number());
    atom_put(&slot->first_lease, atom_peek(&slot->leases));
    atom_put(&slot->idle_since, now);
    atom_put(&slot->proven, now);
    atom_put(&slot->leased_since, 0);
    atom_put(&slot->expires, CLOCK_NEVER);
    if (pool->lifetime != CLOCK_NEVER) {
        int64_t jitter = (int64_t)random_below((uint64_t)pool->lifetime / 4);
        atom_put(&slot->expires, now + (uint64_t)(pool->lifetime - jitter));
    }
}

/* Not 0: it should be watched, and cannot be. */
static int watch_slot(struct pool *pool, struct slot *slot)
{
    int fd = pool->provider.fd == NULL ? -1 : fd_of(pool, slot);
    if (fd < 0)
        return 0;
    uint64_t token = atom_peek(&slot->number) << SLOT_BITS | slot->index;
    if (watch_add(&pool->watch, fd, token) != 0)
        return 1;
    slot->fd = fd;
    return 0;
}

static void created_locked(struct pool *pool, struct slot *slot, int64_t took)
    POOL_LOCKED(pool)
{
    rpool__end_pause_locked(pool);
    pool->last_create_ns = took;
    pool->stats.created++;
    pool->stats.create_us += (uint64_t)(took / 1000);
    if (pool_existing(pool) > pool->max_size)
        rpool__dispose_locked(pool, slot, RPOOL_REASON_RESIZE);
    else if (!slot_make_idle(pool, slot, 0))
        rpool__dispose_locked(pool, slot,
                              rpool__flag_reason(atom_load(&slot->word)));
    rpool__set_idle_due_locked(pool);
    rpool__arm_slot_locked(pool, slot);
    if (pool->ageing > 0)
        rpool__arm_locked(pool, 0); /* the next one may leave */
}

static void failed_locked(struct pool *pool, struct slot *slot, uint64_t round,
                          const rpool_failure *why) POOL_LOCKED(pool)
{
    rpool__empty_locked(pool, slot);
    pool->stats.create_failed++;
    rpool__count_failure_locked(pool, round, why);
}

struct creation {
    struct slot *slot;
    int64_t deadline, took;
    uint64_t round;
    int rc, unwatched;
    rpool_failure why;
};

static void create(struct pool *pool, struct creation *c)
{
    int64_t start = clock_now();
    void *resource = NULL;
    c->rc = pool->provider.create(pool->ctx, c->deadline, pool->stop_fd,
                                  &resource, &c->why);
    c->took = clock_now() - start;
    if (c->rc == 0 && resource == NULL) {
        (void)rpool__fail(&c->why, RPOOL_CREATE, "the provider made nothing");
        c->rc = -1;
    }
    if (c->rc != 0)
        return;
    furnish(pool, c->slot, resource);
    c->unwatched = watch_slot(pool, c->slot);
}

/* CREATED comes before the item can be leased, CREATE_FAILED when nothing waits
 * for it any more. */
static void tell_creation(struct pool *pool, const struct creation *c)
{
    int64_t ms = c->took / CLOCK_MS;
    if (c->rc != 0)
        rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_CREATE_FAILED,
                                         .ms = ms,
                                         .message = c->why.message,
                                         .failure = &c->why});
    if (c->unwatched)
        rpool__emit(pool,
                    &(rpool_event){.type = RPOOL_EVENT_DEGRADED,
                                   .item = atom_peek(&c->slot->number),
                                   .message = "cannot watch for a hang-up"});
    if (c->rc == 0)
        rpool__emit_slot(pool, c->slot, RPOOL_EVENT_CREATED, ms);
}

static void tell_creation_locked(struct pool *pool, struct pool_thread *worker,
                                 const struct creation *c) POOL_LOCKED(pool)
{
    if (pool->on_event == NULL)
        return;
    rpool__begin_telling(pool, worker);
    tell_creation(pool, c);
    lock_take(&pool->lock);
    rpool__end_telling_locked(pool, worker);
}

static void create_one_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    struct creation c = {.slot = occupy_locked(pool), .round = pool->round};
    c.deadline = clock_after(clock_now(), pool->create_timeout / CLOCK_MS);
    rpool__begin_call_locked(pool, worker, CALL_CREATE, c.deadline);
    rpool__begin_job(pool);
    create(pool, &c);
    lock_take(&pool->lock);
    rpool__end_call_locked(pool, worker);
    if (c.rc == 0) {
        worker->call = CALL_CREATE; /* the item waits for the listener */
        tell_creation_locked(pool, worker, &c);
        rpool__end_call_locked(pool, worker);
    }
    pool->creating--;
    if (c.rc == 0)
        created_locked(pool, c.slot, c.took);
    else
        failed_locked(pool, c.slot, c.round, &c.why);
    cond_wake_all(&pool->changed);
    rpool__settle_locked(pool);
    if (c.rc != 0)
        tell_creation_locked(pool, worker, &c);
}

/* ---- the thread ---- */

/* 0: nothing to do now. */
static int work_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    if (!list_empty(&pool->disposals))
        rpool__run_disposals_locked(pool, worker);
    else if (may_check_locked(pool))
        check_for_borrower_locked(pool, worker);
    else if (rpool__may_create_locked(pool) &&
             clock_now() >= rpool__retry_due_locked(pool))
        create_one_locked(pool, worker);
    else if (rpool__may_tell_locked(pool))
        rpool__tell_one_locked(pool, worker);
    else if (may_keep_alive_locked(pool))
        keep_one_alive_locked(pool, worker);
    else
        return 0;
    return 1;
}

/* Until there is something to do, or the pause of creations is over. */
static void rest_locked(struct pool *pool) POOL_LOCKED(pool)
{
    /* Before it counts as idle: this may call a listener. */
    if (rpool__worker_missing_locked(pool)) {
        rpool__step_out(pool);
        lock_take(&pool->lock);
        return;
    }
    int64_t until = rpool__may_create_locked(pool)
                        ? rpool__retry_due_locked(pool)
                        : CLOCK_NEVER;
    if (until != CLOCK_NEVER)
        pool->alarm_at = until;
    pool->idle_workers++;
    rpool__sleep_locked(pool, &pool->work, until);
    pool->idle_workers--;
    pool->alarm_at = CLOCK_NEVER; /* another's: one is woken in vain */
}

/* Whether the worker is not needed any more: it was started for a check or for
 * a stuck worker.  It then ends by itself, and nobody joins it. */
static int is_surplus_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool)
{
    if (pool->stopping || pool->workers <= rpool__most_workers_locked(pool))
        return 0;
    worker->running = 0;
    thread_detach(&worker->thread);
    return 1;
}

void *rpool__worker_run(void *arg) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    struct pool_thread *self = arg;
    struct pool *pool = self->pool;
    struct inside here;
    rpool__go_in(&here, pool); /* to the end of the thread */
    thread_begin(pool->name);
    lock_take(&pool->lock);
    thread_self(&self->thread);
    pool->idle_workers--;
    for (;;) {
        rpool__go_busy_locked(pool);
        int worked = work_locked(pool, self);
        pool->busy--;
        if (is_surplus_locked(pool, self))
            break;
        if (worked)
            continue;
        if (pool->stopping)
            break;
        rest_locked(pool);
    }
    if (pool->stopping)
        self->exited = 1;
    pool->workers--;
    pool->threads--;
    cond_wake_all(&pool->changed);
    rpool__unlock(pool);
    return NULL;
}

int rpool__start_worker(struct pool *pool, int index)
{
    struct pool_thread *w = &pool->worker[index];
    struct thread unheeded;
    int rc = thread_start(&unheeded, rpool__worker_run, w);
    if (rc == 0)
        return 0;
    lock_take(&pool->lock);
    w->running = 0;
    pool->workers--;
    pool->idle_workers--;
    pool->threads--;
    pool->hire_at = clock_now() + HIRE_RETRY;
    if ((atom_load(&pool->gate) & GATE_CLOSED) == 0) /* else it makes do */
        rpool__arm_locked(pool, pool->hire_at);
    rpool__settle_locked(pool);
    cond_wake_all(&pool->changed); /* a close waits for it as for a thread */
    /* A thread of the pool leaves the event to a worker, and so does a thread
     * in a callback: the listener may wait for what that thread holds. */
    int leaves_it = rpool__is_inside(pool);
    if (leaves_it)
        rpool__degraded_locked(pool, NO_WORKER);
    pool->inside++;
    lock_drop(&pool->lock);
    if (!leaves_it)
        rpool__emit(pool,
                    &(rpool_event){.type = RPOOL_EVENT_DEGRADED,
                                   .message = "cannot start another worker"});
    lock_take(&pool->lock);
    pool->inside--;
    rpool__unlock(pool);
    return rc;
}
