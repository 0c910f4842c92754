/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * cleaner.c: what becomes due, that the cleaner wakes exactly then, and how
 * often it wakes.  Lifetimes are test_lifetime.c's.
 */
#include "support_caller.h"

#include <limits.h>
#include <string.h>

static uint64_t cleaner_wakes(void)
{
    return sim_thread("watch").wakes;
}

/* E01 */
static void a_surplus_leaves_when_it_was_idle_for_long(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 4, .min_size = 2, .idle_timeout_ms = 1000);
    rpool_item *item[4];
    for (int i = 0; i < 4; i++)
        item[i] = fake_lease(pool);
    for (int i = 4; i-- > 0;) { /* at 0, 100, 200 and 300 */
        rpool_release(&item[i]);
        sim_advance_ms(100);
    }
    sim_advance_ms(599);
    assert_int_equal(fake->live, 4);
    sim_advance_ms(1);
    assert_int_equal(fake->live, 3);
    sim_advance_ms(99);
    assert_int_equal(fake->live, 3);
    sim_advance_ms(1);
    assert_int_equal(fake->live, 2);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_IDLE), 2);
    sim_advance_ms(100000);
    assert_int_equal(fake->live, 2);
    assert_int_equal(fake->created, 4);
    close_pool(&pool);
}

/* E02 */
static void at_its_least_size_a_pool_keeps_what_is_idle(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 2,
                            .idle_timeout_ms = 1000, .max_uses = 2);
    sim_advance_ms(300000);
    assert_int_equal(fake->created, 2);
    assert_int_equal(fake->live, 2);
    for (int i = 0; i < 2; i++) { /* but not what was used up */
        rpool_item *item = fake_lease(pool);
        rpool_release(&item);
    }
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_USES), 1);
    assert_int_equal(fake->created, 3);
    assert_int_equal(fake_stats(pool).idle, 2);
    close_pool(&pool);
}

/* E03 */
static void a_surplus_that_leaves_together_stops_at_the_least(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 8, .min_size = 3, .idle_timeout_ms = 1000);
    make_idle(pool, 8);
    sim_advance_ms(999);
    assert_int_equal(fake->live, 8);
    sim_advance_ms(1);
    assert_int_equal(fake->live, 3);
    assert_int_equal(fake_stats(pool).idle, 3);
    assert_int_equal(fake->created, 8);
    close_pool(&pool);
}

/* E11 */
static void the_cleaner_wakes_once_for_each_time_due(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .idle_timeout_ms = 1000,
                            .max_lifetime_ms = RPOOL_NEVER,
                            .create_timeout_ms = RPOOL_NEVER);
    rpool_item *item[3];
    for (int i = 0; i < 3; i++)
        item[i] = fake_lease(pool);
    const int64_t released[] = {0, 100, 252};
    for (int i = 0; i < 3; i++) {
        sim_advance_ms(released[i] - sim_now_ms());
        rpool_release(&item[i]);
    }
    sim_advance_ms(999 - sim_now_ms());
    uint64_t wakes = cleaner_wakes();
    assert_in_range(wakes, 0, 2); /* told that there is a surplus now */
    for (int i = 0; i < 3; i++) {
        sim_advance_ms(released[i] + 999 - sim_now_ms());
        assert_int_equal(cleaner_wakes(), wakes + (uint64_t)i);
        sim_advance_ms(1);
        assert_int_equal(cleaner_wakes(), wakes + (uint64_t)i + 1);
        assert_int_equal(sim_thread("watch").woke_ms, released[i] + 1000);
        assert_int_equal(fake->destroyed, i + 1);
    }
    sim_advance_ms(1000000);
    assert_int_equal(cleaner_wakes(), wakes + 3);
    close_pool(&pool);
}

/* E11: however busy the pool is. */
static void the_cleaner_sleeps_though_the_pool_is_busy(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 2, .idle_timeout_ms = 1000,
                  .max_lifetime_ms = RPOOL_NEVER, .leak_after_ms = 5000);
    for (int i = 0; i < 5000; i++) {
        rpool_item *item = fake_lease(pool);
        sim_sleep_ms(1);
        rpool_release(&item);
        sim_sleep_ms(1);
    }
    assert_in_range(cleaner_wakes(), 9, 14);
    assert_int_equal(fake->created, 1);
    close_pool(&pool);
}

