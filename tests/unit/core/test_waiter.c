/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The waiter queue: its order, its length, and that each waiter gets exactly
 * one answer, whatever happens at the same time.
 */
#include "support_caller.h"

#include <stdlib.h>
#include <string.h>

/* A16 */
static void
waiters_are_served_in_order_of_arrival_when_items_are_released(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    struct caller c[6];
    for (int i = 0; i < 6; i++) {
        c[i] =
            (struct caller){.pool = pool, .timeout_ms = 1000, .hold_ms = 200};
        caller_start(&c[i]);
    }
    sim_advance_ms(600);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        assert_int_equal(c[i].at_ms, i / 2 * 200);
        assert_true(i == 0 || c[i - 1].turn < c[i].turn);
    }
    assert_int_equal(fake_stats(pool).waited, 6); /* two waited for creations */
    close_pool(&pool);
}

/* A11 */
static void next_waiter_is_served_when_first_waiter_timed_out(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller gone = {.pool = pool, .timeout_ms = 10};
    struct caller next = {.pool = pool, .timeout_ms = 1000};
    caller_start(&gone);
    caller_start(&next);
    sim_advance_ms(10);
    assert_int_equal(caller_status(&gone), RPOOL_TIMEOUT);
    assert_false(next.answered);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&next), RPOOL_OK);
    struct caller last = {.pool = pool, .timeout_ms = 10};
    held = fake_lease(pool);
    caller_start(&last);
    sim_advance_ms(10);
    rpool_release(&held);
    assert_int_equal(fake_stats(pool).idle, 1);
    close_pool(&pool);
}

/* A13 */
static void
items_and_counts_are_right_when_waiters_time_out_in_reverse_order(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3);
    rpool_item *held[3] = {fake_lease(pool), fake_lease(pool),
                           fake_lease(pool)};
    struct caller c[9];
    for (int i = 0; i < 9; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 100 - 10 * i};
        caller_start(&c[i]);
    }
    assert_int_equal(fake_stats(pool).waiting, 9);
    sim_advance_ms(100);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_TIMEOUT);
        assert_int_equal(c[i].at_ms, 100 - 10 * i);
    }
    for (int i = 0; i < 3; i++)
        rpool_release(&held[i]);
    assert_int_equal(fake_stats(pool).idle, 3);
    assert_int_equal(fake_stats(pool).waiting, 0);
    assert_int_equal(fake_stats(pool).timed_out, 9);
    close_pool(&pool);
}

struct greedy {
    rpool *pool;
    int leases;
    int64_t until_ms;
};

static void borrow_again_and_again(void *arg)
{
    struct greedy *g = arg;
    while (sim_now_ms() < g->until_ms) {
        rpool_item *item = fake_lease(g->pool);
        g->leases++;
        sim_sleep_ms(1);
        rpool_release(&item);
    }
}

/* A17 */
static void
caller_queues_behind_others_when_it_releases_and_acquires_again(void **state)
{
    struct fake *fake = *state;
    enum { THREADS = 200, ITEMS = 5, ROUNDS = 20 };
    rpool *pool = fake_open(fake, .max_size = ITEMS);
    make_idle(pool, ITEMS);
    struct greedy g[THREADS];
    int id[THREADS];
    for (int i = 0; i < THREADS; i++) {
        g[i] =
            (struct greedy){.pool = pool, .until_ms = ROUNDS * THREADS / ITEMS};
        id[i] = sim_spawn(borrow_again_and_again, &g[i]);
    }
    for (int i = 0; i < THREADS; i++)
        sim_join(id[i]);
    for (int i = 0; i < THREADS; i++)
        assert_in_range(g[i].leases, ROUNDS, ROUNDS + 1);
    assert_int_equal(fake->created, ITEMS);
    close_pool(&pool);
}

/* A18: a hundred callers share ten items for a long time, and none waits too
 * long. */
