/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The cases.  Each is one hand-shake of the core, as small as possible.  At the
 * end of all cases the same must hold: the pool is consistent, and no item and
 * no waiter is lost or counted twice.
 */
#include "core/alarm.h"
#include "core/close.h"
#include "core/entry.h"
#include "core/handle.h"
#include "core/settle.h"
#include "core/slot.h"
#include "machine.h"

#include <stdlib.h>

/* ---- the provider ---- */

static struct {
    int made, ended, done;
    int failures, bad; /* so many next creations and checks fail */
    int alive[MACHINE_RESOURCES];
} world;

static int make(void *ctx, int64_t deadline, int stop_fd, void **resource,
                rpool_failure *why)
{
    (void)ctx, (void)deadline, (void)stop_fd, (void)why;
    if (world.failures > 0) {
        world.failures--;
        return -1;
    }
    int id = world.made++;
    machine_check(id < MACHINE_RESOURCES, "too many are made");
    machine_touch(id);
    world.alive[id] = 1;
    *resource = &world.alive[id];
    return 0;
}

static void use(void *resource)
{
    int id = (int)((int *)resource - world.alive);
    machine_check(world.alive[id], "a resource is used after its end");
    machine_touch(id);
}

static void destroy(void *ctx, void *resource)
{
    (void)ctx;
    use(resource);
    *(int *)resource = 0;
    world.ended++;
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    (void)ctx, (void)idle_ms, (void)deadline;
    use(resource);
    if (world.bad == 0)
        return RPOOL_GOOD;
    world.bad--;
    return RPOOL_BAD;
}

static int reset(void *ctx, void *resource)
{
    (void)ctx;
    use(resource);
    return RPOOL_REUSE;
}

static void done(void *ctx)
{
    (void)ctx;
    world.done++;
}

/* ---- the pool of a case ---- */

static rpool *handle;
static struct pool *pool;
static struct atom running; /* borrowers that have not finished */

/* Touches the words before the threads start, because the first touch of a word
 * begins its history. */
static void touch_words(void)
{
    (void)atom_load(&pool_slot(pool, 0)->hint->maybe_idle);
    (void)atom_peek(&pool->rules.suspect);
    (void)atom_load(&pool->rules.tracks_use);
    for (uint32_t i = 0; i < (uint32_t)pool->limits.max_size; i++) {
        struct slot *slot = pool_slot(pool, i);
        const struct atom *words[] = {
            &slot->leased_since, &slot->idle_since, &slot->proven,
            &slot->expires,      &slot->leases,     &slot->checks,
            &slot->file,         &slot->func,       &slot->line,
            &slot->number,       &slot->leak,       &slot->first_lease,
            &slot->resource};
        (void)atom_load(&slot->word);
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
            (void)atom_peek(words[w]);
    }
}

/* Runs the worker until it sleeps.  A case runs it from the beginning, so that
 * it enters the pool again. */
static void prime_worker(void)
{
    machine_prime(1);
    pool->refs--;
}

/* filled: the worker creates min_size items before the case begins. */
static void open_pool(int borrowers, int filled, int with_reset,
                      const rpool_options *options)
{
    const rpool_provider provider = {.size = sizeof provider,
                                     .create = make,
                                     .destroy = destroy,
                                     .check = check,
                                     .reset = with_reset ? reset : NULL,
                                     .done = done};
    world.made = world.ended = world.done = world.failures = world.bad = 0;
    rpool_status status = rpool_open(&handle, &provider, NULL, options, NULL);
    machine_check(status == RPOOL_OK, "open fails");
    pool = rpool__pool_of((uintptr_t)handle);
    pool->refs++; /* the pool must not end before after() */
    atom_store(&running, (uint64_t)borrowers);
    if (filled)
        prime_worker();
    touch_words();
}
#define OPTIONS(...)                                                           \
    RPOOL_OPTIONS(.idle_timeout_ms = RPOOL_NEVER,                              \
                  .max_lifetime_ms = RPOOL_NEVER, .create_concurrency = 1,     \
                  __VA_ARGS__)

/* The last borrower ends the pool's threads. */
static void finish(void)
{
    uint64_t left = atom_load(&running);
    while (!atom_cas(&running, &left, left - 1))
        ;
    if (left > 1)
        return;
    lock_take(&pool->lock);
    pool->threads.stopping = 1;
    cond_wake_all(&pool->work_available);
    watch_wake(&pool->watch);
    lock_drop(&pool->lock);
}

