/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Creating: how many at once, when a release makes it unnecessary, and when no
 * worker can be started.  test_failure.c has the failures.
 */
#include "support_caller.h"

#include <string.h>

/* A03 */
static void one_item_is_created_when_max_size_is_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 1);
        struct caller c[100];
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < 100; i++) {
                c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
                caller_spawn(&c[i]);
            }
            for (int i = 0; i < 100; i++) {
                sim_join(c[i].id);
                assert_int_equal(c[i].status, RPOOL_OK);
                assert_int_equal(c[i].resource, 1);
            }
        }
        assert_int_equal(fake.creates, 1);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* A04 */
static void max_size_is_never_exceeded_when_creations_are_slow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        fake.create.ms = 20;
        fake.destroy.ms = 5;
        fake.reset = (struct fake_step){.result = RPOOL_DISCARD, .times = 10};
        rpool *pool = fake_open(&fake, .max_size = 3, .create_concurrency = 8);
        struct caller c[40];
        for (int i = 0; i < 40; i++) {
            c[i] =
                (struct caller){.pool = pool, .timeout_ms = -1, .hold_ms = 3};
            caller_spawn(&c[i]);
        }
        for (int i = 0; i < 40; i++)
            sim_join(c[i].id);
        assert_int_equal(fake.peak, 3);
        close_pool(&pool);
        assert_int_equal(fake.live, 0);
        fake_end(&fake);
    }
}

/* A06 */
static void
acquires_wait_until_deadline_when_others_take_all_slots(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        fake.create.ms = 50;
        rpool *pool = fake_open(&fake, .max_size = 2);
        struct caller c[10];
        for (int i = 0; i < 10; i++) {
            c[i] = (struct caller){
                .pool = pool, .timeout_ms = 100, .hold_ms = CALLER_KEEPS};
            caller_spawn(&c[i]);
        }
        int served = 0;
        for (int i = 0; i < 10; i++) {
            sim_join(c[i].id);
            served += c[i].status == RPOOL_OK;
            assert_int_equal(c[i].at_ms, c[i].status == RPOOL_OK ? 50 : 100);
        }
        assert_int_equal(served, 2);
        for (int i = 0; i < 10; i++)
            rpool_release(&c[i].item);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* A14 A15 */
static void creation_goes_on_when_its_caller_timed_out(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->create.ms = 100;
    struct caller asked = {.pool = pool, .timeout_ms = 30};
    struct caller later = {.pool = pool, .timeout_ms = 1000};
    caller_start(&asked);
    sim_advance_ms(30);
    assert_int_equal(caller_status(&asked), RPOOL_TIMEOUT);
    assert_int_equal(fake->creating, 1);
    assert_int_equal(fake->stopped, 0);
    caller_start(&later);
    sim_advance_ms(70);
    assert_int_equal(caller_status(&later), RPOOL_OK);
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake_stats(pool).idle, 1);
    close_pool(&pool);
}

/* B12: a release that is faster makes a creation unnecessary. */
static void
few_items_are_created_when_releases_serve_a_burst_of_callers(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 50, .create_concurrency = 2);
    fake->create.ms = 100;
    struct caller c[50];
    for (int i = 0; i < 50; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1, .hold_ms = 2};
        caller_start(&c[i]);
    }
    sim_advance_ms(1000);
    for (int i = 0; i < 50; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    assert_in_range(fake->creates, 2, 4);
    close_pool(&pool);
}

/* B13 */
static void
creations_are_limited_to_create_concurrency_when_many_wait(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 20, .create_concurrency = 3);
    fake->create.ms = 10;
    struct caller c[20];
    for (int i = 0; i < 20; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = 55, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    sim_advance_ms(60);
    assert_int_equal(fake->creating_peak, 3);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(caller_status(&c[i]),
                         i < 15 ? RPOOL_OK : RPOOL_TIMEOUT);
        assert_int_equal(c[i].at_ms, i < 15 ? 10 * (1 + i / 3) : 55);
        rpool_release(&c[i].item);
    }
    close_pool(&pool);
}

