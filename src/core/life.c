/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Open, wait, resize, recycle, suspend, resume, close, and the end.
 *
 * A closed pool is over when nothing of it runs and nothing is leased: no slot
 * is occupied, no thread is left, no call is inside.  Whoever makes that true
 * ends it, in rpool__unlock: the closing thread, the last release, or a worker
 * that was left behind in a creation.
 */
#include "internal.h"

#include "base/sized.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- open ---- */

/* The sizes of the smallest structs that open accepts: without create and
 * destroy there is no pool, while every option has a default. */
enum {
    SMALLEST_PROVIDER = offsetof(rpool_provider, check),
    SMALLEST_OPTIONS = offsetof(rpool_options, max_size)
};

static int64_t span(int ms, int fallback_ms)
{
    int64_t chosen = ms == 0 ? fallback_ms : ms;
    return chosen < 0 ? CLOCK_NEVER : chosen * CLOCK_MS;
}

static const char *bad_option(const rpool_provider *provider,
                              const rpool_options *o)
{
    int max = o->max_size == 0 ? 10 : o->max_size;
    if (provider->create == NULL || provider->destroy == NULL)
        return "the provider has no create or no destroy function";
    if (max < 1 || max > MAX_SIZE)
        return "max_size is not in 1 to 10000";
    if (o->min_size < 0 || o->min_size > max)
        return "min_size is not in 0 to max_size";
    if (o->create_concurrency < 0 || o->create_concurrency > MAX_CONCURRENCY)
        return "create_concurrency is not in 1 to 64";
    const int times[] = {o->max_waiters,     o->create_timeout_ms,
                         o->idle_timeout_ms, o->max_lifetime_ms,
                         o->max_uses,        o->check_after_ms,
                         o->keepalive_ms,    o->leak_after_ms};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i] < RPOOL_NEVER)
            return "a limit is below RPOOL_NEVER";
    if (o->create_retry_max_ms < 0)
        return "create_retry_max_ms is negative";
    return NULL;
}

/* Checks the caller's structs, which may be those of an older or a newer
 * header, and copies them into `to` and `o`. */
static rpool_status read_arguments(rpool_provider *to, rpool_options *o,
                                   const rpool_provider *provider,
                                   const rpool_options *options,
                                   rpool_failure *why)
{
    if (provider == NULL)
        return rpool__fail(why, RPOOL_INVALID, "the provider is NULL");
    const char *bad = sized_read(to, sizeof *to, SMALLEST_PROVIDER, provider);
    if (bad != NULL)
        return rpool__fail(why, RPOOL_INVALID, "rpool_provider %s", bad);

    *o = (rpool_options){.size = sizeof *o};
    if (options != NULL)
        bad = sized_read(o, sizeof *o, SMALLEST_OPTIONS, options);
    if (bad != NULL)
        return rpool__fail(why, RPOOL_INVALID, "rpool_options %s", bad);

    bad = bad_option(to, o);
    if (bad != NULL)
        return rpool__fail(why, RPOOL_INVALID, "%s", bad);
    return RPOOL_OK;
}

static void configure(struct pool *pool, const rpool_provider *provider,
                      void *ctx, const rpool_options *o)
{
    pool->provider = *provider;
    if (pool->provider.noun == NULL)
        pool->provider.noun = "item";
    pool->ctx = ctx;
    pool->on_event = o->on_event;
    pool->arg = o->arg;
    pool->max_size = o->max_size == 0 ? 10 : o->max_size;
    pool->min_size = o->min_size;
    pool->max_waiters = o->max_waiters == 0 ? RPOOL_NEVER : o->max_waiters;
    pool->max_uses = o->max_uses <= 0 ? UINT64_MAX : (uint64_t)o->max_uses;
    pool->create_concurrency =
        o->create_concurrency == 0 ? 2 : o->create_concurrency;
    pool->create_timeout = span(o->create_timeout_ms, 30000);
    pool->create_retry_max = span(o->create_retry_max_ms, 1000);
    pool->idle_timeout = span(o->idle_timeout_ms, 600000);
    pool->lifetime = span(o->max_lifetime_ms, 1800000);
    pool->check_after = span(o->check_after_ms, 500);
    int64_t due = o->check_always ? INT64_MIN : pool->check_after;
    if (provider->check == NULL)
        due = CLOCK_NEVER;
    int64_t look = provider->look == NULL ? CLOCK_NEVER : 2 * CLOCK_COARSE_TICK;
    atom_put(&pool->check_due, (uint64_t)due);
    atom_put(&pool->look_due, (uint64_t)look);
    atom_put(&pool->ready_due, (uint64_t)(due < look ? due : look));
    pool->keepalive = span(
        provider->check == NULL ? RPOOL_NEVER : o->keepalive_ms, RPOOL_NEVER);
    pool->leak = span(o->leak_after_ms, RPOOL_NEVER);
    int marks_use = provider->reset != NULL && provider->unused_is_clean;
    atom_put(&pool->marks_use, (uint64_t)marks_use);
    pool->plain =
        pool->on_event == NULL && (provider->reset == NULL || marks_use);
}

