/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Creations that fail: who gets the error, the back-off, and permanent
 * failures.
 */
#include "support_caller.h"

#include <string.h>

/* Returns when attempt n (0 is the first) failed. */
static int64_t failed_at(const struct fake *fake, int n)
{
    for (int i = 0; i < fake->event_count; i++)
        if (fake->events[i].type == RPOOL_EVENT_CREATE_FAILED && n-- == 0)
            return fake->events[i].at_ms;
    sim_fail("there were not that many failures");
}

/* B01: the retry comes within the waiter's time. */
static void creation_is_retried_when_one_attempt_failed(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT, .times = 1};
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, 1000, &item, NULL), RPOOL_OK);
    assert_int_equal(fake->creates, 2);
    assert_in_range(sim_now_ms(), 99, 100);
    rpool_stats stats = fake_stats(pool);
    assert_int_equal(stats.total, 1);
    assert_int_equal(stats.create_failed, 1);
    assert_int_equal(stats.created, 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* B02 */
static void
creation_is_retried_for_second_waiter_when_first_timed_out(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->create =
        (struct fake_step){.result = FAKE_TRANSIENT, .ms = 20, .times = 1};
    struct caller first = {.pool = pool, .timeout_ms = 20};
    struct caller second = {.pool = pool, .timeout_ms = 1000};
    caller_start(&first);
    caller_start(&second);
    sim_advance_ms(200);
    assert_int_equal(caller_status(&first), RPOOL_TIMEOUT);
    assert_int_equal(caller_status(&second), RPOOL_OK);
    assert_in_range(second.at_ms, 20, 120);
    close_pool(&pool);
}

/* B04 B06 P10 A24 */
static void
waiters_time_out_at_their_deadlines_when_no_creation_succeeds(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    fake->create.result = FAKE_TRANSIENT;
    struct caller a = {.pool = pool, .timeout_ms = 500};
    struct caller b = {.pool = pool, .timeout_ms = 700};
    caller_start(&a);
    caller_start(&b);
    sim_advance_ms(1000);
    assert_int_equal(caller_status(&a), RPOOL_TIMEOUT);
    assert_int_equal(caller_status(&b), RPOOL_TIMEOUT);
    assert_int_equal(a.at_ms, 500);
    assert_int_equal(b.at_ms, 700);
    assert_non_null(strstr(a.why.message, "fake transient failure"));
    assert_string_equal(b.why.code, "08006");
    assert_int_equal(fake_stats(pool).waiting, 0);
    assert_int_equal(fake_stats(pool).total, 0);
    int creates = fake->creates;
    sim_advance_ms(60000); /* no caller wants an item any more */
    assert_int_equal(fake->creates, creates);
    fake->create.result = FAKE_OK;
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->creates, creates + 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* B05: the longest pauses are 100 ms, 200, 400 and so on.  While a caller waits
 * they are at most a quarter of create_retry_max_ms. */
static void back_off_doubles_up_to_its_limit_when_creations_fail(void **state)
{
    struct fake *fake = *state;
    static const int64_t pauses[2][7] = {{100, 200, 400, 800, 1500, 1500, 1500},
                                         {100, 200, 375, 375, 375, 375, 375}};
    sim_random(1000);
    for (int waits = 0; waits < 2; waits++) {
        fake->create.result = FAKE_TRANSIENT;
        rpool *pool = fake_open(fake, .max_size = 1, .min_size = !waits,
                                .create_retry_max_ms = 1500);
        rpool_item *item = NULL;
        if (waits)
            assert_int_equal(rpool_acquire(pool, 10000, &item, NULL),
                             RPOOL_TIMEOUT);
        else
            sim_advance_ms(10000);
        for (int i = 0; i < 7; i++)
            assert_in_range(failed_at(fake, i + 1) - failed_at(fake, i),
                            pauses[waits][i] - 1, pauses[waits][i]);
        close_pool(&pool);
        fake->event_count = fake->done = 0;
    }
}

/* Creations that began together and fail together count as one failure. */
static void back_off_takes_one_step_when_creations_fail_together(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT, .ms = 5};
    rpool *pool =
        fake_open(fake, .max_size = 8, .min_size = 8, .create_concurrency = 8);
    sim_advance_ms(2000);
    assert_int_equal(failed_at(fake, 7), 5);
    assert_in_range(failed_at(fake, 8), 5 + 99 + 5, 5 + 100 + 5);
    assert_in_range(failed_at(fake, 9) - failed_at(fake, 8), 204, 205);
    fake->create.result = FAKE_OK;
    close_pool(&pool);
}

/* The median over many outages of 100 ms to 5 s. */
static void waiters_are_served_within_150_ms_when_an_outage_ends(void **state)
{
    (void)state;
    enum { RUNS = 201 };
    static const int outages_ms[] = {100, 300, 1000, 5000};
    for (int o = 0; o < 4; o++) {
        int soon = 0;
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
            struct fake fake;
            fake_begin(&fake, seed);
            rpool *pool =
                fake_open(&fake, .max_size = 4, .create_concurrency = 4);
            fake.create = (struct fake_step){.result = FAKE_TRANSIENT};
            struct caller c[4];
            for (int i = 0; i < 4; i++) {
                c[i] = (struct caller){.pool = pool, .timeout_ms = 60000};
                caller_start(&c[i]);
            }
            sim_advance_ms(outages_ms[o]);
            fake.create.result = FAKE_OK;
            sim_advance_ms(150);
            soon += c[0].answered;
            sim_advance_ms(1000);
            for (int i = 0; i < 4; i++)
                assert_int_equal(caller_status(&c[i]), RPOOL_OK);
            close_pool(&pool);
            fake_end(&fake);
        }
        assert_true(soon > RUNS / 2);
    }
}

