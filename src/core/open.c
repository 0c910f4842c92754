/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Open: check the options, take a cell, start the threads. */
#include "alarm.h"
#include "chunk.h"
#include "cleaner.h"
#include "entry.h"
#include "failure.h"
#include "handle.h"
#include "settle.h"
#include "worker.h"

#include "base/sized.h"

#include <stdlib.h>
#include <string.h>

/* The sizes of the smallest structs that open accepts.  A provider must have
 * create and destroy; every option has a default. */
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
    int max = o->max_size == 0 ? RPOOL_DEFAULT_SIZE : o->max_size;
    if (provider->create == NULL || provider->destroy == NULL)
        return "the provider has no create or no destroy function";
    if (max < 1 || max > MAX_ITEMS)
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

static struct config make_config(const rpool_provider *provider,
                                 const rpool_options *o)
{
    return (struct config){
        .create_concurrency = o->create_concurrency == 0
                                  ? RPOOL_DEFAULT_CONCURRENCY
                                  : o->create_concurrency,
        .max_waiters = o->max_waiters == 0 ? RPOOL_NEVER : o->max_waiters,
        .max_uses = o->max_uses <= 0 ? UINT64_MAX : (uint64_t)o->max_uses,
        .create_timeout =
            span(o->create_timeout_ms, RPOOL_DEFAULT_CREATE_TIMEOUT_MS),
        .create_retry_max =
            span(o->create_retry_max_ms, RPOOL_DEFAULT_CREATE_RETRY_MAX_MS),
        .idle_timeout = span(o->idle_timeout_ms, RPOOL_DEFAULT_IDLE_TIMEOUT_MS),
        .lifetime = span(o->max_lifetime_ms, RPOOL_DEFAULT_MAX_LIFETIME_MS),
        .keepalive =
            span(provider->check == NULL ? RPOOL_NEVER : o->keepalive_ms,
                 RPOOL_NEVER),
        .leak_after = span(o->leak_after_ms, RPOOL_NEVER)};
}

/* Without provider.check no item is checked, and without provider.look no item
 * is looked at. */
static void set_rules(struct check_rules *rules, const rpool_provider *provider,
                      const rpool_options *o)
{
    int64_t check = o->check_always
                        ? INT64_MIN
                        : span(o->check_after_ms, RPOOL_DEFAULT_CHECK_AFTER_MS);
    if (provider->check == NULL)
        check = CLOCK_NEVER;
    int64_t look = provider->look == NULL ? CLOCK_NEVER : 2 * CLOCK_COARSE_TICK;

    atom_put(&rules->check_due, (uint64_t)check);
    atom_put(&rules->look_due, (uint64_t)look);
    atom_put(&rules->ready_due, (uint64_t)(check < look ? check : look));
    atom_put(&rules->suspect, 0);
    atom_put(&rules->tracks_use,
             provider->reset != NULL && provider->unused_is_clean);
}

static void configure(struct pool *pool, const rpool_provider *provider,
                      void *ctx, const rpool_options *o)
{
    pool->provider = *provider;
    if (pool->provider.noun == NULL)
        pool->provider.noun = "item";
    pool->ctx = ctx;
    pool->on_event = o->on_event;
    pool->on_event_arg = o->arg;
    pool->config = make_config(provider, o);
    pool->limits = (struct limits){
        .max_size = o->max_size == 0 ? RPOOL_DEFAULT_SIZE : o->max_size,
        .min_size = o->min_size};
    set_rules(&pool->rules, provider, o);

    int needs_reset =
        provider->reset != NULL && !atom_peek(&pool->rules.tracks_use);
    pool->release_is_trivial = pool->on_event == NULL && !needs_reset;
}

static void reset_lists(struct slot_lists *lists)
{
    list_init(&lists->empty);
    list_init(&lists->closing);
    list_init(&lists->checks_begun);
    list_init(&lists->checks_requested);
    list_init(&lists->keepalives);
    list_init(&lists->leaks);
}

/* Clears the fields that the last pool in this cell has left.  The memory of
 * its slots stays. */
