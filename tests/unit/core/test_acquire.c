/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * acquire.c: what is lent, when nothing can be, deadlines, and calls
 * that will not wait.  The line is test_waiter.c's, checks are test_check.c's.
 */
#include "support_caller.h"

#include <limits.h>
#include <string.h>

/* A01 */
static void an_empty_pool_makes_what_it_lends(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    assert_int_equal(fake->creates, 0);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, -1, &item, NULL), RPOOL_OK);
    assert_int_equal(fake->creates, 1);
    assert_ptr_equal(fake_of(item), fake->resources[0]);
    const struct fake_event *made = fake_last(fake, RPOOL_EVENT_CREATED);
    assert_int_equal(made->at_ms, 0);
    assert_int_equal(made->item, rpool_number(item));
    rpool_release(&item);
    assert_null(item);
    close_pool(&pool);
}

/* A02 */
static void what_was_given_back_is_lent_again(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4);
    for (int i = 0; i < 100; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 1);
        rpool_release(&item);
    }
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake_stats(pool).acquired, 100);
    close_pool(&pool);
}

/* A05 A07 A28: the same thread holds the only item. */
static void a_timeout_comes_at_its_time(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    const int timeouts[] = {100, 500, 1, 7};
    int64_t expected = 0;
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        rpool_item *item = NULL;
        assert_int_equal(rpool_acquire(pool, timeouts[i], &item, NULL),
                         RPOOL_TIMEOUT);
        assert_null(item);
        expected += timeouts[i];
        assert_int_equal(sim_now_ms(), expected);
        assert_int_equal(fake_last(fake, RPOOL_EVENT_TIMED_OUT)->ms,
                         timeouts[i]);
    }
    assert_int_equal(fake->creates, 1);
    rpool_release(&held);
    close_pool(&pool);
}

/* A30 */
static void the_longest_timeouts_really_wait(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller forever = {.pool = pool, .timeout_ms = -1};
    struct caller below = {.pool = pool, .timeout_ms = INT_MIN};
    struct caller longest = {.pool = pool, .timeout_ms = INT_MAX};
    caller_start(&forever);
    caller_start(&below);
    caller_start(&longest);
    sim_advance_ms(INT_MAX - 1);
    assert_false(forever.answered || below.answered || longest.answered);
    sim_advance_ms(1);
    assert_int_equal(caller_status(&longest), RPOOL_TIMEOUT);
    sim_advance_ms(INT_MAX);
    assert_false(forever.answered || below.answered);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&forever), RPOOL_OK);
    assert_int_equal(caller_status(&below), RPOOL_OK);
    close_pool(&pool);
}

/* A29 */
static void a_timeout_says_how_the_pool_stood(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .name = "shop %s %n");
    rpool_item *held = fake_lease(pool);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT};
    rpool_item *item = NULL;
    rpool_failure why;
    assert_int_equal(rpool_acquire(pool, 400, &item, &why), RPOOL_TIMEOUT);
    assert_non_null(strstr(why.message, "pool \"shop %s %n\": "));
    assert_non_null(strstr(why.message, rpool_strerror(RPOOL_TIMEOUT)));
    assert_non_null(strstr(why.message, "after 400 ms"));
    assert_non_null(strstr(why.message, "1 of 2 there"));
    assert_non_null(strstr(why.message, "(0 creating, 0 closing)"));
    assert_non_null(strstr(why.message, "0 waiting"));
    assert_non_null(strstr(why.message, "oldest lease 400 ms"));
    assert_non_null(strstr(why.message, "08006: fake transient failure"));
    assert_string_equal(why.code, "08006");
    assert_false(why.permanent);
    rpool_release(&held);
    assert_int_equal(rpool_suspend(pool), RPOOL_OK);
    assert_int_equal(rpool_acquire(pool, 10, &item, &why), RPOOL_TIMEOUT);
    assert_null(strstr(why.message, "oldest lease")); /* nothing is lent */
    close_pool(&pool);
}

/* A09 */
static void trying_an_empty_pool_says_busy_and_asks_for_one(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    sim_settle();
    fake->create.ms = 20;
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    assert_null(item);
    assert_int_equal(sim_now_ms(), 0);
    assert_int_equal(fake->created, 0);
    sim_advance_ms(20);
    assert_int_equal(fake->created, 1);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
    rpool_release(&item);
    sim_advance_ms(100);
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_TIMED_OUT), 0);
    close_pool(&pool);
}