/* B09 B10 */
static void other_creations_go_on_when_one_creation_hangs(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .create_timeout_ms = 5000);
    fake->create = (struct fake_step){.ms = FAKE_HANG, .times = 1};
    struct caller c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = 60000, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    assert_int_equal(fake->create_timeout_ms, 5000);
    assert_int_equal(caller_status(&c[0]), RPOOL_OK);
    assert_int_equal(caller_status(&c[1]), RPOOL_OK);
    assert_false(c[2].answered);
    assert_int_equal(fake_stats(pool).creating, 1);
    sim_advance_ms(5000);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_CREATE_FAILED), 1);
    sim_advance_ms(100); /* the longest first pause */
    assert_int_equal(caller_status(&c[2]), RPOOL_OK);
    for (int i = 0; i < 3; i++)
        rpool_release(&c[i].item);
    close_pool(&pool);
}

/* A slow destroy keeps only its worker busy. */
/* E15 */
static void other_callers_are_not_delayed_when_a_destroy_is_slow(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3);
    rpool_item *a = fake_lease(pool), *b = fake_lease(pool);
    fake->destroy = (struct fake_step){.ms = 10000, .times = 1};
    rpool_discard(&a);
    sim_settle();
    assert_int_equal(fake_stats(pool).closing, 1);
    a = fake_lease(pool);
    rpool_item *c = NULL;
    assert_int_equal(rpool_acquire(pool, 10, &c, NULL), RPOOL_TIMEOUT);
    rpool_release(&b);
    b = fake_lease(pool);
    rpool_discard(&b); /* it does not wait behind the first one */
    sim_settle();
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(sim_now_ms(), 10);
    rpool_release(&a);
    close_pool(&pool);
    assert_int_equal(sim_now_ms(), 10000);
}

/* L03 */
static void degraded_event_is_emitted_when_a_worker_cannot_start(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .create_concurrency = 4);
    sim_settle();
    fake->create.ms = 10;
    sim_break(SIM_THREAD_START, 1, 100);
    struct caller c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = -1, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    assert_int_equal(fake_count(fake, RPOOL_EVENT_DEGRADED), 1);
    assert_non_null(
        strstr(fake_last(fake, RPOOL_EVENT_DEGRADED)->message, "worker"));
    sim_advance_ms(100); /* the only worker creates all four, one by one */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        assert_int_equal(c[i].at_ms, 10 * (i + 1));
        rpool_release(&c[i].item);
    }
    assert_int_equal(fake->creating_peak, 1);
    assert_in_range(fake_count(fake, RPOOL_EVENT_DEGRADED), 1, 4);
    close_pool(&pool);
}

static void workers_are_started_when_threads_are_available_again(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 6, .create_concurrency = 3);
    sim_settle();
    fake->create.ms = 1000;
    sim_break(SIM_THREAD_START, 1, 1);
    struct caller c[6];
    for (int i = 0; i < 6; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = -1, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    sim_advance_ms(3000);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        rpool_release(&c[i].item);
    }
    assert_in_range(fake->creating_peak, 2, 3);
    close_pool(&pool);
}

/* An item that is not watched still works. */
static void
degraded_event_is_emitted_when_a_descriptor_cannot_be_watched(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    sim_break(SIM_WATCH_ADD, 1, 1);
    rpool_item *item = fake_lease(pool);
    const struct fake_event *e = fake_last(fake, RPOOL_EVENT_DEGRADED);
    assert_non_null(strstr(e->message, "cannot watch the descriptor"));
    assert_int_equal(e->item, rpool_number(item));
    rpool_release(&item);
    item = fake_lease(pool);
    assert_int_equal(fake->created, 1);
    rpool_discard(&item);
    close_pool(&pool);
}