static void reset_cell(struct pool *pool)
{
    assert(pool->refs == 0 && !pool_is_open(pool));
    pool->unsettled = pool->closable_idle = 0;
    pool->counts = (struct counts){0};
    pool->demand = (struct demand){0};
    pool->backoff = (struct backoff){0};
    pool->checks = (struct checks){0};
    pool->reports = (struct reports){0};
    pool->stats = (rpool_stats){0};
    pool->threads = (struct threads){.worker_run = rpool__worker_run,
                                     .worker_wake_at = CLOCK_NEVER};
    pool->threads.cleaner.pool = pool;
    reset_lists(&pool->lists);

    /* Ticket 1 is kept for callers that go before all waiters. */
    pool->queue = (struct waiter_queue){.last_ticket = 1};
    list_init(&pool->queue.waiters);
    list_init(&pool->queue.answered);

    atom_put(&pool->alarm.wake_at, 0);
    atom_put(&pool->alarm.idle_due, (uint64_t)CLOCK_NEVER);
    atom_store(&pool->slots.count, 0);
}

static int make_slots(struct pool *pool)
{
    struct list fresh;
    list_init(&fresh);
    if (rpool__grow(pool, (uint32_t)pool->limits.max_size, &fresh) != 0)
        return -1;

    lock_take(&pool->lock);
    rpool__add_locked(pool, (uint32_t)pool->limits.max_size, &fresh);
    rpool__unlock_quietly(pool);
    return 0;
}

/* Allocates what the pool needs before its threads start.  On failure nothing
 * is left, but for slots that the cell keeps. */
static rpool_status open_files(struct pool *pool, const char *name,
                               rpool_failure *why)
{
    pool->name = strdup(name == NULL ? "rpool" : name);
    if (pool->name == NULL)
        return rpool__fail(why, RPOOL_NOMEM, "no memory for the pool");
    if (make_slots(pool) != 0) {
        free(pool->name);
        return rpool__fail(why, RPOOL_NOMEM, "no memory for %d %ss",
                           pool->limits.max_size, pool->provider.noun);
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

/* The first worker could not be started. */
static void stop_cleaner(struct pool *pool, struct thread *cleaner)
{
    lock_take(&pool->lock);
    pool->threads.stopping = 1;
    rpool__unlock_quietly(pool);
    watch_wake(&pool->watch);
    thread_join(cleaner);
}

static int start_threads(struct pool *pool)
{
    assert(!pool_is_open(pool));
    lock_take(&pool->lock);
    pool->threads.cleaner.running = pool->threads.worker[0].running = 1;
    pool->threads.workers = pool->threads.idle_workers = 1;
    pool->threads.running = 2;
    rpool__unlock_quietly(pool);

    struct thread cleaner, worker;
    if (thread_start(&cleaner, rpool__cleaner_run, &pool->threads.cleaner) != 0)
        return -1;
    pool->threads.worker[0].pool = pool;
    if (thread_start(&worker, pool->threads.worker_run,
                     &pool->threads.worker[0]) == 0)
        return 0;
    stop_cleaner(pool, &cleaner);
    return -1;
}

rpool_status rpool_open(rpool **out, const rpool_provider *provider, void *ctx,
                        const rpool_options *options, rpool_failure *why)
{
    if (out == NULL)
        return rpool__fail(why, RPOOL_INVALID,
                           "the pointer to the pool is NULL");
    *out = NULL;
    rpool_provider known = {0};
    rpool_options o = {0};
    rpool_status status = read_arguments(&known, &o, provider, options, why);
    if (status != RPOOL_OK)
        return status;

    struct pool *pool = NULL;
    status = rpool__cell_take(&pool, why);
    if (status != RPOOL_OK)
        return status;

    /* A late caller of the cell's last pool may read these fields. */
    lock_take(&pool->lock);
    configure(pool, &known, ctx, &o);
    reset_cell(pool);
    rpool__unlock_quietly(pool);

    status = open_files(pool, o.name, why);
    if (status == RPOOL_OK && start_threads(pool) != 0) {
        rpool__cell_close_files(pool);
        status = rpool__fail(why, RPOOL_SYSTEM, "cannot start a thread");
    }
    if (status != RPOOL_OK) {
        rpool__cell_free(pool);
        return status;
    }

    uint64_t handle = rpool__next_serial() << CELL_BITS | (uint64_t)pool->cell;
    lock_take(&pool->lock);
    pool->refs++;
    atom_store(&pool->gate, gate_open(handle));
    rpool__set_idle_due_locked(pool);
    rpool__settle_locked(pool);
    rpool__leave_and_drain(pool);

    if (why != NULL)
        *why = (rpool_failure){0};
    *out = (rpool *)(uintptr_t)handle;
    return RPOOL_OK;
}