/* What a recycled shell still has of its last pool. */
static void reset_shell(struct pool *pool)
{
    pool->occupied = pool->creating = pool->leaving = pool->ageing = 0;
    pool->may_leave = 0;
    pool->unsettled = pool->keeping = pool->checkers = 0;
    pool->stuck = pool->stuck_creating = 0;
    pool->awaiting = 0;
    pool->asked = pool->waiting = pool->workers = pool->idle_workers = 0;
    pool->busy = pool->threads = 0;
    pool->cleaner_asleep = pool->failures = pool->stopping = 0;
    pool->retry_at = pool->urgent_at = 0;
    pool->good_since = pool->last_create_ns = 0;
    pool->round = 0;
    pool->alarm_at = CLOCK_NEVER;
    pool->hire_at = 0;
    pool->tickets = 1; /* keep_place has that one */
    pool->failure = (rpool_failure){0};
    pool->stats = (rpool_stats){0};
    list_init(&pool->line);
    list_init(&pool->answered);
    list_init(&pool->disposals);
    list_init(&pool->handed);
    list_init(&pool->wished);
    list_init(&pool->keepalives);
    list_init(&pool->leaks);
    pool->to_tell = 0;
    pool->telling = pool->tellers = 0;
    (void)memset(pool->worker, 0, sizeof pool->worker);
    pool->cleaner = (struct pool_thread){.pool = pool};
    atom_put(&pool->suspect, 0);
    atom_put(&pool->next_wake, 0);
    atom_put(&pool->idle_due, (uint64_t)CLOCK_NEVER);
    list_init(&pool->empty);
    atom_store(&pool->nslots, 0); /* of a larger pool, only the memory stays */
}

static int make_slots(struct pool *pool)
{
    struct list fresh;
    list_init(&fresh);
    if (rpool__grow(pool, (uint32_t)pool->max_size, &fresh) != 0)
        return -1;
    lock_take(&pool->lock);
    rpool__add_locked(pool, (uint32_t)pool->max_size, &fresh);
    lock_drop(&pool->lock);
    return 0;
}

/* Everything that can fail without a thread running yet. */
static rpool_status acquire_means(struct pool *pool, const char *name,
                                  rpool_failure *why)
{
    pool->name = strdup(name == NULL ? "rpool" : name);
    if (pool->name == NULL)
        return rpool__fail(why, RPOOL_NOMEM, "no memory for the pool");
    if (make_slots(pool) != 0) {
        free(pool->name);
        return rpool__fail(why, RPOOL_NOMEM, "no memory for %d %ss",
                           pool->max_size, pool->provider.noun);
    }
    if (rpool__fork_guard() != 0 || watch_open(&pool->watch) != 0) {
        free(pool->name);
        return rpool__fail(why, RPOOL_SYSTEM, "cannot make an epoll set");
    }
    pool->stop_fd = stop_open();
    if (pool->stop_fd < 0) {
        watch_close(&pool->watch);
        free(pool->name);
        return rpool__fail(why, RPOOL_SYSTEM, "cannot make an eventfd");
    }
    return RPOOL_OK;
}

static void release_means(struct pool *pool)
{
    stop_close(pool->stop_fd);
    watch_close(&pool->watch);
    free(pool->name);
    pool->name = NULL;
}

/* The first worker could not be started: the cleaner goes again. */
static void stop_cleaner(struct pool *pool, struct thread *cleaner)
{
    lock_take(&pool->lock);
    pool->stopping = 1;
    lock_drop(&pool->lock);
    watch_wake(&pool->watch);
    thread_join(cleaner);
}

static int start_threads(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->cleaner.running = pool->worker[0].running = 1;
    pool->workers = pool->idle_workers = 1;
    pool->threads = 2;
    lock_drop(&pool->lock);
    struct thread cleaner, worker;
    if (thread_start(&cleaner, rpool__cleaner_run, &pool->cleaner) != 0)
        return -1;
    pool->worker[0].pool = pool;
    if (thread_start(&worker, rpool__worker_run, &pool->worker[0]) == 0)
        return 0;
    stop_cleaner(pool, &cleaner);
    return -1;
}