static void item_works_unwatched_when_provider_has_no_descriptor(void **state)
{
    struct fake *fake = *state;
    fake->provider.fd = NULL;
    fake->provider.check = NULL;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    sim_hang_up(fake->resources[0]->fd);
    sim_advance_ms(10000);
    rpool_item *item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* P10: one worker waits for the end of the back-off, and no lease wakes it. */
static void worker_is_not_woken_by_leases_when_back_off_is_running(void **state)
{
    struct fake *fake = *state;
    enum { CALLERS = 40 };
    rpool *pool = fake_open(fake, .max_size = 3, .create_retry_max_ms = 60000);
    rpool_item *item = fake_lease(pool);
    fake->create = (struct fake_step){.result = FAKE_PERMANENT, .times = 1};
    struct caller c[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1, .hold_ms = 5};
        caller_start(&c[i]);
    }
    uint64_t wakes = sim_thread("condition").wakes;
    rpool_release(&item);
    sim_advance_ms(199);
    assert_int_equal(caller_status(&c[38]), RPOOL_OK);
    assert_in_range(sim_thread("condition").wakes - wakes, 0, 1);
    assert_int_equal(fake->creates, 2);
    sim_advance_ms(10000);
    assert_int_equal(caller_status(&c[CALLERS - 1]), RPOOL_OK);
    close_pool(&pool);
}

/* The only worker is stuck in a creation meanwhile. */
static void worker_start_is_retried_when_it_failed_once(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4);
    rpool_item *item = fake_lease(pool);
    fake->create.ms = 25000;
    sim_break(SIM_THREAD_START, 1, 1);
    struct caller c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
        caller_start(&c[i]);
    }
    assert_int_equal(fake_count(fake, RPOOL_EVENT_DEGRADED), 1);
    assert_int_equal(fake->creating, 1);
    rpool_discard(&item);
    sim_advance_ms(999);
    /* the start is not retried at every wake-up */
    assert_int_equal(fake->destroyed, 0);
    sim_advance_ms(1);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake->creating, 2);
    sim_advance_ms(25000);
    close_pool(&pool);
}

static int stuck_ms;
static int (*create_at_last)(void *ctx, int64_t deadline, int stop_fd,
                             void **resource, rpool_failure *why);

/* A create that ignores its deadline, for stuck_ms. */
static int create_uninterrupted(void *ctx, int64_t deadline, int stop_fd,
                                void **resource, rpool_failure *why)
{
    int ms = stuck_ms;
    stuck_ms = 0;
    sim_sleep_ms(ms);
    return create_at_last(ctx, deadline, stop_fd, resource, why);
}

/* It is reported, and counts in no limit except that of items. */
static void
stuck_creation_is_replaced_and_reported_when_its_deadline_passed(void **state)
{
    struct fake *fake = *state;
    create_at_last = fake->provider.create;
    fake->provider.create = create_uninterrupted;
    rpool *pool = fake_open(fake, .max_size = 3, .create_concurrency = 1,
                            .create_timeout_ms = 500);
    stuck_ms = 60000;
    struct caller c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = 10000, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    sim_advance_ms(1499);
    assert_false(c[0].answered);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_DEGRADED), 0);
    sim_advance_ms(1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_DEGRADED), 1);
    assert_int_equal(caller_status(&c[0]), RPOOL_OK);
    assert_int_equal(caller_status(&c[1]), RPOOL_OK);
    assert_int_equal(fake_stats(pool).total, 3);
    assert_int_equal(fake_stats(pool).creating, 1);
    sim_advance_ms(9000);
    assert_int_equal(caller_status(&c[2]), RPOOL_TIMEOUT);
    for (int i = 0; i < 2; i++)
        rpool_release(&c[i].item);
    assert_int_equal(rpool_close(&pool, 100), RPOOL_TIMEOUT);
    sim_advance_ms(60000); /* the creation ends by itself */
    assert_int_equal(fake->done, 1);
}

/* When it ends, the usual limits apply again. */
static void item_is_added_when_a_stuck_creation_ends(void **state)
{
    struct fake *fake = *state;
    create_at_last = fake->provider.create;
    fake->provider.create = create_uninterrupted;
    rpool *pool = fake_open(fake, .max_size = 2, .create_concurrency = 1,
                            .create_timeout_ms = 500);
    stuck_ms = 5000;
    struct caller c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = 10000, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    sim_advance_ms(1500);
    assert_in_range(sim_thread("rpool").live, 1 + 2, 1 + 3);
    sim_advance_ms(3500);
    assert_int_equal(caller_status(&c[1]), RPOOL_OK);
    assert_int_equal(fake_stats(pool).in_use, 2);
    sim_settle();
    assert_in_range(sim_thread("rpool").live, 1 + 1, 1 + 2);
    for (int i = 0; i < 2; i++)
        rpool_release(&c[i].item);
    close_pool(&pool);
}

