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

/* What lasts that long was made well; and what the system refuses it is not
 * asked for again before. */
#define MOMENT (1000 * CLOCK_MS)

static struct atom last_number; /* of resources, in the process */

static uint64_t next_number(void)
{
    uint64_t number = atom_load(&last_number);
    while (!atom_cas(&last_number, &number, number + 1))
        ;
    return number + 1;
}

/* ---- what there is to do ---- */

int rpool__need_locked(const struct pool *pool)
{
    uint64_t gate = atom_load(&pool->gate);
    if (gate & GATE_CLOSED)
        return 0;
    int wanted = (gate & GATE_SUSPENDED ? 0 : pool->waiting) + pool->asked;
    int fresh = pool_live(pool) - pool->creating - pool->ageing;
    int missing = pool->min_size - fresh;
    int need = (wanted > missing ? wanted : missing) - pool->creating;
    int room = pool->max_size - pool->occupied;
    return need < room ? need : room;
}

/* After a failure one prober at a time, until one succeeds. */
static int may_create_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int at_once = pool_is_failing(pool) ? 1 : pool->create_concurrency;
    return pool->creating < at_once && rpool__need_locked(pool) > 0;
}

static int jobs_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return !list_empty(&pool->disposals) + !list_empty(&pool->checks) +
           may_create_locked(pool);
}

/* Only the end of a pause is missing, and a worker wakes for that by itself. */
static int alarm_is_set_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->alarm_at <= pool->retry_at && clock_now() < pool->retry_at &&
           may_create_locked(pool);
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
           pool->workers <= pool->create_concurrency && jobs_locked(pool) > 0 &&
           clock_now() >= pool->hire_at;
}

void rpool__go_busy_locked(struct pool *pool)
{
    pool->busy++;
    if (pool->stopping)
        cond_wake_all(&pool->changed); /* a close need not wait for it */
}

/* Drops the mutex for a job that was taken.  The wake is passed on: several
 * jobs may have had one. */
static void begin(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    rpool__wake_workers_locked(pool);
    rpool__step_out(pool);
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
    rpool__emit_slot(pool, slot, RPOOL_EVENT_CLOSED, 0);
    rpool__unwatch(pool, slot);
    struct inside here;
    rpool__go_in(&here, pool);
    pool->provider.destroy(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
}

void rpool__run_disposals_locked(struct pool *pool)
{
    while (!list_empty(&pool->disposals)) {
        struct slot *slot =
            container_of(list_pop_front(&pool->disposals), struct slot, node);
        begin(pool);
        destroy(pool, slot);
        lock_take(&pool->lock);
        pool->leaving--;
        pool->stats.closed++;
        pool->stats.closed_by[slot->reason]++;
        rpool__empty_locked(pool, slot);
        rpool__wake_workers_locked(pool); /* there is room again */
    }
}

/* ---- check ---- */

/* The owner's, holding nothing.  A bad one makes all that were idle then
 * suspect: they are checked before they are lent, whatever their age. */
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
    if (verdict == RPOOL_GOOD)
        atom_put(&slot->proven, (uint64_t)clock_coarse());
    else if (verdict != RPOOL_AGAIN)
        atom_put(&pool->suspect, (uint64_t)clock_now());
    return verdict;
}

void rpool__queue_check_locked(struct pool *pool, struct slot *slot, int trying)
{
    pool->keeping = 1;
    pool->trying = trying;
    list_push_back(&pool->checks, &slot->node);
}

static void check_idle_locked(struct pool *pool) POOL_LOCKED(pool)
{
    struct slot *slot =
        container_of(list_pop_front(&pool->checks), struct slot, node);
    int64_t deadline =
        pool->trying
            ? 0
            : clock_after(clock_now(), pool->create_timeout / CLOCK_MS);
    begin(pool);
    int verdict = rpool__run_check(pool, slot, deadline);
    if (verdict == RPOOL_AGAIN) /* others first: a lease waits for it anyway */
        atom_put(&slot->proven, (uint64_t)clock_coarse());
    lock_take(&pool->lock);
    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        rpool__dispose_locked(pool, slot, RPOOL_REASON_CHECK);
    else if (!slot_make_idle(pool, slot,
                             verdict == RPOOL_AGAIN ? SLOT_ANSWER : 0))
        rpool__dispose_locked(pool, slot,
                              rpool__flag_reason(atom_load(&slot->word)));
    rpool__arm_slot_locked(pool, slot);
    if (pool->keep_more)
        rpool__arm_locked(pool, 0);
    pool->keeping = pool->keep_more = 0;
    rpool__settle_locked(pool);
}