rpool_status rpool_open(rpool **out, const rpool_provider *provider, void *ctx,
                        const rpool_options *options, rpool_failure *why)
{
    if (out == NULL)
        return rpool__fail(why, RPOOL_INVALID, "no place for the pool");
    *out = NULL;
    rpool_provider known;
    rpool_options o;
    rpool_status status = read_arguments(&known, &o, provider, options, why);
    if (status != RPOOL_OK)
        return status;
    struct pool *pool = NULL;
    status = rpool__shell_take(&pool, why);
    if (status != RPOOL_OK)
        return status;
    lock_take(&pool->lock); /* a straggler of the last pool may look in */
    configure(pool, &known, ctx, &o);
    reset_shell(pool);
    lock_drop(&pool->lock);
    status = acquire_means(pool, o.name, why);
    if (status == RPOOL_OK && start_threads(pool) != 0) {
        release_means(pool);
        status = rpool__fail(why, RPOOL_SYSTEM, "cannot start a thread");
    }
    if (status != RPOOL_OK) {
        rpool__shell_free(pool);
        return status;
    }
    uint64_t handle =
        rpool__next_serial() << SHELL_BITS | (uint64_t)pool->shell;
    lock_take(&pool->lock);
    atom_store(&pool->gate, gate_open(handle));
    rpool__set_idle_due_locked(pool);
    rpool__settle_locked(pool);
    rpool__unlock(pool);
    if (why != NULL)
        *why = (rpool_failure){0};
    *out = (rpool *)(uintptr_t)handle;
    return RPOOL_OK;
}

/* ---- at run time ---- */

rpool_status rpool_wait(rpool *handle, int timeout_ms, rpool_failure *why)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_status status = RPOOL_OK;
    if (!rpool__enter(pool, (uintptr_t)handle)) {
        return rpool__refusal(pool, why);
    }
    int64_t deadline = clock_after(clock_now(), timeout_ms);
    int inside = rpool__is_inside(pool);
    pool->awaiting++;
    rpool__wake_workers_locked(pool);
    for (;;) {
        if (atom_load(&pool->gate) & GATE_CLOSED)
            status = RPOOL_CLOSED;
        else if (pool_existing(pool) >= pool->min_size)
            break;
        else if (pool->failure.permanent && clock_now() < pool->urgent_at)
            status = RPOOL_CREATE;
        else if (inside)
            status = RPOOL_BUSY;
        else if (clock_now() >= deadline)
            status = RPOOL_TIMEOUT;
        if (status != RPOOL_OK)
            break;
        rpool__sleep_locked(pool, &pool->changed, deadline);
    }
    pool->awaiting--;
    if (status != RPOOL_OK) {
        rpool__step_out(pool);
        if (inside)
            (void)rpool__fail(why, status, "%s", rpool__inside_text);
        else
            rpool__explain(pool, why, status, -1);
        lock_take(&pool->lock);
    }
    pool->inside--;
    rpool__unlock(pool);
    return status;
}

static void leave(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock))
{
    rpool__set_idle_due_locked(pool);
    rpool__arm_locked(pool, 0);
    rpool__settle_locked(pool);
    pool->inside--;
    rpool__unlock(pool);
}

/* It may be megabytes, so the mutex is dropped meanwhile. */
static int grow_locked(struct pool *pool, uint32_t nslots) POOL_LOCKED(pool)
{
    while (pool->growing)
        rpool__sleep_locked(pool, &pool->changed, CLOCK_NEVER);
    /* Not rpool__step_out: a listener that resizes would wait for itself. */
    pool->growing = 1;
    struct list fresh;
    list_init(&fresh);
    lock_drop(&pool->lock);
    int rc = rpool__grow(pool, nslots, &fresh);
    lock_take(&pool->lock);
    if (rc == 0)
        rpool__add_locked(pool, nslots, &fresh);
    pool->growing = 0;
    cond_wake_all(&pool->changed);
    return rc;
}

rpool_status rpool_resize(rpool *handle, int max_size, int min_size)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_status status = RPOOL_OK;
    if (max_size < 1 || max_size > MAX_SIZE || min_size < 0 ||
        min_size > max_size)
        return RPOOL_INVALID;
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);
    int rc = grow_locked(pool, (uint32_t)max_size);
    if (atom_load(&pool->gate) & GATE_CLOSED)
        status = RPOOL_CLOSED;
    else if (rc != 0)
        status = RPOOL_NOMEM;
    else {
        pool->max_size = max_size;
        pool->min_size = min_size;
        cond_wake_all(&pool->changed); /* a wait may be over */
    }
    leave(pool);
    return status;
}

rpool_status rpool_recycle(rpool *handle)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);
    for (uint32_t i = 0; i < atom_load(&pool->nslots); i++) {
        rpool__mark_locked(pool, pool_slot(pool, i), SLOT_RECYCLED);
        if ((i + 1) % HOLD_BATCH == 0) {
            rpool__step_out(pool);
            lock_take(&pool->lock);
        }
    }
    pool->failures = 0; /* what failed may be what the recycle is for */
    pool->retry_at = pool->urgent_at = 0;
    leave(pool);
    return RPOOL_OK;
}