static void
acquires_never_time_out_when_a_hundred_callers_share_ten_items(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 10);
    struct caller c[100];
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 100; i++) {
            c[i] = (struct caller){
                .pool = pool, .timeout_ms = 10000, .hold_ms = 200};
            caller_spawn(&c[i]);
        }
        for (int i = 0; i < 100; i++) {
            sim_join(c[i].id);
            assert_int_equal(c[i].status, RPOOL_OK);
        }
    }
    assert_int_equal(fake->peak, 10);
    assert_int_equal(fake_stats(pool).acquired, 3000);
    assert_int_equal(fake_stats(pool).timed_out, 0);
    close_pool(&pool);
}

/* A19 */
static void
acquire_is_refused_with_reason_when_waiter_queue_is_full(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 1, .max_waiters = 3, .name = "narrow");
    rpool_item *held = fake_lease(pool);
    struct caller c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 1000, .hold_ms = 1};
        caller_start(&c[i]);
    }
    assert_false(c[0].answered || c[1].answered || c[2].answered);
    assert_int_equal(caller_status(&c[3]), RPOOL_BUSY);
    assert_int_equal(c[3].at_ms, 0);
    assert_non_null(strstr(c[3].why.message, "pool \"narrow\""));
    assert_non_null(strstr(c[3].why.message, "3 waiting"));
    assert_int_equal(fake_stats(pool).refused, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_REFUSED), 1);
    rpool_release(&held);
    sim_advance_ms(10);
    for (int i = 0; i < 3; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    close_pool(&pool);
}

/* A23 */
static void each_waiter_is_served_once_when_a_thousand_wait(void **state)
{
    struct fake *fake = *state;
    enum { MANY = 1000 };
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller *c = calloc(MANY, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < MANY; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1, .hold_ms = 1};
        caller_spawn(&c[i]);
    }
    sim_settle();
    assert_int_equal(fake_stats(pool).waiting, MANY);
    rpool_release(&held);
    sim_advance_ms(MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        assert_int_equal(c[i].at_ms, i);
    }
    assert_int_equal(fake_stats(pool).acquired, MANY + 1);
    assert_int_equal(fake->created, 1);
    free(c);
    close_pool(&pool);
}

/* A27 */
static void waiter_takes_released_item_when_creation_is_slower(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *held = fake_lease(pool);
    fake->create.ms = 100;
    struct caller c = {.pool = pool, .timeout_ms = 1000, .hold_ms = 500};
    caller_start(&c);
    sim_advance_ms(10);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.at_ms, 10);
    assert_int_equal(c.resource, 1);
    sim_advance_ms(90);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake->created, 2);
    sim_advance_ms(500);
    close_pool(&pool);
}

/* V06: one release wakes one waiter. */
static void one_waiter_is_woken_when_an_item_is_released(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller c[20];
    for (int i = 0; i < 20; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = -1, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    struct sim_counts before = sim_counts();
    rpool_release(&held);
    sim_settle();
    assert_int_equal(sim_counts().wakes - before.wakes, 1);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        rpool_release(&c[i].item);
        sim_settle();
    }
    close_pool(&pool);
}

/* A thread that was woken without an answer would sleep again. */
static void each_release_wakes_one_thread_when_many_hundreds_wait(void **state)
{
    struct fake *fake = *state;
    enum { MANY = 900 };
    static struct caller c[MANY];
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    for (int i = 0; i < MANY; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
        caller_spawn(&c[i]);
    }
    sim_settle();
    assert_int_equal(fake_stats(pool).waiting, MANY);
    struct sim_counts before = sim_counts();
    rpool_release(&held);
    sim_settle();
    struct sim_counts after = sim_counts();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    assert_int_equal(after.wakes - before.wakes, MANY);
    assert_int_equal(after.waits - before.waits, 0);
    close_pool(&pool);
}

/* No waiter depends on another waiter, which may be in a slow listener, to be
 * woken. */
