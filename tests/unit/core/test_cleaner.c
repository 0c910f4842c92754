/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * cleaner.c: what becomes due, that the cleaner wakes exactly then, and how
 * often it wakes.  test_lifetime.c has the lifetimes.
 */
#include "support_caller.h"

#include <limits.h>
#include <string.h>

static uint64_t cleaner_wakes(void)
{
    return sim_thread("watch").wakes;
}

/* E01 */
static void surplus_item_is_closed_when_idle_timeout_passes(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 4, .min_size = 2, .idle_timeout_ms = 1000);
    rpool_item *item[4];
    for (int i = 0; i < 4; i++)
        item[i] = fake_lease(pool);
    for (int i = 4; i-- > 0;) { /* at 0, 100, 200 and 300 ms */
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
static void idle_items_stay_when_pool_is_at_min_size(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 2,
                            .idle_timeout_ms = 1000, .max_uses = 2);
    sim_advance_ms(300000);
    assert_int_equal(fake->created, 2);
    assert_int_equal(fake->live, 2);
    for (int i = 0; i < 2; i++) { /* but not after max_uses leases */
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
static void
expiry_stops_at_min_size_when_many_items_are_due_together(void **state)
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
static void cleaner_wakes_once_when_an_item_becomes_due(void **state)
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
    assert_in_range(wakes, 0, 2); /* it learns that there is a surplus */
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
static void cleaner_wakes_rarely_when_pool_is_busy(void **state)
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
static void cleaner_never_wakes_when_nothing_can_become_due(void **state)
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

/* The longest possible times do not overflow. */
static void
expiry_and_leak_times_do_not_overflow_when_they_are_int_max(void **state)
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
static void idle_timeout_restarts_when_item_is_leased_again(void **state)
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

/* E16 M02: a jump of the clock makes a thousand items due at once. */
static void mutex_is_held_briefly_when_many_items_expire_together(void **state)
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
static void item_is_leased_or_expires_but_not_both_when_they_race(void **state)
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
    /* each side wins the race now and then */
    assert_in_range(leased_old, 50, 450);
}

/* C22 */
static void keepalive_checks_item_when_it_is_idle(void **state)
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

/* C22: an item that is in use needs no keepalive. */
static void keepalive_skips_item_when_it_is_in_use(void **state)
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
static void dead_items_are_replaced_when_keepalive_finds_them(void **state)
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
static void acquire_succeeds_when_keepalives_are_running(void **state)
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
    sim_advance_ms(900); /* each item has had its keepalive */
    for (int i = 0; i < 8; i++)
        assert_true(fake->resources[i]->checks <= 1);
    assert_in_range(fake->checks, 7, 8); /* one was proven by its lease */
    close_pool(&pool);
}

/* E22 F08 */
static void close_waits_when_a_keepalive_check_is_running(void **state)
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

/* C01 P04: without any lease. */
static void min_size_is_restored_when_peers_close_idle_items(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 10, .min_size = 8);
    sim_advance_ms(1000); /* new items would count as stillborn */
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

/* The cleaner does not wake for the item's former lifetime either. */
static void cleaner_does_not_wake_when_item_has_already_left(void **state)
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
        /* First: in a cell that never had more slots the race is close. */
        cmocka_unit_test(item_is_leased_or_expires_but_not_both_when_they_race),
        FAKE_TEST(surplus_item_is_closed_when_idle_timeout_passes),
        FAKE_TEST(idle_items_stay_when_pool_is_at_min_size),
        FAKE_TEST(expiry_stops_at_min_size_when_many_items_are_due_together),
        FAKE_TEST(cleaner_wakes_once_when_an_item_becomes_due),
        FAKE_TEST(cleaner_wakes_rarely_when_pool_is_busy),
        FAKE_TEST(cleaner_never_wakes_when_nothing_can_become_due),
        FAKE_TEST(expiry_and_leak_times_do_not_overflow_when_they_are_int_max),
        FAKE_TEST(idle_timeout_restarts_when_item_is_leased_again),
        FAKE_TEST(mutex_is_held_briefly_when_many_items_expire_together),
        FAKE_TEST(keepalive_checks_item_when_it_is_idle),
        FAKE_TEST(keepalive_skips_item_when_it_is_in_use),
        FAKE_TEST(dead_items_are_replaced_when_keepalive_finds_them),
        FAKE_TEST(acquire_succeeds_when_keepalives_are_running),
        FAKE_TEST(close_waits_when_a_keepalive_check_is_running),
        FAKE_TEST(min_size_is_restored_when_peers_close_idle_items),
        FAKE_TEST(cleaner_does_not_wake_when_item_has_already_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