/* A09 */
static void trying_a_full_pool_asks_for_nothing(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool), *item = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    assert_int_equal(sim_now_ms(), 0);
    rpool_release(&held);
    sim_advance_ms(50);
    assert_int_equal(fake->creates, 1);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
    rpool_release(&item);
    close_pool(&pool);
}

/* Several who would not wait ask for one more, and not for one each. */
static void many_tries_ask_for_one_creation_at_a_time(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .create_concurrency = 4);
    sim_settle();
    fake->create.ms = 10;
    rpool_item *item = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_advance_ms(100);
    assert_int_equal(fake->created, 1);
    close_pool(&pool);
}

static void trying_does_not_overtake_the_line(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool), *item = NULL;
    struct caller waiting = {.pool = pool, .timeout_ms = -1, .hold_ms = 10};
    caller_start(&waiting);
    rpool_release(&held);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_settle();
    assert_int_equal(caller_status(&waiting), RPOOL_OK);
    sim_advance_ms(10);
    close_pool(&pool);
}

/* N01 */
static void what_is_missing_is_refused(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_failure why;
    assert_int_equal(rpool_acquire_at(pool, 0, NULL, &why, NULL),
                     RPOOL_INVALID);
    assert_non_null(strstr(why.message, "item"));
    assert_int_equal(rpool_acquire_at(pool, 0, NULL, NULL, NULL),
                     RPOOL_INVALID);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(NULL, 0, &item, &why), RPOOL_INVALID);
    assert_string_equal(why.message, "there is no such pool");
    assert_int_equal(rpool_acquire_at(pool, -1, &item, NULL, NULL), RPOOL_OK);
    rpool_release(&item);
    close_pool(&pool);
}

/* The pair that nobody disputes: no lock, no wait, no call to the kernel. */
static void the_quick_pair_takes_no_lock(void **state)
{
    struct fake *fake = *state;
    fake->provider.reset = NULL;
    rpool *pool = NULL;
    assert_int_equal(rpool_open(&pool, &fake->provider, fake,
                                RPOOL_OPTIONS(.max_size = 2), NULL),
                     RPOOL_OK);
    make_idle(pool, 2);
    sim_settle();
    struct sim_counts before = sim_counts();
    for (int i = 0; i < 10; i++) {
        rpool_item *item = NULL;
        assert_int_equal(rpool_acquire(pool, 1000, &item, NULL), RPOOL_OK);
        rpool_release(&item);
    }
    struct sim_counts after = sim_counts();
    assert_int_equal(after.locks, before.locks);
    assert_int_equal(after.waits, before.waits);
    assert_int_equal(after.wakes, before.wakes);
    assert_int_equal(after.system, before.system);
    assert_int_equal(after.clocks, before.clocks);
    close_pool(&pool);
}

/* A20 */
static void an_idle_item_is_lent_though_the_line_has_no_room(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .max_waiters = 1);
    make_idle(pool, 2);
    rpool_item *a = NULL, *b = NULL, *c = NULL;
    assert_int_equal(rpool_acquire(pool, 10, &a, NULL), RPOOL_OK);
    struct caller waiting = {.pool = pool, .timeout_ms = 10};
    assert_int_equal(rpool_acquire(pool, 10, &b, NULL), RPOOL_OK);
    caller_start(&waiting);
    assert_int_equal(rpool_acquire(pool, 10, &c, NULL), RPOOL_BUSY);
    assert_int_equal(fake_stats(pool).refused, 1);
    sim_advance_ms(10);
    assert_int_equal(caller_status(&waiting), RPOOL_TIMEOUT);
    rpool_release(&a);
    rpool_release(&b);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(an_empty_pool_makes_what_it_lends),
        FAKE_TEST(what_was_given_back_is_lent_again),
        FAKE_TEST(a_timeout_comes_at_its_time),
        FAKE_TEST(the_longest_timeouts_really_wait),
        FAKE_TEST(a_timeout_says_how_the_pool_stood),
        FAKE_TEST(trying_an_empty_pool_says_busy_and_asks_for_one),
        FAKE_TEST(trying_a_full_pool_asks_for_nothing),
        FAKE_TEST(many_tries_ask_for_one_creation_at_a_time),
        FAKE_TEST(trying_does_not_overtake_the_line),
        FAKE_TEST(what_is_missing_is_refused),
        FAKE_TEST(the_quick_pair_takes_no_lock),
        FAKE_TEST(an_idle_item_is_lent_though_the_line_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
