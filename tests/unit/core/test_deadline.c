/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* A close keeps its deadline, whatever the pool's threads are doing. */
#include "support_caller.h"

enum { MOMENT_MS = 100 }; /* a close gives destroys this much time */

/* A worker begins a long job just when the close looks for busy workers. */
static void
close_keeps_its_deadline_when_a_worker_job_begins_meanwhile(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        fake.check.ms = fake.destroy.ms = 20000;
        int check = seed % 2;
        rpool *pool = fake_open(&fake, .max_size = 1,
                                .keepalive_ms = check ? 100 : RPOOL_NEVER,
                                .idle_timeout_ms = check ? RPOOL_NEVER : 100);
        make_idle(pool, 1);
        sim_sleep_ms(100);
        int64_t began = sim_now_ms();
        (void)rpool_close(&pool, 0);
        assert_in_range(sim_now_ms() - began, 0, MOMENT_MS + 1);
        sim_advance_ms(100000); /* the job ends by itself */
        assert_int_equal(fake.done, 1);
        fake_end(&fake);
    }
}

/* Slow pings were handed to the workers, which are all busy. */
static void
items_waiting_for_a_check_are_destroyed_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 40, .create_timeout_ms = 60000);
    make_idle(pool, 20);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.result = RPOOL_AGAIN, .ms = FAKE_HANG};
    fake->create.ms = FAKE_HANG;
    struct caller c[20];
    for (int i = 0; i < 20; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 100};
        caller_start(&c[i]);
    }
    sim_advance_ms(100);
    assert_int_equal(fake_stats(pool).checking, 20);
    assert_int_equal(fake->checks, 20 + 16);
    assert_int_equal(rpool_close(&pool, 50), RPOOL_TIMEOUT);
    assert_int_equal(fake->checks, 20 + 16);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_SHUTDOWN), 4);
    sim_advance_ms(60000);
    assert_int_equal(fake->done, 1);
}

static rpool_event_type slow;

static void dawdle(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == slow)
        sim_sleep_ms(10000);
}

/* Expects that close times out while the cleaner is in the listener. */
static void expect_it_to_be_left_behind(struct fake *fake, rpool *pool)
{
    assert_int_equal(fake_count(fake, slow), 1);
    int64_t began = sim_now_ms();
    assert_int_equal(rpool_close(&pool, 50), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms() - began, 50);
    assert_int_equal(fake->done, 0);
    sim_advance_ms(10000);
    assert_int_equal(fake->done, 1);
}

static void
close_times_out_when_listener_is_slow_with_a_leak_event(void **state)
{
    struct fake *fake = *state;
    slow = RPOOL_EVENT_LEAK;
    fake->hook = dawdle;
    rpool *pool = fake_open(fake, .max_size = 1, .leak_after_ms = 100);
    rpool_item *item = fake_lease(pool);
    sim_advance_ms(150);
    rpool_release(&item);
    expect_it_to_be_left_behind(fake, pool);
}

static void
close_times_out_when_listener_is_slow_with_a_degraded_event(void **state)
{
    struct fake *fake = *state;
    slow = RPOOL_EVENT_DEGRADED;
    fake->hook = dawdle;
    rpool *pool = fake_open(fake, .max_size = 2);
    make_idle(pool, 1);
    fake->create.ms = FAKE_HANG;
    assert_int_equal(rpool_resize(pool, 2, 2), RPOOL_OK);
    sim_settle(); /* the only worker creates */
    sim_break(SIM_THREAD_START, 1, 1);
    sim_hang_up(fake->resources[0]->fd);
    sim_advance_ms(1000); /* another thread starts, and emits an event */
    expect_it_to_be_left_behind(fake, pool);
}

enum { CLEANER = 1 }; /* the first thread that rpool_open starts */
static int strangers; /* destroys by a thread that is no worker */
static void (*fake_destroy)(void *, void *);

static void destroy_in_a_worker(void *ctx, void *resource)
{
    strangers += sim_self() == 0 || sim_self() == CLEANER;
    fake_destroy(ctx, resource);
}

/* F19: the thread that closes, and the cleaner, destroy nothing. */
static void close_leaves_destroys_to_workers_when_they_are_slow(void **state)
{
    struct fake *fake = *state;
    fake_destroy = fake->provider.destroy;
    fake->provider.destroy = destroy_in_a_worker;
    rpool *pool = fake_open(fake, .max_size = 20);
    make_idle(pool, 20);
    fake->destroy.ms = 300;
    int64_t began = sim_now_ms();
    assert_int_equal(rpool_close(&pool, 50), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms() - began, MOMENT_MS);
    sim_advance_ms(10000);
    assert_int_equal(fake->destroyed, 20);
    assert_int_equal(fake->done, 1);
    assert_int_equal(strangers, 0);
}

/* The last worker is stuck, so the thread that releases destroys the item. */
static void
item_is_destroyed_by_release_when_close_timed_out_before(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *item = fake_lease(pool), *other = fake_lease(pool);
    fake->destroy = (struct fake_step){.ms = 60000, .times = 1};
    rpool_discard(&other); /* a worker is busy with it */
    sim_settle();
    assert_int_equal(rpool_close(&pool, 50), RPOOL_TIMEOUT);
    assert_int_equal(fake->destroyed, 0);
    rpool_release(&item);
    assert_int_equal(fake->destroyed, 1);
    sim_advance_ms(60000);
    assert_int_equal(fake->done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            close_keeps_its_deadline_when_a_worker_job_begins_meanwhile),
        FAKE_TEST(items_waiting_for_a_check_are_destroyed_when_pool_is_closed),
        FAKE_TEST(close_times_out_when_listener_is_slow_with_a_leak_event),
        FAKE_TEST(close_times_out_when_listener_is_slow_with_a_degraded_event),
        FAKE_TEST(close_leaves_destroys_to_workers_when_they_are_slow),
        FAKE_TEST(item_is_destroyed_by_release_when_close_timed_out_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
