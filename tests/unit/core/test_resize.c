/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Changes at run time: resize, recycle, suspend and resume. */
#include "support_caller.h"

#include <limits.h>

/* G01 */
static void waiters_are_served_when_resize_raises_max_size(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    struct caller c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = 1000, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    assert_false(c[1].answered);
    sim_advance_ms(10);
    assert_int_equal(rpool_resize(pool, 100, 0), RPOOL_OK);
    sim_settle();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        assert_int_equal(c[i].at_ms, i == 0 ? 0 : 10);
        rpool_release(&c[i].item);
    }
    assert_int_equal(fake_stats(pool).max_size, 100);
    close_pool(&pool);
}

/* G02 */
static void
leased_items_are_closed_at_release_when_pool_was_shrunk(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 5);
    rpool_item *item[5];
    for (int i = 0; i < 5; i++)
        item[i] = fake_lease(pool);
    assert_int_equal(rpool_resize(pool, 2, 0), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake->destroyed, 0);
    struct caller c = {.pool = pool, .timeout_ms = -1};
    caller_start(&c);
    for (int i = 0; i < 3; i++) {
        rpool_release(&item[i]);
        sim_settle();
        assert_int_equal(fake->destroyed, i + 1);
        assert_false(c.answered); /* the pool is still above its size */
    }
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RESIZE), 3);
    rpool_release(&item[3]);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(fake->destroyed, 3);
    rpool_release(&item[4]);
    assert_int_equal(fake_stats(pool).idle, 2);
    assert_int_equal(fake->creates, 5);
    close_pool(&pool);
}

/* G06 */
static void idle_items_are_kept_when_they_fit_the_smaller_size(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 10);
    make_idle(pool, 6);
    assert_int_equal(rpool_resize(pool, 4, 1), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake_stats(pool).idle, 4);
    for (int i = 0; i < 4; i++) /* the items of the lowest slots */
        assert_false(fake->resources[i]->gone);
    assert_int_equal(rpool_resize(pool, 8, 1), RPOOL_OK);
    make_idle(pool, 4);
    assert_int_equal(fake->creates, 6);
    close_pool(&pool);
}

static void
new_items_are_closed_when_pool_was_shrunk_during_their_creation(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .create_concurrency = 3);
    rpool_item *held = fake_lease(pool);
    fake->create.ms = 100;
    struct caller c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 1000};
        caller_start(&c[i]);
    }
    assert_int_equal(fake->creating, 2);
    assert_int_equal(rpool_resize(pool, 1, 0), RPOOL_OK);
    sim_advance_ms(100);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RESIZE), 2);
    assert_false(c[0].answered || c[1].answered);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&c[0]), RPOOL_OK);
    assert_int_equal(caller_status(&c[1]), RPOOL_OK);
    assert_int_equal(c[1].resource, 1);
    close_pool(&pool);
}

/* G05 N01 */
static void
resize_is_refused_without_change_when_sizes_are_invalid(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .min_size = 1);
    const int bad[][2] = {{0, 0},       {-1, 0},      {3, 4},
                          {3, -1},      {10001, 0},   {INT_MAX, 0},
                          {INT_MIN, 0}, {1, INT_MAX}, {INT_MAX, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(rpool_resize(pool, bad[i][0], bad[i][1]),
                         RPOOL_INVALID);
    assert_int_equal(fake_stats(pool).max_size, 3);
    assert_int_equal(rpool_resize(NULL, 1, 1), RPOOL_INVALID);
    assert_int_equal(rpool_recycle(NULL), RPOOL_INVALID);
    assert_int_equal(rpool_suspend(NULL), RPOOL_INVALID);
    assert_int_equal(rpool_resume(NULL), RPOOL_INVALID);
    close_pool(&pool);
}

/* G07 */
static void pool_is_filled_when_resize_raises_min_size(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .idle_timeout_ms = 1000);
    sim_settle();
    assert_int_equal(fake->creates, 0);
    assert_int_equal(rpool_resize(pool, 8, 4), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake_stats(pool).idle, 4);
    sim_advance_ms(5000);
    assert_int_equal(fake->live, 4);
    assert_int_equal(rpool_resize(pool, 8, 1), RPOOL_OK);
    sim_settle();
    /* they were idle for long enough already */
    assert_int_equal(fake->live, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_IDLE), 3);
    close_pool(&pool);
}