/* ---- create ---- */

static struct slot *occupy_locked(struct pool *pool) POOL_LOCKED(pool)
{
    for (uint32_t i = 0;; i++) {
        struct slot *slot = pool_slot(pool, i);
        uint64_t word = atom_load(&slot->word);
        if (word_state(word) == SLOT_EMPTY) {
            atom_store(&slot->word, word_with(word, SLOT_CREATING));
            pool->occupied++;
            pool->creating++;
            pool->asked = 0;
            return slot;
        }
    }
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
    atom_put(&slot->lent_since, 0);
    atom_put(&slot->expires, CLOCK_NEVER);
    if (pool->lifetime != CLOCK_NEVER) {
        int64_t jitter = (int64_t)random_below((uint64_t)pool->lifetime / 4);
        atom_put(&slot->expires, now + (uint64_t)(pool->lifetime - jitter));
    }
}

static void watch_slot(struct pool *pool, struct slot *slot)
{
    int fd = pool->provider.fd == NULL ? -1 : fd_of(pool, slot);
    if (fd < 0)
        return;
    uint64_t token = atom_peek(&slot->number) << SLOT_BITS | slot->index;
    if (watch_add(&pool->watch, fd, token) == 0)
        slot->fd = fd;
    else
        rpool__emit(pool,
                    &(rpool_event){.type = RPOOL_EVENT_DEGRADED,
                                   .item = atom_peek(&slot->number),
                                   .message = "cannot watch for a hang-up"});
}

/* It ends the pause of one that has failed, but not of an item that was lost:
 * what becomes of this one is not known yet. */
static void end_pause_locked(struct pool *pool, int64_t now) POOL_LOCKED(pool)
{
    if (!pool_is_failing(pool) || (pool->lost && now < pool->retry_at))
        return;
    pool->retry_at = 0;
    pool->good_since = now;
}

static void created_locked(struct pool *pool, struct slot *slot, int64_t took)
    POOL_LOCKED(pool)
{
    end_pause_locked(pool, clock_now());
    pool->last_create_ns = took;
    pool->stats.created++;
    pool->stats.create_us += (uint64_t)(took / 1000);
    if (pool->occupied - pool->leaving > pool->max_size)
        rpool__dispose_locked(pool, slot, RPOOL_REASON_RESIZE);
    else if (!slot_make_idle(pool, slot, 0))
        rpool__dispose_locked(pool, slot,
                              rpool__flag_reason(atom_load(&slot->word)));
    rpool__set_idle_due_locked(pool);
    rpool__arm_slot_locked(pool, slot);
    if (pool->ageing > 0)
        rpool__arm_locked(pool, 0); /* the next one may leave */
}

/* Full jitter: anywhere up to 100 ms, doubling, at most create_retry_max.  A
 * row of failures ends when for a moment there was none. */
static void pause_locked(struct pool *pool, const rpool_failure *why)
    POOL_LOCKED(pool)
{
    if (!pool_is_failing(pool) && clock_now() - pool->good_since >= MOMENT)
        pool->failures = 0;
    pool->failure = *why;
    pool->lost = 0;
    int64_t most = 100 * CLOCK_MS;
    for (int i = 0; i < pool->failures && most < pool->create_retry_max; i++)
        most *= 2;
    if (most > pool->create_retry_max || why->permanent)
        most = pool->create_retry_max;
    if (pool->failures < INT32_MAX)
        pool->failures++;
    pool->retry_at =
        clock_now() +
        (why->permanent ? most : (int64_t)random_below((uint64_t)most));
}

/* Of those that are lost together the first has brought the pause. */
void rpool__lost_locked(struct pool *pool, const struct slot *slot,
                        rpool_reason reason)
{
    int64_t now = clock_now();
    if (atom_peek(&slot->leases) > atom_peek(&slot->first_lease) ||
        now - (int64_t)atom_peek(&slot->idle_since) >= MOMENT ||
        now < pool->retry_at)
        return;
    rpool_failure why;
    (void)rpool__fail(&why, RPOOL_CREATE, "a new %s left: %s",
                      pool->provider.noun, rpool_reason_text(reason));
    pause_locked(pool, &why);
    pool->lost = 1;
}

