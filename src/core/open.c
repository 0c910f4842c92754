/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Open. */
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
    rpool__unlock_quietly(pool);
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

/* The first worker could not be started: the cleaner goes again. */
static void stop_cleaner(struct pool *pool, struct thread *cleaner)
{
    lock_take(&pool->lock);
    pool->stopping = 1;
    rpool__unlock_quietly(pool);
    watch_wake(&pool->watch);
    thread_join(cleaner);
}

static int start_threads(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->worker_run = rpool__worker_run;
    pool->cleaner.running = pool->worker[0].running = 1;
    pool->workers = pool->idle_workers = 1;
    pool->threads = 2;
    rpool__unlock_quietly(pool);
    struct thread cleaner, worker;
    if (thread_start(&cleaner, rpool__cleaner_run, &pool->cleaner) != 0)
        return -1;
    pool->worker[0].pool = pool;
    if (thread_start(&worker, pool->worker_run, &pool->worker[0]) == 0)
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
    rpool__unlock_quietly(pool);
    status = acquire_means(pool, o.name, why);
    if (status == RPOOL_OK && start_threads(pool) != 0) {
        rpool__release_means(pool);
        status = rpool__fail(why, RPOOL_SYSTEM, "cannot start a thread");
    }
    if (status != RPOOL_OK) {
        rpool__shell_free(pool);
        return status;
    }
    uint64_t handle =
        rpool__next_serial() << SHELL_BITS | (uint64_t)pool->shell;
    lock_take(&pool->lock);
    pool->inside++;
    atom_store(&pool->gate, gate_open(handle));
    rpool__set_idle_due_locked(pool);
    rpool__settle_locked(pool);
    rpool__leave_and_drain(pool);
    if (why != NULL)
        *why = (rpool_failure){0};
    *out = (rpool *)(uintptr_t)handle;
    return RPOOL_OK;
}