static void resume_wakes_every_waiter_itself_when_many_wait(void **state)
{
    struct fake *fake = *state;
    enum { MANY = 50 };
    static struct caller c[MANY];
    rpool *pool = fake_open(fake, .max_size = MANY);
    make_idle(pool, MANY);
    assert_int_equal(rpool_suspend(pool), RPOOL_OK);
    for (int i = 0; i < MANY; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
        caller_start(&c[i]);
    }
    struct sim_counts before = sim_counts();
    assert_int_equal(rpool_resume(pool), RPOOL_OK);
    assert_int_equal(sim_counts().wakes - before.wakes, MANY);
    assert_int_equal(sim_counts().switches, before.switches);
    sim_settle();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    close_pool(&pool);
}

/* The release and the deadlines come at the same virtual time, in an order that
 * the seed decides. */
static void race_grant_and_give_up(uint64_t seed)
{
    struct fake fake;
    fake_begin(&fake, seed);
    sim_search(&(struct sim_search){
        .walk = 300, .depth = seed % 2 ? 3 : 0, .steps = 400, .spurious = 50});
    rpool *pool = fake_open(&fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = i == 3 ? 50 : 10, .hold_ms = 0};
        caller_spawn(&c[i]);
    }
    sim_sleep_ms(10);
    rpool_release(&held);
    int served = 0;
    for (int i = 0; i < 4; i++) {
        sim_join(c[i].id);
        assert_true(c[i].status == RPOOL_OK || c[i].status == RPOOL_TIMEOUT);
        served += c[i].status == RPOOL_OK;
    }
    /* The last waiter has time enough: if it fails, the item was lost. */
    assert_int_equal(c[3].status, RPOOL_OK);
    rpool_stats stats = fake_stats(pool);
    assert_int_equal(stats.idle, 1);
    assert_int_equal(stats.acquired, 1 + served);
    assert_int_equal(stats.timed_out, 4 - served);
    assert_int_equal(fake_count(&fake, RPOOL_EVENT_TIMED_OUT), 4 - served);
    assert_int_equal(fake.created, 1);
    close_pool(&pool);
    fake_end(&fake);
}

/* A11 A06 */
static void
waiter_gets_one_answer_when_release_and_deadline_coincide(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++)
        race_grant_and_give_up(seed);
}

/* Spurious returns of the condition variable are no answers. */
static void waiter_keeps_waiting_when_it_wakes_spuriously(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.spurious = 700});
        rpool *pool = fake_open(&fake, .max_size = 1);
        rpool_item *held = fake_lease(pool);
        struct caller c = {.pool = pool, .timeout_ms = 100};
        caller_spawn(&c);
        sim_join(c.id);
        assert_int_equal(c.status, RPOOL_TIMEOUT);
        assert_int_equal(c.at_ms, 100);
        rpool_release(&held);
        close_pool(&pool);
        fake_end(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(
            waiters_are_served_in_order_of_arrival_when_items_are_released),
        FAKE_TEST(next_waiter_is_served_when_first_waiter_timed_out),
        FAKE_TEST(
            items_and_counts_are_right_when_waiters_time_out_in_reverse_order),
        FAKE_TEST(
            caller_queues_behind_others_when_it_releases_and_acquires_again),
        FAKE_TEST(
            acquires_never_time_out_when_a_hundred_callers_share_ten_items),
        FAKE_TEST(acquire_is_refused_with_reason_when_waiter_queue_is_full),
        FAKE_TEST(each_waiter_is_served_once_when_a_thousand_wait),
        FAKE_TEST(waiter_takes_released_item_when_creation_is_slower),
        FAKE_TEST(one_waiter_is_woken_when_an_item_is_released),
        FAKE_TEST(each_release_wakes_one_thread_when_many_hundreds_wait),
        FAKE_TEST(resume_wakes_every_waiter_itself_when_many_wait),
        cmocka_unit_test(
            waiter_gets_one_answer_when_release_and_deadline_coincide),
        cmocka_unit_test(waiter_keeps_waiting_when_it_wakes_spuriously),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