static void check_slots(void)
{
    uint64_t gate = atom_load(&pool->gate);
    int occupied = 0;
    for (uint32_t i = 0; i < (uint32_t)atom_load(&pool->slots.count); i++) {
        const struct slot *slot = pool_slot(pool, i);
        uint64_t word = atom_load(&slot->word);
        occupied += word_state(word) != SLOT_EMPTY;
        if (word_state(word) == SLOT_EMPTY)
            continue;
        machine_check(word_state(word) == SLOT_IDLE, "a slot has no owner");
        machine_check((word & SLOT_MUST_CLOSE) == 0, "a marked item is idle");
        machine_check((gate & GATE_CLOSED) == 0, "a closed pool keeps an item");
        machine_check((atom_load(&slot->hint->maybe_idle) >> i & 1) != 0,
                      "an idle slot cannot be found");
        int64_t due = (int64_t)atom_peek(&slot->idle_since);
        if (pool->config.idle_timeout != CLOCK_NEVER && pool_live(pool) > 0)
            machine_check((int64_t)atom_load(&pool->alarm.wake_at) <=
                              due + pool->config.idle_timeout,
                          "the cleaner sleeps for too long");
    }
    machine_check(occupied == pool->counts.occupied, "occupied is miscounted");
    machine_check(occupied <= pool->limits.max_size,
                  "the pool is over its size");
    machine_check(world.made - world.ended == occupied, "an item is lost");
}

/* Frees the pool's memory, so that the next run does not see it. */
static void free_pool(void)
{
    machine_forget();
    /* The hint of slot 0 is at the start of the chunk of slots 0 and 1.  The
     * other slots up to 63 have no chunk. */
    for (uint32_t chunk = CHUNKS; chunk-- > 0;) {
        machine_check(pool->slots.chunks[chunk] == 0 || chunk < 6,
                      "a pool of a case has more than 64 slots");
        if (pool->slots.chunks[chunk] != 0)
            free(chunk == 0 ? (void *)pool_slot(pool, 0)->hint
                            : (void *)pool_slot(pool, chunk_first(chunk)));
    }
    free(pool);
}

/* Checks the end of a case that leaves the pool open. */
static void at_rest(void)
{
    if (pool->threads.stopping && !list_empty(&pool->lists.closing)) {
        lock_take(&pool->lock);
        rpool__drain_locked(pool);
        lock_drop(&pool->lock);
    }
    machine_check(list_empty(&pool->queue.waiters) && pool->queue.length == 0,
                  "somebody waits for ever");
    machine_check((atom_load(&pool->gate) & GATE_QUEUE) == 0,
                  "the gate says that somebody waits");
    machine_check(pool->counts.creating == 0 && pool->counts.closing == 0,
                  "creations or disposals are miscounted");
    check_slots();
    free(pool->name);
    free_pool();
}

/* The same, and the first item must be gone. */
static void replaced(void)
{
    machine_check(!world.alive[0], "a mark is lost");
    at_rest();
}

/* Checks the end of a case that closes the pool. */
static void over(void)
{
    machine_check(world.done == 1, "done was not called once");
    machine_check(world.made == world.ended, "a resource is left");
    machine_check(!pool_is_open(pool), "the handle still opens the pool");
    machine_check(pool->refs == 0 && pool->threads.running == 0, "miscounted");
    free_pool();
}

/* ---- borrowers ---- */

static rpool_status borrow(int timeout_ms)
{
    rpool_item *item = NULL;
    rpool_status status = rpool_acquire(handle, timeout_ms, &item, NULL);
    machine_check((status == RPOOL_OK) == (item != NULL),
                  "an item must come exactly with OK");
    if (item != NULL) {
        use(rpool_resource(item));
        rpool_release(&item);
    }
    return status;
}

static void borrow_for_ever(void)
{
    machine_check(borrow(-1) == RPOOL_OK, "an acquire without deadline fails");
}

static void borrow_for_a_while(void)
{
    rpool_status status = borrow(5);
    machine_check(status == RPOOL_OK || status == RPOOL_TIMEOUT,
                  "an acquire neither succeeds nor times out");
}

/* ---- one item, one thread ---- */

static void one_item(void)
{
    open_pool(2, 1, 0, OPTIONS(.max_size = 1, .min_size = 1));
}