/* E13 */
static void with_nothing_due_the_cleaner_sleeps_for_ever(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(
        fake, .max_size = 4, .min_size = 2, .idle_timeout_ms = RPOOL_NEVER,
        .max_lifetime_ms = RPOOL_NEVER, .check_after_ms = RPOOL_NEVER,
        .create_timeout_ms = RPOOL_NEVER);
    make_idle(pool, 4);
    sim_settle();
    uint64_t wakes = cleaner_wakes();
    uint64_t workers = sim_thread("condition").wakes;
    for (int i = 0; i < 100; i++) {
        rpool_item *item = fake_lease(pool);
        sim_advance_ms(INT_MAX);
        rpool_release(&item);
    }
    assert_int_equal(cleaner_wakes(), wakes);
    assert_int_equal(sim_thread("condition").wakes, workers);
    int64_t before = sim_now_ms();
    close_pool(&pool);
    assert_int_equal(sim_now_ms(), before);
}

/* The longest times that can be named are no overflow. */
static void the_longest_times_are_far_away(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool =
        fake_open(fake, .max_size = 2, .idle_timeout_ms = INT_MAX,
                  .max_lifetime_ms = INT_MAX, .keepalive_ms = INT_MAX,
                  .leak_after_ms = INT_MAX, .check_after_ms = INT_MAX,
                  .create_timeout_ms = INT_MAX, .create_retry_max_ms = INT_MAX);
    make_idle(pool, 1);
    rpool_item *held = fake_lease(pool);
    sim_advance_ms(INT_MAX - 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 0);
    assert_int_equal(fake->checks, 0);
    sim_advance_ms(1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 1);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 1);
    close_pool(&pool);
}

/* E17 */
static void what_was_used_again_counts_from_then(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .idle_timeout_ms = 1000);
    make_idle(pool, 2);
    sim_advance_ms(900);
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 1);
    rpool_release(&item);
    sim_advance_ms(100);
    assert_int_equal(fake->destroyed, 1);
    assert_true(fake->resources[1]->gone);
    sim_advance_ms(899);
    assert_int_equal(fake->destroyed, 1);
    sim_advance_ms(1);
    assert_int_equal(fake->destroyed, 2);
    close_pool(&pool);
}

/* E16 M02: a leap of the clock makes a thousand due at once. */
static void many_that_leave_at_once_do_not_hold_the_mutex_for_long(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1000, .idle_timeout_ms = 1000);
    make_idle(pool, 1000);
    sim_advance_ms(999);
    fake->destroy = (struct fake_step){.ms = 500, .times = 3};
    uint64_t locks = sim_counts().locks;
    sim_advance_ms(1);
    assert_int_equal(fake_stats(pool).closing, 1000);
    assert_in_range(sim_counts().locks - locks, 1000 / 64, 1000 / 64 + 50);
    rpool_item *item = fake_lease(pool);
    rpool_release(&item);
    sim_advance_ms(500);
    assert_int_equal(fake->destroyed, 1000);
    close_pool(&pool);
}

/* E18 E19 */
static void an_item_is_lent_or_expires_but_never_both(void **state)
{
    (void)state;
    int leased_old = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){
            .walk = 300, .depth = seed % 2 ? 3 : 0, .steps = 300});
        rpool *pool = fake_open(&fake, .max_size = 1, .idle_timeout_ms = 1000,
                                .check_after_ms = RPOOL_NEVER);
        make_idle(pool, 1);
        struct caller c = {.pool = pool,
                           .start_ms = 1000,
                           .timeout_ms = -1,
                           .hold_ms = CALLER_KEEPS};
        caller_spawn(&c);
        sim_join(c.id);
        assert_int_equal(c.status, RPOOL_OK);
        assert_false(fake_of(c.item)->gone);
        assert_int_equal(fake_of(c.item)->number, fake.created);
        assert_int_equal(fake.destroyed, fake.created - 1);
        leased_old += fake.created == 1;
        rpool_release(&c.item);
        close_pool(&pool);
        fake_end(&fake);
    }
    assert_in_range(leased_old, 50, 450); /* either side wins now and then */
}

/* C22 */
static void idle_items_are_checked_now_and_then(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .keepalive_ms = 1000,
                            .check_after_ms = RPOOL_NEVER);
    fake->check.ms = 10;
    make_idle(pool, 1);
    sim_advance_ms(999);
    assert_int_equal(fake->checks, 0);
    sim_advance_ms(1);
    assert_int_equal(fake->checks, 1);
    assert_int_equal(fake->idle_ms, 1000);
    assert_int_equal(fake_stats(pool).checking, 1);
    sim_advance_ms(10);
    assert_int_equal(fake_stats(pool).idle, 1);
    sim_advance_ms(9 * 1010);
    assert_in_range(fake->checks, 9, 10);
    assert_int_equal(fake->created, 1);
    close_pool(&pool);
}

