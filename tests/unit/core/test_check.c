/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * acquire.c, the check before a lease: when it is made, what each result does,
 * and pending answers.
 */
#include "support_caller.h"

/* C07 */
static void item_is_not_checked_when_it_was_leased_recently(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    for (int i = 0; i < 10; i++) {
        rpool_item *item = fake_lease(pool);
        sim_advance_ms(700); /* a lease counts as a proof of life */
        rpool_release(&item);
        sim_advance_ms(496);
    }
    assert_int_equal(fake->checks, 0);
    close_pool(&pool);
}

/* C07 */
static void item_is_checked_once_when_it_was_idle_for_long(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .check_after_ms = 200);
    make_idle(pool, 1);
    sim_advance_ms(200);
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->checks, 1);
    assert_int_equal(fake->idle_ms, 200);
    assert_int_equal(fake->check_timeout_ms, 20);
    rpool_release(&item);
    item = fake_lease(pool);
    assert_int_equal(fake->checks, 1);
    assert_int_equal(fake_stats(pool).checked, 1);
    rpool_release(&item);
    close_pool(&pool);
}

static void check_runs_before_every_lease_when_check_always_is_set(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .check_always = 1);
    for (int i = 1; i <= 3; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake->checks, i);
        rpool_release(&item);
    }
    assert_int_equal(fake->created, 1);
    close_pool(&pool);
}

static void check_never_runs_when_check_after_is_never(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .check_after_ms = RPOOL_NEVER,
                            .idle_timeout_ms = RPOOL_NEVER,
                            .max_lifetime_ms = RPOOL_NEVER);
    make_idle(pool, 1);
    sim_advance_ms(1000000000);
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->checks, 0);
    assert_int_equal(fake->created, 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* C02 */
static void acquire_gets_new_item_when_all_idle_items_are_dead(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 5);
    make_idle(pool, 5);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .times = 5};
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->checks, 5);
    assert_int_equal(fake_of(item)->number, 6);
    assert_int_equal(sim_now_ms(), 600);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_CHECK), 5);
    assert_int_equal(fake->live, 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* C08 */
static void
acquire_waits_for_new_item_when_check_fails_before_deadline(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .ms = 15, .times = 1};
    fake->create.ms = 30;
    struct caller c = {.pool = pool, .timeout_ms = 100};
    caller_start(&c);
    sim_advance_ms(44);
    assert_false(c.answered);
    sim_advance_ms(1);
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.resource, 2);
    close_pool(&pool);
}

static void acquire_times_out_when_check_fails_at_the_deadline(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_advance_ms(600);
    fake->check =
        (struct fake_step){.result = RPOOL_BAD, .ms = FAKE_HANG, .times = 1};
    fake->create.ms = 1;
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, 10, &item, NULL), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms(), 610);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_CHECK), 1);
    close_pool(&pool);
}

/* The item is good; only the caller's time was short. */
static void item_is_kept_when_deadline_of_acquire_ends_its_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_advance_ms(600);
    fake->check.ms = 50;
    rpool_item *item = NULL;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(rpool_acquire(pool, 20, &item, NULL), RPOOL_TIMEOUT);
        /* one without waiting, one with */
        assert_int_equal(fake->checks, 2 * i - 1);
        assert_int_equal(fake_stats(pool).idle, 1);
    }
    /* Its answer is pending, so it is checked again whatever its age. */
    fake->check.ms = 0;
    item = fake_lease(pool);
    assert_int_equal(fake->checks, 6);
    rpool_release(&item);
    item = fake_lease(pool);
    assert_int_equal(fake->checks, 6);
    assert_int_equal(fake->created, 1);
    rpool_release(&item);
    close_pool(&pool);
}

static void pending_answer_is_read_when_item_is_leased_next(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    make_idle(pool, 1);
    assert_int_equal(fake->resets, 1);
    assert_int_equal(fake->checks, 0); /* the release does not check */
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->checks, 1);
    rpool_release(&item);
    item = fake_lease(pool);
    assert_int_equal(fake->checks, 1);
    rpool_release(&item);
    close_pool(&pool);
}

static void try_acquire_succeeds_when_pending_answer_has_come(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    make_idle(pool, 1);
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
    assert_int_equal(fake->checks, 1);
    assert_int_equal(fake->check_timeout_ms, 0);
    rpool_release(&item);
    close_pool(&pool);
}

static void
try_acquire_takes_another_item_when_answer_is_still_pending(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    make_idle(pool, 2); /* slot 0 has a pending answer, slot 1 has none */
    sim_advance_ms(12); /* too late for the thread's slot hint */
    fake->check.ms = 50;
    rpool_item *item = NULL, *more = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
    assert_int_equal(fake_of(item)->number, 2);
    assert_int_equal(sim_now_ms(), 12);
    assert_int_equal(fake->checks, 0); /* the other item is ready */
    assert_int_equal(rpool_try_acquire(pool, &more), RPOOL_BUSY);
    assert_int_equal(fake->checks, 1);
    assert_int_equal(fake->live, 2);
    fake->check.ms = 0;
    assert_int_equal(rpool_try_acquire(pool, &more), RPOOL_OK);
    rpool_release(&item);
    rpool_release(&more);
    close_pool(&pool);
}