static void failed_locked(struct pool *pool, struct slot *slot,
                          const rpool_failure *why) POOL_LOCKED(pool)
{
    rpool__empty_locked(pool, slot);
    pool->stats.create_failed++;
    pause_locked(pool, why);
}

static int create(struct pool *pool, struct slot *slot, rpool_failure *why,
                  int64_t *took)
{
    int64_t start = clock_now();
    void *resource = NULL;
    int rc = pool->provider.create(
        pool->ctx, clock_after(start, pool->create_timeout / CLOCK_MS),
        pool->stop_fd, &resource, why);
    *took = clock_now() - start;
    if (rc == 0 && resource == NULL) {
        (void)rpool__fail(why, RPOOL_CREATE, "the provider made nothing");
        rc = -1;
    }
    if (rc == 0) {
        furnish(pool, slot, resource);
        watch_slot(pool, slot);
        rpool__emit_slot(pool, slot, RPOOL_EVENT_CREATED, *took / CLOCK_MS);
    } else {
        rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_CREATE_FAILED,
                                         .ms = *took / CLOCK_MS,
                                         .message = why->message,
                                         .failure = why});
    }
    return rc;
}

static void create_one_locked(struct pool *pool) POOL_LOCKED(pool)
{
    struct slot *slot = occupy_locked(pool);
    begin(pool);
    rpool_failure why = {0};
    int64_t took;
    int rc = create(pool, slot, &why, &took);
    lock_take(&pool->lock);
    pool->creating--;
    if (rc == 0)
        created_locked(pool, slot, took);
    else
        failed_locked(pool, slot, &why);
    cond_wake_all(&pool->changed);
    rpool__settle_locked(pool);
}

/* ---- the thread ---- */

/* 0: nothing to do now. */
static int work_locked(struct pool *pool) POOL_LOCKED(pool)
{
    if (!list_empty(&pool->disposals))
        rpool__run_disposals_locked(pool);
    else if (!list_empty(&pool->checks))
        check_idle_locked(pool);
    else if (may_create_locked(pool) && clock_now() >= pool->retry_at)
        create_one_locked(pool);
    else
        return 0;
    return 1;
}

void *rpool__worker_run(void *arg) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    struct pool_thread *self = arg;
    struct pool *pool = self->pool;
    struct inside here;
    rpool__go_in(&here, pool); /* to the end of the thread */
    thread_set_name(pool->name);
    lock_take(&pool->lock);
    thread_self(&self->thread);
    pool->idle_workers--;
    for (;;) {
        rpool__go_busy_locked(pool);
        int worked = work_locked(pool);
        pool->busy--;
        if (worked)
            continue;
        if (pool->stopping)
            break;
        int64_t until = may_create_locked(pool) ? pool->retry_at : CLOCK_NEVER;
        if (until != CLOCK_NEVER)
            pool->alarm_at = until;
        pool->idle_workers++;
        rpool__sleep_locked(pool, &pool->work, until);
        pool->idle_workers--;
        pool->alarm_at = CLOCK_NEVER; /* another's: one is woken in vain */
    }
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
    w->pool = pool;
    struct thread unheeded;
    int rc = thread_start(&unheeded, rpool__worker_run, w);
    if (rc == 0)
        return 0;
    lock_take(&pool->lock);
    w->running = 0;
    pool->workers--;
    pool->idle_workers--;
    pool->threads--;
    pool->hire_at = clock_now() + MOMENT;
    if ((atom_load(&pool->gate) & GATE_CLOSED) == 0) /* else it makes do */
        rpool__arm_locked(pool, pool->hire_at);
    cond_wake_all(&pool->changed); /* a close waits for it as for a thread */
    pool->inside++;
    lock_drop(&pool->lock);
    rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_DEGRADED,
                                     .message = "cannot start another worker"});
    lock_take(&pool->lock);
    pool->inside--;
    rpool__unlock(pool);
    return rc;
}