/* The item is old, so that its loss starts no back-off. */
static void one_old_item(void)
{
    one_item();
    atom_put(&pool_slot(pool, 0)->idle_since, 0);
}

static void one_item_with_reset(void)
{
    open_pool(2, 1, 1, OPTIONS(.max_size = 1, .min_size = 1));
}

static void all_wait(int index)
{
    (void)index;
    borrow_for_ever();
    finish();
}

static void one_is_impatient(int index)
{
    if (index == 0)
        borrow_for_a_while();
    else
        borrow_for_ever();
    finish();
}

static void three_for_one_item(void)
{
    open_pool(3, 1, 0, OPTIONS(.max_size = 1, .min_size = 1));
}

static void all_are_impatient(int index)
{
    (void)index;
    borrow_for_a_while();
    finish();
}

/* ---- a lease that two threads end ---- */

static rpool_item *shared;

static void one_shared_lease(void)
{
    open_pool(3, 1, 0, OPTIONS(.max_size = 1, .min_size = 1));
    machine_check(rpool_acquire(handle, 0, &shared, NULL) == RPOOL_OK, "OK");
}

static void ended_twice(int index)
{
    rpool_item *item = shared;
    if (index < 2) {
        rpool_release(&item);
        finish();
        return;
    }
    machine_check(rpool_acquire(handle, -1, &item, NULL) == RPOOL_OK, "OK");
    const struct slot *slot = pool_slot(pool, 0);
    for (int i = 0; i < 2; i++) {
        machine_check(atom_peek(&slot->leased_since) != 0,
                      "a lease has no start time");
        use(rpool_resource(item));
    }
    rpool_release(&item);
    finish();
}

/* ---- two slots and tries: the hint ---- */

static void two_items(void)
{
    open_pool(2, 1, 0, OPTIONS(.max_size = 2, .min_size = 2));
}

static void try_twice(int index)
{
    (void)index;
    for (int i = 0; i < 2; i++) {
        rpool_status status = borrow(0);
        machine_check(status == RPOOL_OK || status == RPOOL_BUSY, "a try");
    }
    finish();
}

/* ---- what comes between ---- */

/* Recycle and a close by the peer mark the item, and the worker replaces it. */
static void recycled(int index)
{
    if (index == 0)
        machine_run(1);
    else if (index == 1) {
        machine_check(rpool_recycle(handle) == RPOOL_OK, "recycle");
        finish();
    } else {
        borrow_for_ever();
        finish();
    }
}

static void hung_up(int index)
{
    if (index == 0)
        machine_run(1);
    else if (index == 1) {
        lock_take(&pool->lock);
        rpool__slot_mark_locked(pool, pool_slot(pool, 0), SLOT_PEER_CLOSED);
        rpool__settle_locked(pool);
        lock_drop(&pool->lock);
        finish();
    } else {
        borrow_for_ever();
        finish();
    }
}

static void closed(int index)
{
    if (index == 0) {
        lock_take(&pool->lock);
        rpool__begin_close_locked(pool);
        lock_drop(&pool->lock);
    } else {
        rpool_status status = borrow(-1);
        machine_check(status == RPOOL_OK || status == RPOOL_CLOSED,
                      "an acquire of a pool that closes");
    }
    finish();
}

static void suspended(int index)
{
    if (index == 0) {
        machine_check(rpool_suspend(handle) == RPOOL_OK, "suspend");
        machine_check(rpool_resume(handle) == RPOOL_OK, "resume");
    } else
        borrow_for_ever();
    finish();
}

static void shrunk(int index)
{
    if (index == 0)
        machine_check(rpool_resize(handle, 1, 0) == RPOOL_OK, "resize");
    else
        borrow_for_ever();
    finish();
}

/* ---- creations ---- */

static void nothing_yet(void)
{
    open_pool(2, 0, 0, OPTIONS(.max_size = 1));
}

static void first_creation_fails(void)
{
    open_pool(2, 0, 0, OPTIONS(.max_size = 2, .create_retry_max_ms = 1));
    world.failures = 1;
}

static void worker_and_borrowers(int index)
{
    if (index == 0) {
        machine_run(1);
        return;
    }
    borrow_for_ever();
    finish();
}

static void discard(int index)
{
    if (index == 0) {
        machine_run(1);
        return;
    }
    rpool_item *item = NULL;
    machine_check(rpool_acquire(handle, -1, &item, NULL) == RPOOL_OK, "OK");
    use(rpool_resource(item));
    rpool_discard(&item);
    finish();
}