/* C22: an item in use needs none. */
static void what_is_used_is_not_kept_alive(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .keepalive_ms = 1000,
                            .check_after_ms = RPOOL_NEVER);
    for (int i = 0; i < 20; i++) {
        rpool_item *item = fake_lease(pool);
        sim_advance_ms(3000);
        rpool_release(&item);
        sim_advance_ms(900);
    }
    assert_int_equal(fake->checks, 0);
    close_pool(&pool);
}

/* C12 */
static void the_dead_are_found_and_replaced_in_the_background(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 4, .min_size = 3, .keepalive_ms = 1000);
    sim_advance_ms(500);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .times = 2};
    sim_advance_ms(500);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_CHECK), 2);
    assert_int_equal(fake_stats(pool).idle, 3);
    assert_int_equal(fake->created, 5);
    close_pool(&pool);
}

/* C13 */
static void keeping_alive_leaves_items_to_borrow(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .keepalive_ms = 1000,
                            .check_after_ms = RPOOL_NEVER);
    make_idle(pool, 8);
    fake->check.ms = 100;
    sim_advance_ms(1000);
    assert_true(fake_stats(pool).checking > 0);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, 50, &item, NULL), RPOOL_OK);
    assert_int_equal(sim_now_ms(), 1000);
    rpool_release(&item);
    sim_advance_ms(900); /* and all have their turn */
    for (int i = 0; i < 8; i++)
        assert_true(fake->resources[i]->checks <= 1);
    assert_in_range(fake->checks, 7, 8); /* one was proven by its lease */
    close_pool(&pool);
}

/* E22 F08 */
static void close_waits_for_what_is_being_checked(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .keepalive_ms = 1000);
    make_idle(pool, 1);
    fake->check.ms = 300;
    sim_advance_ms(1000);
    assert_int_equal(fake_stats(pool).checking, 1);
    close_pool(&pool);
    assert_int_equal(sim_now_ms(), 1300);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_SHUTDOWN), 1);
}

/* C01 P04: with no lease made at all. */
static void what_hung_up_while_idle_is_replaced_at_once(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 10, .min_size = 8);
    sim_advance_ms(1000); /* not what was made just now */
    fake->create.ms = 10;
    fake->creating_peak = 0;
    for (int i = 0; i < 8; i++)
        sim_hang_up(fake->resources[i]->fd);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_HANGUP), 8);
    assert_int_equal(fake_stats(pool).idle, 0);
    sim_advance_ms(40);
    assert_int_equal(fake_stats(pool).idle, 8);
    assert_int_equal(fake->creating_peak, 2);
    rpool_item *item = fake_lease(pool);
    assert_true(fake_of(item)->number > 8);
    assert_int_equal(fake->checks, 0);
    rpool_release(&item);
    close_pool(&pool);
}

/* Not even for the lifetime that it had. */
static void for_what_has_left_the_cleaner_does_not_wake(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .idle_timeout_ms = 1000,
                            .max_lifetime_ms = 100000);
    make_idle(pool, 3);
    sim_advance_ms(2000);
    assert_int_equal(fake->destroyed, 3);
    uint64_t wakes = cleaner_wakes();
    sim_advance_ms(1000000);
    assert_int_equal(cleaner_wakes(), wakes);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: in a shell that never had more slots the race is close. */
        cmocka_unit_test(an_item_is_lent_or_expires_but_never_both),
        FAKE_TEST(a_surplus_leaves_when_it_was_idle_for_long),
        FAKE_TEST(at_its_least_size_a_pool_keeps_what_is_idle),
        FAKE_TEST(a_surplus_that_leaves_together_stops_at_the_least),
        FAKE_TEST(the_cleaner_wakes_once_for_each_time_due),
        FAKE_TEST(the_cleaner_sleeps_though_the_pool_is_busy),
        FAKE_TEST(with_nothing_due_the_cleaner_sleeps_for_ever),
        FAKE_TEST(the_longest_times_are_far_away),
        FAKE_TEST(what_was_used_again_counts_from_then),
        FAKE_TEST(many_that_leave_at_once_do_not_hold_the_mutex_for_long),
        FAKE_TEST(idle_items_are_checked_now_and_then),
        FAKE_TEST(what_is_used_is_not_kept_alive),
        FAKE_TEST(the_dead_are_found_and_replaced_in_the_background),
        FAKE_TEST(keeping_alive_leaves_items_to_borrow),
        FAKE_TEST(close_waits_for_what_is_being_checked),
        FAKE_TEST(what_hung_up_while_idle_is_replaced_at_once),
        FAKE_TEST(for_what_has_left_the_cleaner_does_not_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