/* A10: there is no time for a ping, so the provider is not called. */
static void try_acquire_returns_busy_when_idle_item_needs_a_ping(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_advance_ms(600);
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    assert_int_equal(fake->checks, 0);
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake_stats(pool).total, 1);
    close_pool(&pool);
}

/* C11 */
static void other_callers_are_served_when_one_check_blocks(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    make_idle(pool, 2);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.ms = 15, .times = 1};
    struct caller slow = {.pool = pool, .timeout_ms = 5000};
    caller_start(&slow);
    assert_int_equal(fake_stats(pool).checking, 1);
    for (int i = 0; i < 5; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 2);
        rpool_release(&item);
    }
    assert_int_equal(sim_now_ms(), 600);
    assert_false(slow.answered);
    sim_advance_ms(15);
    assert_int_equal(caller_status(&slow), RPOOL_OK);
    assert_int_equal(slow.resource, 1);
    close_pool(&pool);
}

/* C17 */
static void other_idle_items_are_checked_when_one_was_found_dead(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .keepalive_ms = 610);
    rpool_item *item[3] = {fake_lease(pool), fake_lease(pool),
                           fake_lease(pool)};
    rpool_release(&item[0]);
    sim_advance_ms(600);
    rpool_release(&item[1]);
    rpool_release(&item[2]);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .times = 1};
    sim_advance_ms(12); /* the first item's keepalive */
    assert_int_equal(fake->resources[0]->checks, 1);
    for (int i = 1; i < 3; i++) {
        item[i] = fake_lease(pool);
        assert_int_equal(fake_of(item[i])->number, i + 1);
        assert_int_equal(fake->resources[i]->checks, 1);
    }
    /* Each is checked once: then it is proven again. */
    rpool_release(&item[1]);
    item[1] = fake_lease(pool);
    assert_int_equal(fake->checks, 3);
    rpool_release(&item[1]);
    rpool_release(&item[2]);
    close_pool(&pool);
}

/* A22 */
static void caller_keeps_its_turn_when_its_item_fails_the_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .ms = 15, .times = 1};
    struct caller first = {.pool = pool, .timeout_ms = 1000, .hold_ms = 5};
    struct caller later = {.pool = pool, .timeout_ms = 1000};
    caller_start(&first);
    sim_advance_ms(10);
    caller_start(&later);
    sim_advance_ms(100);
    assert_int_equal(caller_status(&first), RPOOL_OK);
    assert_int_equal(caller_status(&later), RPOOL_OK);
    assert_true(first.turn < later.turn);
    assert_int_equal(first.at_ms, 615);
    assert_int_equal(later.at_ms, 620);
    close_pool(&pool);
}

/* A22: also for a waiter in the queue, and when the queue is full. */
static void waiter_keeps_its_place_when_its_item_fails_the_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .max_waiters = 3);
    rpool_item *held = fake_lease(pool);
    struct caller c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 1000, .hold_ms = 5};
        caller_start(&c[i]);
    }
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    fake->check = (struct fake_step){.result = RPOOL_BAD, .ms = 15, .times = 1};
    rpool_release(&held);
    sim_advance_ms(10);
    struct caller last = {.pool = pool, .timeout_ms = 1000};
    caller_start(&last);
    sim_advance_ms(100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    assert_int_equal(caller_status(&last), RPOOL_OK);
    assert_true(c[0].turn < c[1].turn && c[1].turn < c[2].turn &&
                c[2].turn < last.turn);
    assert_int_equal(c[0].at_ms, 15);
    close_pool(&pool);
}

/* I10: recycled while it was checked. */
static void item_is_not_leased_when_recycled_during_its_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.ms = 50, .times = 1};
    struct caller c = {.pool = pool, .timeout_ms = 1000};
    caller_start(&c);
    assert_int_equal(rpool_recycle(pool), RPOOL_OK);
    sim_advance_ms(50);
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.resource, 2);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RECYCLE), 1);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(item_is_not_checked_when_it_was_leased_recently),
        FAKE_TEST(item_is_checked_once_when_it_was_idle_for_long),
        FAKE_TEST(check_runs_before_every_lease_when_check_always_is_set),
        FAKE_TEST(check_never_runs_when_check_after_is_never),
        FAKE_TEST(acquire_gets_new_item_when_all_idle_items_are_dead),
        FAKE_TEST(acquire_waits_for_new_item_when_check_fails_before_deadline),
        FAKE_TEST(acquire_times_out_when_check_fails_at_the_deadline),
        FAKE_TEST(item_is_kept_when_deadline_of_acquire_ends_its_check),
        FAKE_TEST(pending_answer_is_read_when_item_is_leased_next),
        FAKE_TEST(try_acquire_succeeds_when_pending_answer_has_come),
        FAKE_TEST(try_acquire_takes_another_item_when_answer_is_still_pending),
        FAKE_TEST(try_acquire_returns_busy_when_idle_item_needs_a_ping),
        FAKE_TEST(other_callers_are_served_when_one_check_blocks),
        FAKE_TEST(other_idle_items_are_checked_when_one_was_found_dead),
        FAKE_TEST(caller_keeps_its_turn_when_its_item_fails_the_check),
        FAKE_TEST(waiter_keeps_its_place_when_its_item_fails_the_check),
        FAKE_TEST(item_is_not_leased_when_recycled_during_its_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