static void first_check_fails(void)
{
    open_pool(2, 1, 0,
              OPTIONS(.max_size = 1, .min_size = 1, .check_always = 1,
                      .create_retry_max_ms = 1));
    world.bad = 1;
}

/* ---- the end ---- */

static void two_items_to_close(void)
{
    open_pool(1, 1, 1, OPTIONS(.max_size = 2, .min_size = 2));
    pool->refs--;
}

static void close_and_borrow(int index, int timeout_ms)
{
    if (index < 2) {
        machine_run(index);
    } else if (index == 2) {
        rpool *closing = handle;
        rpool_status status = rpool_close(&closing, timeout_ms);
        machine_check(status == RPOOL_OK ||
                          (timeout_ms == 0 && status == RPOOL_TIMEOUT),
                      "a close fails");
    } else {
        rpool_status status = borrow(-1);
        machine_check(status == RPOOL_OK || status == RPOOL_CLOSED,
                      "an acquire of a pool that closes");
    }
}

static void close_that_waits(int index)
{
    close_and_borrow(index, -1);
}

static void two_close(int index)
{
    if (index < 2) {
        machine_run(index);
        return;
    }
    rpool *closing = handle;
    rpool_status status = rpool_close(&closing, -1);
    machine_check(status == RPOOL_OK || status == RPOOL_CLOSED,
                  "a close fails");
}

static void close_that_leaves(int index)
{
    close_and_borrow(index, 0);
}

/* ---- the cleaner ---- */

static void expiring(void)
{
    open_pool(1, 0, 0,
              RPOOL_OPTIONS(.max_size = 1, .idle_timeout_ms = 5,
                            .max_lifetime_ms = RPOOL_NEVER));
    pool->limits.min_size = 1;
    prime_worker();
    pool->limits.min_size = 0;
    lock_take(&pool->lock);
    rpool__set_idle_due_locked(pool);
    lock_drop(&pool->lock);
}

static void cleaner_and_borrower(int index)
{
    if (index == 0) {
        machine_run(0);
        return;
    }
    rpool_status status = borrow(0);
    machine_check(status == RPOOL_OK || status == RPOOL_BUSY, "a try");
    finish();
}

const struct machine_case machine_cases[] = {
    {"two wait for one", 2, 0, 3, one_item, all_wait, at_rest},
    {"two wait for one that is reset", 2, 0, 3, one_item_with_reset, all_wait,
     at_rest},
    {"three wait for one", 3, 0, 2, three_for_one_item, all_wait, at_rest},
    {"one of two gives up", 2, 1, 2, one_item, one_is_impatient, at_rest},
    {"both give up", 2, 1, 2, one_item, all_are_impatient, at_rest},
    {"one of three gives up", 3, 1, 1, three_for_one_item, one_is_impatient,
     at_rest},
    {"two end one lease", 3, 0, 2, one_shared_lease, ended_twice, at_rest},
    {"two try twice", 2, 0, 3, two_items, try_twice, at_rest},
    {"a close comes between", 2, 0, 3, one_item, closed, at_rest},
    {"a suspension comes between", 2, 0, 3, one_item, suspended, at_rest},
    {"a shrinking comes between", 2, 0, 3, two_items, shrunk, at_rest},
    {"a recycle comes between", 3, 0, 2, one_item, recycled, replaced},
    {"a recycle comes between, with a reset", 3, 0, 2, one_item_with_reset,
     recycled, replaced},
    {"a hang-up comes between", 3, 0, 2, one_old_item, hung_up, replaced},
    {"two wait for a creation", 3, 0, 2, nothing_yet, worker_and_borrowers,
     at_rest},
    {"a creation fails", 3, 1, 1, first_creation_fails, worker_and_borrowers,
     at_rest},
    {"two discard", 3, 0, 2, one_item, discard, at_rest},
    {"a check fails", 3, 1, 1, first_check_fails, worker_and_borrowers,
     at_rest},
    {"a close that waits", 4, 0, 1, two_items_to_close, close_that_waits, over},
    {"two close", 4, 0, 0, two_items_to_close, two_close, over},
    {"a close that leaves", 4, 1, 0, two_items_to_close, close_that_leaves,
     over},
    {"the cleaner and a release", 2, 1, 2, expiring, cleaner_and_borrower,
     at_rest},
    {NULL, 0, 0, 0, NULL, NULL, NULL}};