struct changer {
    rpool *pool;
    int max;
};

static void change(void *arg)
{
    const struct changer *c = arg;
    for (int i = 0; i < 5; i++) {
        if (rpool_resize(c->pool, c->max, c->max / 2) != RPOOL_OK ||
            rpool_recycle(c->pool) != RPOOL_OK)
            sim_fail("resize or recycle failed");
        sim_sleep_ms(2);
    }
}

/* F14 G09 */
static void waiters_are_all_served_when_pool_is_resized_and_recycled_under_load(
    void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        fake.create.ms = 1;
        rpool *pool = fake_open(&fake, .max_size = 4, .create_concurrency = 4);
        struct caller c[40];
        struct changer changers[3] = {{pool, 2}, {pool, 6}, {pool, 3}};
        int id[3];
        for (int i = 0; i < 40; i++) {
            c[i] = (struct caller){.pool = pool,
                                   .start_ms = i % 10,
                                   .timeout_ms = -1,
                                   .hold_ms = i % 3};
            caller_spawn(&c[i]);
        }
        for (int i = 0; i < 3; i++)
            id[i] = sim_spawn(change, &changers[i]);
        for (int i = 0; i < 3; i++)
            sim_join(id[i]);
        for (int i = 0; i < 40; i++) {
            sim_join(c[i].id);
            assert_int_equal(c[i].status, RPOOL_OK);
        }
        assert_in_range(fake.peak, 1, 6);
        sim_sleep_ms(100);
        rpool_stats stats = fake_stats(pool);
        assert_true(stats.max_size == 2 || stats.max_size == 3 ||
                    stats.max_size == 6);
        assert_in_range(stats.idle, stats.max_size / 2, stats.max_size);
        assert_int_equal(stats.total, stats.idle);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* F12 P22 */
static void older_items_are_replaced_when_pool_is_recycled(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .min_size = 2);
    rpool_item *held = fake_lease(pool);
    sim_settle();
    assert_int_equal(fake->created, 2);
    assert_int_equal(rpool_recycle(pool), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RECYCLE), 1);
    assert_false(fake_of(held)->gone);
    rpool_item *item = fake_lease(pool);
    assert_true(fake_of(item)->number > 2);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RECYCLE), 2);
    rpool_release(&item);
    for (int i = 0; i < 5; i++) {
        item = fake_lease(pool);
        assert_true(fake_of(item)->number > 2);
        rpool_release(&item);
    }
    assert_int_equal(fake_stats(pool).closed_by[RPOOL_REASON_RECYCLE], 2);
    close_pool(&pool);
}

/* F12: a creation that began before the recycle counts as old. */
static void item_in_creation_is_replaced_when_pool_is_recycled(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->create.ms = 50;
    struct caller c = {.pool = pool, .timeout_ms = 1000};
    caller_start(&c);
    assert_int_equal(rpool_recycle(pool), RPOOL_OK);
    sim_advance_ms(50);
    assert_false(c.answered);
    sim_advance_ms(50);
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.resource, 2);
    assert_int_equal(fake->peak, 1);
    close_pool(&pool);
}