static rpool_status set_suspended(rpool *handle, int suspended)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_status status = RPOOL_OK;
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);
    if (atom_load(&pool->gate) & GATE_CLOSED)
        status = RPOOL_CLOSED;
    else if (suspended)
        (void)atom_or(&pool->gate, GATE_SUSPENDED);
    else
        (void)atom_and(&pool->gate, ~(uint64_t)GATE_SUSPENDED);
    leave(pool);
    return status;
}

rpool_status rpool_suspend(rpool *handle)
{
    return set_suspended(handle, 1);
}

rpool_status rpool_resume(rpool *handle)
{
    return set_suspended(handle, 0);
}

/* ---- close ---- */

void rpool__begin_close_locked(struct pool *pool)
{
    (void)atom_or(&pool->gate, GATE_CLOSED);
    stop_raise(pool->stop_fd);
    rpool__settle_locked(pool);
    cond_wake_all(&pool->changed);
}

/* The timeout is for what is leased or being created; what is only being
 * destroyed, which does not block, gets a moment anyway. */
static void await_items_locked(struct pool *pool, int64_t deadline)
    POOL_LOCKED(pool)
{
    int64_t moment = clock_after(clock_now(), 100);
    while (pool->occupied > 0) {
        int64_t until = deadline;
        if (pool->occupied == pool->leaving && moment > deadline)
            until = moment;
        if (clock_now() >= until)
            return;
        rpool__sleep_locked(pool, &pool->changed, until);
    }
}

/* The threads that are not in the provider's hands end, and until the deadline
 * the others may. */
static void stop_threads_locked(struct pool *pool, int64_t deadline)
    POOL_LOCKED(pool)
{
    pool->stopping = 1;
    cond_wake_all(&pool->work);
    watch_wake(&pool->watch);
    while (pool->threads > pool->busy)
        rpool__sleep_locked(pool, &pool->changed, CLOCK_NEVER);
    while (pool->threads > 0 && clock_now() < deadline)
        rpool__sleep_locked(pool, &pool->changed, deadline);
}

static void part_with(struct pool_thread *t, int exited)
{
    if (exited)
        thread_join(&t->thread);
    else
        thread_detach(&t->thread);
}

/* Joins the threads that have ended; one stuck in the provider is left behind
 * and ends by itself.  Only the first to come here finds any. */
static void part_with_threads(struct pool *pool)
{
    for (int i = -1; i < WORKERS; i++) {
        struct pool_thread *t = i < 0 ? &pool->cleaner : &pool->worker[i];
        lock_take(&pool->lock);
        int ours = t->running, exited = t->exited;
        t->running = 0;
        lock_drop(&pool->lock);
        if (ours)
            part_with(t, exited);
    }
}

rpool_status rpool_close(rpool **handle, int timeout_ms)
{
    if (handle == NULL || *handle == NULL)
        return RPOOL_OK;
    uint64_t word = (uintptr_t)*handle;
    struct pool *pool = rpool__pool_of(word);
    if (!rpool__enter(pool, word)) {
        *handle = NULL;
        return rpool__refusal(pool, NULL);
    }
    int64_t deadline = clock_after(clock_now(), timeout_ms);
    rpool__begin_close_locked(pool);
    if (rpool__is_inside(pool)) {
        pool->inside--;
        rpool__depart(pool);
        return RPOOL_BUSY;
    }
    *handle = NULL;
    rpool__step_out(pool);
    lock_take(&pool->lock);
    await_items_locked(pool, deadline);
    stop_threads_locked(pool, deadline);
    lock_drop(&pool->lock);
    part_with_threads(pool);
    lock_take(&pool->lock);
    pool->inside--;
    rpool_status status =
        pool->occupied + pool->threads > 0 ? RPOOL_TIMEOUT : RPOOL_OK;
    rpool__depart(pool);
    return status;
}

/* ---- the end ---- */

int rpool__is_over_locked(const struct pool *pool)
{
    return pool_is_open(pool) && pool->stopping && pool->occupied == 0 &&
           pool->threads == 0 && pool->inside == 0;
}

/* The serial goes first: nobody can enter any more. */
void rpool__end_locked(struct pool *pool)
{
    assert(list_empty(&pool->answered)); /* its waiters are inside */
    atom_store(&pool->gate, GATE_CLOSED);
    atom_store(&pool->next_wake, 0); /* and nobody arms the cleaner */
    lock_drop(&pool->lock);
    rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_FREED});
    if (pool->provider.done != NULL)
        pool->provider.done(pool->ctx);
    release_means(pool);
    rpool__shell_free(pool);
}