/* So many destroys that never end are replaced. */
static void creation_goes_on_when_sixteen_destroys_are_stuck(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 40, .create_concurrency = 1);
    rpool_item *item[20];
    for (int i = 0; i < 20; i++)
        item[i] = fake_lease(pool);
    fake->destroy.ms = 1000000;
    for (int i = 0; i < 16; i++)
        rpool_discard(&item[i]);
    for (int i = 0; i < 10; i++)
        sim_advance_ms(1000);
    assert_int_equal(fake_stats(pool).closing, 16);
    for (int i = 0; i < 10; i++)
        item[i] = fake_lease(pool);
    assert_in_range(sim_thread("rpool").live, 1 + 17, 1 + 18);
    fake->destroy.ms = 0;
    sim_advance_ms(2000000);
    assert_in_range(sim_thread("rpool").live, 1 + 1, 1 + 2);
    for (int i = 0; i < 20; i++)
        rpool_release(&item[i]);
    close_pool(&pool);
}

static int (*check_at_last)(void *ctx, void *resource, int64_t idle_ms,
                            int64_t deadline);

/* The check of the first resource ends long after its deadline. */
static int check_uninterrupted(void *ctx, void *resource, int64_t idle_ms,
                               int64_t deadline)
{
    const struct fake_resource *r = resource;
    if (r->number == 1)
        sim_sleep_ms(60000);
    return check_at_last(ctx, resource, idle_ms, deadline);
}

static void other_keepalives_go_on_when_one_is_stuck(void **state)
{
    struct fake *fake = *state;
    check_at_last = fake->provider.check;
    fake->provider.check = check_uninterrupted;
    rpool *pool = fake_open(fake, .max_size = 3, .keepalive_ms = 1000,
                            .create_timeout_ms = 500);
    make_idle(pool, 3);
    sim_advance_ms(10000);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_DEGRADED), 1);
    assert_int_equal(fake->resources[0]->checks, 0);
    assert_in_range(fake->resources[1]->checks, 6, 10);
    assert_in_range(fake->resources[2]->checks, 6, 10);
    sim_advance_ms(60000); /* it ends, and keepalives go on one at a time */
    assert_int_equal(fake_stats(pool).total, 3);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_item_is_created_when_max_size_is_one),
        cmocka_unit_test(max_size_is_never_exceeded_when_creations_are_slow),
        cmocka_unit_test(
            acquires_wait_until_deadline_when_others_take_all_slots),
        FAKE_TEST(creation_goes_on_when_its_caller_timed_out),
        FAKE_TEST(few_items_are_created_when_releases_serve_a_burst_of_callers),
        FAKE_TEST(creations_are_limited_to_create_concurrency_when_many_wait),
        FAKE_TEST(other_creations_go_on_when_one_creation_hangs),
        FAKE_TEST(other_callers_are_not_delayed_when_a_destroy_is_slow),
        FAKE_TEST(degraded_event_is_emitted_when_a_worker_cannot_start),
        FAKE_TEST(workers_are_started_when_threads_are_available_again),
        FAKE_TEST(
            degraded_event_is_emitted_when_a_descriptor_cannot_be_watched),
        FAKE_TEST(item_works_unwatched_when_provider_has_no_descriptor),
        FAKE_TEST(worker_is_not_woken_by_leases_when_back_off_is_running),
        FAKE_TEST(worker_start_is_retried_when_it_failed_once),
        FAKE_TEST(
            stuck_creation_is_replaced_and_reported_when_its_deadline_passed),
        FAKE_TEST(item_is_added_when_a_stuck_creation_ends),
        FAKE_TEST(creation_goes_on_when_sixteen_destroys_are_stuck),
        FAKE_TEST(other_keepalives_go_on_when_one_is_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