/* B05: a pause may have any length up to the longest, so that many clients do
 * not retry together. */
static void back_off_is_spread_from_zero_when_a_creation_fails(void **state)
{
    (void)state;
    int64_t least = 100, most = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 1);
        fake.create = (struct fake_step){.result = FAKE_TRANSIENT, .times = 1};
        rpool_item *item = fake_lease(pool);
        int64_t pause = sim_now_ms();
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
        rpool_release(&item);
        close_pool(&pool);
        fake_end(&fake);
    }
    assert_in_range(least, 0, 5);
    assert_in_range(most, 95, 100);
}

/* B05 P09: a minute without a server, and a hundred waiters. */
static void one_creation_at_a_time_is_tried_when_server_is_down(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 50, .create_concurrency = 8);
    fake->create =
        (struct fake_step){.result = FAKE_TRANSIENT, .ms = 5, .times = 0};
    struct caller c[100];
    for (int i = 0; i < 100; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 60000};
        caller_start(&c[i]);
    }
    sim_advance_ms(1000);
    int creates = fake->creates;
    fake->creating_peak = 0;
    sim_advance_ms(59000);
    assert_int_equal(fake->creating_peak, 1);
    /* the average pause is 125 ms */
    assert_in_range(fake->creates - creates, 240, 600);
    close_pool(&pool);
}

/* B07 P09 */
static void pool_fills_soon_when_server_is_back(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .min_size = 4);
    fake->create.result = FAKE_TRANSIENT;
    sim_advance_ms(60000);
    fake->create.result = FAKE_OK;
    struct caller c = {.pool = pool, .timeout_ms = 5000};
    caller_start(&c);
    sim_advance_ms(1000); /* the longest pause */
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(fake_stats(pool).idle, 4);
    assert_int_equal(fake_stats(pool).create_failed,
                     fake_count(fake, RPOOL_EVENT_CREATE_FAILED));
    close_pool(&pool);
}

/* B08 B21 */
static void waiter_is_served_by_a_release_when_back_off_is_running(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .create_retry_max_ms = 60000);
    sim_random(1000);
    rpool_item *held = fake_lease(pool);
    fake->create.result = FAKE_TRANSIENT;
    struct caller c = {.pool = pool, .timeout_ms = 60000};
    caller_start(&c);
    sim_advance_ms(150);
    assert_false(c.answered);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.at_ms, 150);
    for (int i = 0; i < 10; i++) { /* the existing item is still leased */
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 1);
        rpool_release(&item);
    }
    close_pool(&pool);
}

/* B16 */
static void creation_counts_as_failed_when_it_returns_no_resource(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->create = (struct fake_step){.result = FAKE_NULL, .times = 1};
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake->creates, 2);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_CREATE_FAILED), 1);
    assert_non_null(strstr(fake_last(fake, RPOOL_EVENT_CREATE_FAILED)->message,
                           "returned no resource"));
    rpool_release(&item);
    close_pool(&pool);
}

/* B20 */
static void acquire_fails_at_once_when_creation_fails_permanently(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .name = "locked");
    fake->create = (struct fake_step){.result = FAKE_PERMANENT, .ms = 10};
    struct caller c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 60000};
        caller_start(&c[i]);
    }
    sim_advance_ms(10);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_CREATE);
        assert_true(c[i].why.permanent);
        assert_string_equal(c[i].why.code, "28P01");
        assert_non_null(strstr(c[i].why.message, "pool \"locked\""));
        assert_non_null(strstr(c[i].why.message, "fake permanent failure"));
    }
    close_pool(&pool);
}

/* B20: a wrong password is not tried too often.  Callers cause at most five
 * attempts a second, and get a failure that is at most 200 ms old. */
static void
creation_is_tried_five_times_a_second_when_it_fails_permanently(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .create_retry_max_ms = 2000);
    fake->create.result = FAKE_PERMANENT;
    rpool_item *item = NULL;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rpool_acquire(pool, 60000, &item, NULL), RPOOL_CREATE);
        sim_advance_ms(100);
    }
    assert_in_range(fake->creates, 49, 51);
    fake->create.result = FAKE_OK;
    sim_advance_ms(100);
    int64_t began = sim_now_ms();
    assert_int_equal(rpool_acquire(pool, 60000, &item, NULL), RPOOL_OK);
    assert_int_equal(sim_now_ms(), began);
    rpool_release(&item);
    close_pool(&pool);
}

