/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Memory that runs out: each allocation of the core fails once.  The program is
 * linked with the allocating functions wrapped.  The fake and the simulator
 * allocate too, but their allocations are not counted.
 */
#include "support_caller.h"

#include <stdlib.h>
#include <string.h>

static int fail_in; /* 1: the next one; 0: none */
static int calls;
static size_t bytes;
static int counting;
static int locked; /* calls with a lock held */
static int slow;   /* other threads may run meanwhile */

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

static int fails(void)
{
    calls += counting;
    locked += counting && sim_locks_held() > 0;
    if (slow)
        sim_sleep_ms(0);
    return counting && fail_in > 0 && --fail_in == 0;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    bytes += counting ? size : 0;
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static rpool_status open_failing(struct fake *fake, int nth, int max_size,
                                 rpool **pool)
{
    rpool_failure why = {0};
    counting = 1;
    calls = 0;
    fail_in = nth;
    rpool_status status =
        rpool_open(pool, &fake->provider, fake,
                   RPOOL_OPTIONS(.max_size = max_size, .name = "starved",
                                 .on_event = fake_on_event, .arg = fake),
                   &why);
    counting = fail_in = 0;
    if (status != RPOOL_OK)
        assert_non_null(strstr(why.message, "no memory"));
    return status;
}

/* L01 V05: the first open of the process allocates everything. */
static void open_leaves_nothing_when_an_allocation_fails(void **state)
{
    struct fake *fake = *state;
    rpool *pool = NULL;
    int nth = 1;
    while (open_failing(fake, nth, 300, &pool) != RPOOL_OK) {
        assert_null(pool);
        assert_int_equal(calls, nth);
        assert_int_equal(sim_fds_open(), 0);
        assert_int_equal(sim_thread("").live, 0);
        assert_int_equal(fake->done, 0);
        assert_int_equal(fake->event_count, 0);
        nth++;
    }
    assert_true(nth >= 4); /* the cell, the name, slots */
    make_idle(pool, 100);
    assert_int_equal(fake->created, 100);
    close_pool(&pool);
}

/* A pool of size 1 does not get slots for more. */
static void memory_is_at_most_8_kb_when_pool_has_size_1(void **state)
{
    struct fake *fake = *state;
    rpool *pool = NULL;
    bytes = 0;
    assert_int_equal(open_failing(fake, 0, 1, &pool), RPOOL_OK);
    print_message("a pool of size 1: %zu bytes\n", bytes);
    assert_in_range(bytes, 1, 8192);
    close_pool(&pool);
}

/* L01 G05: the pool keeps its size. */
static void resize_changes_nothing_when_an_allocation_fails(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 400);
    rpool_item *held = fake_lease(pool);
    for (int nth = 1; nth <= 3; nth++) { /* a chunk that was allocated stays */
        counting = 1;
        fail_in = nth;
        rpool_status status = rpool_resize(pool, 10000, 100);
        counting = fail_in = 0;
        assert_int_equal(status, RPOOL_NOMEM);
        assert_int_equal(fake_stats(pool).max_size, 400);
        assert_non_null(rpool_resource(held));
    }
    sim_settle();
    assert_int_equal(fake->created, 1);
    assert_int_equal(rpool_resize(pool, 1000, 3), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake->created, 3);
    rpool_release(&held);
    close_pool(&pool);
}

struct resizer {
    rpool *pool;
    int max_size;
};

static void resize_it(void *arg)
{
    const struct resizer *r = arg;
    if (rpool_resize(r->pool, r->max_size, 0) != RPOOL_OK)
        sim_fail("a resize fails");
}

/* G05: megabytes, while no thread waits for the mutex. */
static void resize_allocates_without_the_mutex_when_pool_grows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 1);
        struct resizer r[2];
        int id[2];
        counting = slow = 1;
        locked = fail_in = 0;
        for (int i = 0; i < 2; i++) {
            r[i] = (struct resizer){pool, (int)(seed * 130 + 1000)};
            id[i] = sim_spawn(resize_it, &r[i]);
        }
        for (int i = 0; i < 2; i++)
            sim_join(id[i]);
        counting = slow = 0;
        assert_int_equal(locked, 0);
        assert_int_equal(fake_stats(pool).max_size, r[0].max_size);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* L02 I13: after open, acquire and release do not allocate. */
static void acquire_and_release_allocate_nothing_when_pool_is_open(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .leak_after_ms = 50);
    counting = 1;
    calls = 0;
    fail_in = 1;
    rpool_item *item[4], *none = NULL;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            item[i] = fake_lease(pool);
        assert_int_equal(rpool_acquire(pool, 100, &none, NULL), RPOOL_TIMEOUT);
        rpool_release(&item[0]);
        rpool_discard(&item[1]);
        fake_take(rpool_detach(&item[2]));
        assert_int_equal(rpool_recycle(pool), RPOOL_OK);
        rpool_release(&item[3]);
        assert_int_equal(rpool_resize(pool, 4, round), RPOOL_OK);
    }
    close_pool(&pool);
    assert_int_equal(calls, 0);
    counting = fail_in = 0;
}

/* Proves that the wrapped functions are called: the other tests rely on it. */
static void allocations_are_counted_when_pool_is_opened(void **state)
{
    struct fake *fake = *state;
    rpool *pool = NULL;
    assert_int_equal(open_failing(fake, 0, 1, &pool), RPOOL_OK);
    assert_int_equal(calls, 1); /* the name; cell and slots exist already */
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(memory_is_at_most_8_kb_when_pool_has_size_1),
        FAKE_TEST(open_leaves_nothing_when_an_allocation_fails),
        FAKE_TEST(resize_changes_nothing_when_an_allocation_fails),
        cmocka_unit_test(resize_allocates_without_the_mutex_when_pool_grows),
        FAKE_TEST(acquire_and_release_allocate_nothing_when_pool_is_open),
        FAKE_TEST(allocations_are_counted_when_pool_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