/* F18 */
static void acquires_wait_in_the_queue_when_pool_is_suspended(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    make_idle(pool, 2);
    assert_int_equal(rpool_suspend(pool), RPOOL_OK);
    assert_int_equal(rpool_suspend(pool), RPOOL_OK);
    struct caller c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = i == 1 ? 100 : 10000, .hold_ms = 10};
        caller_start(&c[i]);
    }
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_advance_ms(300);
    assert_int_equal(caller_status(&c[1]), RPOOL_TIMEOUT);
    assert_int_equal(c[1].at_ms, 100);
    assert_false(c[0].answered || c[2].answered || c[3].answered);
    assert_int_equal(fake->creates, 2);
    assert_int_equal(rpool_resume(pool), RPOOL_OK);
    sim_advance_ms(10);
    assert_true(c[0].turn < c[2].turn && c[2].turn < c[3].turn);
    assert_int_equal(c[0].at_ms, 300);
    assert_int_equal(c[2].at_ms, 300);
    assert_int_equal(c[3].at_ms, 310);
    sim_advance_ms(10);
    close_pool(&pool);
}

static void released_item_stays_idle_when_pool_is_suspended(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    assert_int_equal(rpool_suspend(pool), RPOOL_OK);
    struct caller c = {.pool = pool, .timeout_ms = 10000};
    caller_start(&c);
    rpool_release(&held);
    sim_advance_ms(100);
    assert_false(c.answered);
    assert_int_equal(fake_stats(pool).idle, 1);
    struct caller more = {.pool = pool, .timeout_ms = -1};
    caller_start(&more);
    close_pool(&pool); /* close works in a suspended pool */
    assert_int_equal(caller_status(&c), RPOOL_CLOSED);
    assert_int_equal(caller_status(&more), RPOOL_CLOSED);
}

/* G04 */
static void
resize_recycle_and_suspend_return_closed_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1), *copy = pool;
    close_pool(&pool);
    assert_int_equal(rpool_resize(copy, 2, 2), RPOOL_CLOSED);
    assert_int_equal(rpool_recycle(copy), RPOOL_CLOSED);
    assert_int_equal(rpool_suspend(copy), RPOOL_CLOSED);
    assert_int_equal(rpool_resume(copy), RPOOL_CLOSED);
    assert_int_equal(fake->creates, 0);
}

struct wait {
    rpool *pool;
    rpool_status status;
};

static void wait_for_it(void *arg)
{
    struct wait *w = arg;
    w->status = rpool_wait(w->pool, 60000, NULL);
}

static void wait_returns_when_min_size_is_lowered(void **state)
{
    struct fake *fake = *state;
    struct wait w = {.pool = fake_open(fake, .max_size = 4, .min_size = 2)};
    sim_settle();
    fake->create.ms = FAKE_HANG;
    assert_int_equal(rpool_resize(w.pool, 4, 4), RPOOL_OK);
    int id = sim_spawn(wait_for_it, &w);
    sim_advance_ms(10);
    assert_false(sim_done(id));
    assert_int_equal(rpool_resize(w.pool, 4, 2), RPOOL_OK);
    sim_settle();
    assert_true(sim_done(id));
    sim_join(id);
    assert_int_equal(w.status, RPOOL_OK);
    close_pool(&w.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(waiters_are_served_when_resize_raises_max_size),
        FAKE_TEST(leased_items_are_closed_at_release_when_pool_was_shrunk),
        FAKE_TEST(idle_items_are_kept_when_they_fit_the_smaller_size),
        FAKE_TEST(
            new_items_are_closed_when_pool_was_shrunk_during_their_creation),
        FAKE_TEST(resize_is_refused_without_change_when_sizes_are_invalid),
        FAKE_TEST(pool_is_filled_when_resize_raises_min_size),
        cmocka_unit_test(
            waiters_are_all_served_when_pool_is_resized_and_recycled_under_load),
        FAKE_TEST(older_items_are_replaced_when_pool_is_recycled),
        FAKE_TEST(item_in_creation_is_replaced_when_pool_is_recycled),
        FAKE_TEST(acquires_wait_in_the_queue_when_pool_is_suspended),
        FAKE_TEST(released_item_stays_idle_when_pool_is_suspended),
        FAKE_TEST(resize_recycle_and_suspend_return_closed_when_pool_is_closed),
        FAKE_TEST(wait_returns_when_min_size_is_lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