/* B20: without a waiter, min_size is retried as rarely as after any failure. */
static void
permanent_failure_is_retried_rarely_when_no_caller_waits(void **state)
{
    struct fake *fake = *state;
    fake->create.result = FAKE_PERMANENT;
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 2,
                            .create_retry_max_ms = 2000);
    sim_advance_ms(20000);
    assert_in_range(fake->creates, 10, 13);
    assert_int_equal(rpool_wait(pool, 1000, NULL), RPOOL_CREATE);
    sim_advance_ms(300); /* the known failure is too old to refuse a caller */
    fake->create = (struct fake_step){.result = FAKE_OK};
    assert_int_equal(rpool_wait(pool, 1000, NULL), RPOOL_OK);
    close_pool(&pool);
}

/* B20: while there is an item, a release may serve the waiter. */
static void waiter_keeps_waiting_after_permanent_failure_when_an_item_is_leased(
    void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *held = fake_lease(pool);
    fake->create.result = FAKE_PERMANENT;
    struct caller c = {.pool = pool, .timeout_ms = 60000};
    caller_start(&c);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_CREATE_FAILED), 1);
    assert_false(c.answered);
    sim_advance_ms(300);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.at_ms, 300);
    close_pool(&pool);
}

/* When the last item is gone, the waiter is refused. */
static void
waiter_fails_after_permanent_failure_when_last_item_is_discarded(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *held = fake_lease(pool);
    fake->create.result = FAKE_PERMANENT;
    struct caller c = {.pool = pool, .timeout_ms = 60000};
    caller_start(&c);
    sim_advance_ms(10);
    rpool_discard(&held);
    sim_settle(); /* as a new caller would be */
    assert_int_equal(caller_status(&c), RPOOL_CREATE);
    assert_int_equal(fake->creates, 2);
    close_pool(&pool);
}

/* An application recycles the pool when the password is right again. */
static void back_off_ends_when_pool_is_recycled(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .create_retry_max_ms = 60000);
    fake->create = (struct fake_step){.result = FAKE_PERMANENT, .times = 1};
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, 60000, &item, NULL), RPOOL_CREATE);
    assert_int_equal(rpool_recycle(pool), RPOOL_OK);
    assert_int_equal(rpool_acquire(pool, 60000, &item, NULL), RPOOL_OK);
    assert_int_equal(sim_now_ms(), 0);
    rpool_release(&item);
    close_pool(&pool);
}

/* B19 */
static void
min_size_is_reached_when_new_items_are_closed_by_the_peer(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .min_size = 6);
    fake->create.ms = 10;
    for (int i = 0; i < 5; i++) {
        sim_advance_ms(10);
        int last = fake->created - 1;
        if (last >= 0 && !fake->resources[last]->gone)
            sim_hang_up(fake->resources[last]->fd);
        sim_settle();
    }
    sim_advance_ms(2000);
    assert_int_equal(fake_stats(pool).idle, 6);
    assert_true(fake_closed_by(fake, RPOOL_REASON_HANGUP) > 0);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(creation_is_retried_when_one_attempt_failed),
        FAKE_TEST(creation_is_retried_for_second_waiter_when_first_timed_out),
        FAKE_TEST(
            waiters_time_out_at_their_deadlines_when_no_creation_succeeds),
        FAKE_TEST(back_off_doubles_up_to_its_limit_when_creations_fail),
        cmocka_unit_test(back_off_is_spread_from_zero_when_a_creation_fails),
        FAKE_TEST(one_creation_at_a_time_is_tried_when_server_is_down),
        FAKE_TEST(pool_fills_soon_when_server_is_back),
        FAKE_TEST(waiter_is_served_by_a_release_when_back_off_is_running),
        FAKE_TEST(creation_counts_as_failed_when_it_returns_no_resource),
        FAKE_TEST(acquire_fails_at_once_when_creation_fails_permanently),
        FAKE_TEST(
            creation_is_tried_five_times_a_second_when_it_fails_permanently),
        FAKE_TEST(permanent_failure_is_retried_rarely_when_no_caller_waits),
        FAKE_TEST(back_off_takes_one_step_when_creations_fail_together),
        cmocka_unit_test(waiters_are_served_within_150_ms_when_an_outage_ends),
        FAKE_TEST(
            waiter_keeps_waiting_after_permanent_failure_when_an_item_is_leased),
        FAKE_TEST(
            waiter_fails_after_permanent_failure_when_last_item_is_discarded),
        FAKE_TEST(back_off_ends_when_pool_is_recycled),
        FAKE_TEST(min_size_is_reached_when_new_items_are_closed_by_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
