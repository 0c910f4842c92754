/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Recovery: a silent, slow or dead item delays no other item.  Which idle item
 * is chosen, who pings it, and what a caller gets meanwhile.
 */
#include "support_caller.h"

/* A10: a worker pings the item meanwhile.  The answer counts for the next
 * lease, however late it comes. */
static void
try_acquire_succeeds_when_a_background_ping_was_answered(void **state)
{
    struct fake *fake = *state;
    static const int pauses_ms[] = {1, 20, 100, 600, 5000};
    for (size_t i = 0; i < 5 * 3 * 2; i++) {
        int pause = pauses_ms[i % 5], always = i / 15 == 1;
        rpool *pool = fake_open(fake, .max_size = 2, .check_after_ms = 5,
                                .check_always = always);
        make_idle(pool, 2);
        sim_advance_ms(600); /* both items need a ping */
        fake->check.ms = (int[]){0, 10, 900}[i / 5 % 3];
        fake->checks = 0;
        rpool_item *item = NULL;
        for (int tries = 0, served = 0; served < 5; tries++) {
            served += rpool_try_acquire(pool, &item) == RPOOL_OK;
            rpool_release(&item);
            sim_advance_ms(pause);
            assert_true(tries <= 5 * (2 + fake->check.ms / pause));
        }
        fake->check.ms = 0;
        assert_int_equal(fake_stats(pool).created, 2);
        close_pool(&pool);
        fake->event_count = fake->done = 0;
    }
}

/* A slow check of one item does not make a try_acquire fail that another item
 * can serve. */
static void try_acquire_takes_another_item_when_one_check_is_slow(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .keepalive_ms = 1000,
                            .check_after_ms = 500);
    make_idle(pool, 3);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.ms = 400, .times = 1};
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_advance_ms(1);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_advance_ms(1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
        rpool_release(&item);
    }
    sim_advance_ms(998); /* one keepalive is slow */
    fake->check = (struct fake_step){.ms = 400, .times = 1};
    int served = 0;
    for (int i = 0; i < 5; i++) {
        sim_advance_ms(20);
        served += rpool_try_acquire(pool, &item) == RPOOL_OK;
        rpool_release(&item);
    }
    assert_true(served >= 3);
    fake->check.ms = 0;
    close_pool(&pool);
}

/* try_acquire leaves the item idle for a worker, but no worker comes. */
static void
acquire_pings_item_itself_when_no_worker_took_the_requested_ping(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .check_after_ms = 100);
    make_idle(pool, 1);
    sim_advance_ms(600);
    sim_break(SIM_THREAD_START, 1, 1000);
    fake->create = (struct fake_step){.ms = 4000, .times = 1};
    assert_int_equal(rpool_resize(pool, 2, 2), RPOOL_OK);
    sim_settle(); /* the only worker creates */
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    fake->check.ms = 50; /* longer than a caller pings before it waits */
    int64_t began = sim_now_ms();
    item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 1);
    assert_int_equal(sim_now_ms() - began, 50);
    fake->check.ms = 0;
    rpool_release(&item);
    close_pool(&pool);
}

/* Opens a pool of `size` idle items that need a ping.  The first `dead` answer
 * none. */
static rpool *open_with_dead(struct fake *fake, int max, int size, int dead)
{
    rpool *pool = fake_open(fake, .max_size = max, .create_timeout_ms = 1000);
    make_idle(pool, size);
    sim_advance_ms(600);
    fake->check = (struct fake_step){
        .result = RPOOL_BAD, .ms = FAKE_HANG, .times = 2 * dead};
    fake->create.ms = 5;
    return pool;
}

static void acquire_gets_a_new_item_when_idle_items_answer_no_ping(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_with_dead(fake, 10, 5, 5);
    fake->check.result = RPOOL_AGAIN; /* until the deadline */
    rpool_item *item = fake_lease(pool);
    assert_int_equal(sim_now_ms(), 600 + 20 + 5);
    assert_int_equal(fake_of(item)->number, 6);
    assert_int_equal(fake_stats(pool).checking, 5);
    fake->check = (struct fake_step){0};
    rpool_release(&item);
    close_pool(&pool);
}

static void callers_get_new_items_when_idle_items_answer_no_ping(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_with_dead(fake, 20, 10, 1000);
    fake->check.result = RPOOL_AGAIN;
    struct caller c[8];
    for (int i = 0; i < 8; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 3000, .hold_ms = 9};
        caller_start(&c[i]);
    }
    sim_advance_ms(20 + 8 * 5);
    for (int i = 0; i < 8; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    fake->check = (struct fake_step){0};
    sim_advance_ms(2000);
    close_pool(&pool);
}

static void
acquire_takes_first_answering_item_when_others_are_silent(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_with_dead(fake, 5, 5, 1);
    fake->check.times = 2; /* the first item, for a caller and a worker */
    fake->check.result = RPOOL_AGAIN;
    rpool_item *item = fake_lease(pool);
    assert_int_equal(sim_now_ms(), 620);
    assert_int_equal(fake_of(item)->number, 2);
    rpool_release(&item);
    sim_advance_ms(2000);
    close_pool(&pool);
}

/* There is no room for a new item: all are pinged at the same time, and the
 * first that is given up makes room. */
static void
acquire_waits_one_ping_timeout_when_no_idle_item_answers(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_with_dead(fake, 5, 5, 1000);
    fake->check.result = RPOOL_AGAIN;
    struct caller c = {.pool = pool, .timeout_ms = 3000, .hold_ms = 1};
    caller_start(&c);
    sim_advance_ms(100);
    fake->check = (struct fake_step){0};
    assert_int_equal(fake_stats(pool).checking, 5);
    sim_advance_ms(920);
    assert_int_equal(caller_status(&c), RPOOL_OK);
    close_pool(&pool);
}

/* Workers that ping do not count as workers that create. */
static void workers_still_create_when_many_pings_are_silent(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_with_dead(fake, 60, 40, 1000);
    fake->check.result = RPOOL_AGAIN;
    struct caller c[30];
    for (int i = 0; i < 30; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 3000, .hold_ms = 50};
        caller_start(&c[i]);
    }
    sim_advance_ms(20 + 200);
    for (int i = 0; i < 30; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    assert_true(sim_thread("rpool").live <= 1 + 3 + 16);
    fake->check = (struct fake_step){0};
    sim_advance_ms(5000);
    assert_true(sim_thread("rpool").live <= 1 + 3);
    close_pool(&pool);
}

/* The order of choice: a ready item; a pending answer that has come; a ping; a
 * pending answer that has not come. */
static void
acquire_prefers_item_whose_answer_has_come_when_all_have_one_pending(
    void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK};
    make_idle(pool, 2);
    sim_advance_ms(12);
    /* the first item's answer */
    fake->check = (struct fake_step){.ms = 1000, .times = 1};
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 2);
    assert_int_equal(sim_now_ms(), 12);
    rpool_release(&item);
    close_pool(&pool);
}

static void
acquire_prefers_ready_item_when_another_has_an_answer_pending(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    make_idle(pool, 2);
    sim_advance_ms(12);
    fake->check.ms = 1000;
    for (int i = 0; i < 9; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 2);
        rpool_release(&item);
        sim_advance_ms(12);
    }
    assert_int_equal(fake->checks, 0);
    fake->check.ms = 0;
    close_pool(&pool);
}

static void
acquire_pings_another_item_first_when_an_answer_is_pending(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    make_idle(pool, 2);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.ms = 10, .times = 1}; /* not here */
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 2);
    assert_int_equal(sim_now_ms(), 600);
    assert_int_equal(fake->checks, 2);
    rpool_release(&item);
    close_pool(&pool);
}

/* An old answer does not prove that the item is good now. */
static void item_is_pinged_when_its_last_answer_is_old(void **state)
{
    struct fake *fake = *state;
    fake->provider.look = fake_look;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    make_idle(pool, 1);
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->checks, 0);
    rpool_release(&item);
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    item = fake_lease(pool);
    rpool_release(&item);
    sim_advance_ms(600);
    item = fake_lease(pool);
    assert_int_equal(fake->checks, 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* Input that came while the item was idle is read before the lease. */
static void item_is_not_leased_when_look_finds_it_dead(void **state)
{
    struct fake *fake = *state;
    fake->provider.look = fake_look;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->looks, 0); /* it was not idle */
    rpool_release(&item);
    sim_advance_ms(12);
    item = fake_lease(pool);
    assert_int_equal(fake->looks, 1);
    rpool_release(&item);
    sim_advance_ms(12);
    fake->look = (struct fake_step){.result = RPOOL_BAD, .times = 1};
    item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 2);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_CHECK), 1);
    assert_int_equal(fake->checks, 0);
    rpool_release(&item);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(try_acquire_succeeds_when_a_background_ping_was_answered),
        FAKE_TEST(try_acquire_takes_another_item_when_one_check_is_slow),
        FAKE_TEST(
            acquire_pings_item_itself_when_no_worker_took_the_requested_ping),
        FAKE_TEST(acquire_gets_a_new_item_when_idle_items_answer_no_ping),
        FAKE_TEST(callers_get_new_items_when_idle_items_answer_no_ping),
        FAKE_TEST(acquire_takes_first_answering_item_when_others_are_silent),
        FAKE_TEST(acquire_waits_one_ping_timeout_when_no_idle_item_answers),
        FAKE_TEST(workers_still_create_when_many_pings_are_silent),
        FAKE_TEST(
            acquire_prefers_item_whose_answer_has_come_when_all_have_one_pending),
        FAKE_TEST(
            acquire_prefers_ready_item_when_another_has_an_answer_pending),
        FAKE_TEST(acquire_pings_another_item_first_when_an_answer_is_pending),
        FAKE_TEST(item_is_pinged_when_its_last_answer_is_old),
        FAKE_TEST(item_is_not_leased_when_look_finds_it_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
