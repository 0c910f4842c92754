/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Closing: with idle and leased items, creations and waiters, by several
 * threads, and by a thread that the pool has called.
 */
#include "support_caller.h"

#include "base/clock.h"
#include "base/watch.h"

/* F01 F16 I14 */
static void idle_items_are_destroyed_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 20, .min_size = 3);
    make_idle(pool, 20);
    assert_int_equal(rpool_close(&pool, 0), RPOOL_OK);
    assert_null(pool);
    assert_int_equal(fake->destroyed, 20);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_SHUTDOWN), 20);
    assert_int_equal(sim_thread("").live, 0);
    assert_int_equal(fake->done, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_FREED), 1);
}

/* F02 */
static void close_returns_when_last_lease_is_released(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    struct caller c[2] = {{.pool = pool, .timeout_ms = -1, .hold_ms = 100},
                          {.pool = pool, .timeout_ms = -1, .hold_ms = 250}};
    caller_start(&c[0]);
    caller_start(&c[1]);
    assert_int_equal(rpool_close(&pool, 1000), RPOOL_OK);
    assert_int_equal(sim_now_ms(), 250);
    assert_int_equal(fake->destroyed, 2);
    assert_int_equal(fake->done, 1);
}

/* F02 F06 F10: the thread that closes holds the leases itself. */
static void lease_stays_valid_when_close_timed_out(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *a = fake_lease(pool), *b = fake_lease(pool);
    assert_int_equal(rpool_close(&pool, 50), RPOOL_TIMEOUT);
    assert_null(pool);
    assert_int_equal(sim_now_ms(), 50);
    assert_ptr_equal(fake_of(a), fake->resources[0]);
    assert_int_equal(sim_thread("").live, 0);
    sim_advance_ms(100000);
    rpool_release(&a);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake->done, 0);
    rpool_discard(&b);
    assert_int_equal(fake->destroyed, 2);
    assert_int_equal(fake->done, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 0);
}

struct closer {
    rpool *pool;
    int timeout_ms;
    rpool_status status;
};

static void close_it(void *arg)
{
    struct closer *c = arg;
    c->status = rpool_close(&c->pool, c->timeout_ms);
}

/* F03 */
static void both_closes_return_when_two_threads_close(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 3);
        make_idle(pool, 3);
        rpool_item *held = fake_lease(pool);
        struct closer c[2] = {{.pool = pool, .timeout_ms = -1},
                              {.pool = pool, .timeout_ms = 10000}};
        int id[2] = {sim_spawn(close_it, &c[0]), sim_spawn(close_it, &c[1])};
        sim_sleep_ms(10);
        rpool_release(&held);
        for (int i = 0; i < 2; i++) {
            sim_join(id[i]);
            assert_true(c[i].status == RPOOL_OK);
            assert_null(c[i].pool);
        }
        assert_int_equal(fake.destroyed, 3);
        assert_int_equal(fake.done, 1);
        assert_int_equal(rpool_close(&pool, 0), RPOOL_CLOSED);
        /* the pointer is NULL by now */
        assert_int_equal(rpool_close(&pool, 0), RPOOL_OK);
        fake_end(&fake);
    }
}

/* F04 A05 */
static void waiters_get_closed_at_once_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller c[5];
    for (int i = 0; i < 5; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 60000};
        caller_start(&c[i]);
    }
    sim_advance_ms(30);
    assert_int_equal(rpool_close(&pool, 20), RPOOL_TIMEOUT);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_CLOSED);
        assert_int_equal(c[i].at_ms, 30);
    }
    rpool_release(&held);
}

/* F05 F20 */
static void every_call_returns_closed_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2), *copy = pool;
    rpool_item *held = fake_lease(pool), *item = NULL;
    assert_int_equal(rpool_close(&pool, 0), RPOOL_TIMEOUT);
    for (int over = 0; over < 2; over++) {
        assert_int_equal(rpool_acquire(copy, 0, &item, NULL), RPOOL_CLOSED);
        assert_int_equal(rpool_acquire(copy, -1, &item, NULL), RPOOL_CLOSED);
        assert_int_equal(rpool_suspend(copy), RPOOL_CLOSED);
        assert_int_equal(rpool_resume(copy), RPOOL_CLOSED);
        assert_int_equal(rpool_resize(copy, 5, 5), RPOOL_CLOSED);
        assert_int_equal(rpool_wait(copy, 0, NULL), RPOOL_CLOSED);
        rpool_release(&held);
    }
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake->done, 1);
    assert_int_equal(rpool_recycle(copy), RPOOL_CLOSED);
    assert_int_equal(rpool_acquire(NULL, 0, &item, NULL), RPOOL_INVALID);
}

/* F07 B17 */
static void creation_is_stopped_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    fake->create.ms = FAKE_HANG;
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 1);
    struct caller c = {.pool = pool, .timeout_ms = -1};
    caller_start(&c);
    assert_true(fake->creating > 0);
    sim_advance_ms(10);
    close_pool(&pool);
    assert_int_equal(sim_now_ms(), 10);
    assert_int_equal(caller_status(&c), RPOOL_CLOSED);
    assert_int_equal(fake->stopped, fake->creates);
    assert_int_equal(fake->done, 1);
}

static int (*fake_create)(void *, int64_t, int, void **, rpool_failure *);
static int64_t stubborn_ms;

/* Ignores the stop while it sleeps, and then succeeds. */
static int stubborn_create(void *ctx, int64_t deadline, int stop_fd,
                           void **resource, rpool_failure *why)
{
    (void)deadline;
    (void)stop_fd;
    sim_sleep_ms(stubborn_ms);
    int never = stop_open();
    int rc = fake_create(ctx, CLOCK_NEVER, never, resource, why);
    stop_close(never);
    return rc;
}

static rpool *open_stubborn(struct fake *fake, int64_t ms)
{
    fake_create = fake->provider.create;
    fake->provider.create = stubborn_create;
    stubborn_ms = ms;
    return fake_open(fake, .max_size = 2, .min_size = 1);
}

/* B17 F07 I7 */
static void
new_item_is_destroyed_when_pool_was_closed_during_its_creation(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_stubborn(fake, 70);
    struct caller c = {.pool = pool, .timeout_ms = -1};
    caller_start(&c);
    close_pool(&pool);
    assert_int_equal(sim_now_ms(), 70);
    assert_int_equal(caller_status(&c), RPOOL_CLOSED);
    assert_int_equal(c.at_ms, 0);
    assert_int_equal(fake->created, 1);
    assert_int_equal(fake->destroyed, 1);
}

/* F07 */
static void close_times_out_when_a_creation_ignores_the_stop(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_stubborn(fake, 3600000);
    sim_settle();
    assert_int_equal(rpool_close(&pool, 200), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms(), 200);
    assert_int_equal(fake->done, 0);
    assert_int_equal(sim_thread("").live, 1);
    sim_advance_ms(3599800); /* the creation ends, and the pool with it */
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake->done, 1);
    assert_int_equal(sim_thread("").live, 0);
}

/* F15 */
static void close_returns_when_last_lease_is_discarded_or_detached(void **state)
{
    struct fake *fake = *state;
    for (int way = 0; way < 3; way++) {
        rpool *pool = fake_open(fake, .max_size = 1);
        rpool_item *item = fake_lease(pool);
        struct closer c = {.pool = pool, .timeout_ms = -1};
        int id = sim_spawn(close_it, &c);
        sim_advance_ms(10);
        assert_false(sim_done(id));
        fake->reset.result = RPOOL_DISCARD;
        if (way == 0)
            rpool_discard(&item);
        else if (way == 1)
            fake_take(rpool_detach(&item));
        else
            rpool_release(&item);
        sim_join(id);
        assert_int_equal(c.status, RPOOL_OK);
        assert_int_equal(fake->done, 1);
        fake->done = 0;
        fake->event_count = 0;
    }
}

static rpool *closing;
static rpool_status status_inside;

static void close_inside(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == RPOOL_EVENT_ACQUIRED)
        status_inside = rpool_close(&closing, -1);
}

/* F09 */
static void close_returns_busy_when_called_in_an_event(void **state)
{
    struct fake *fake = *state;
    closing = fake_open(fake, .max_size = 1);
    fake->hook = close_inside;
    rpool_item *item = NULL, *more = NULL;
    assert_int_equal(rpool_acquire(closing, -1, &item, NULL), RPOOL_OK);
    assert_int_equal(status_inside, RPOOL_BUSY);
    assert_non_null(closing);
    assert_int_equal(rpool_acquire(closing, -1, &more, NULL), RPOOL_CLOSED);
    rpool_release(&item);
    assert_int_equal(fake->done, 0);
    close_pool(&closing);
    assert_int_equal(fake->done, 1);
}

/* F19 */
static void other_items_are_destroyed_when_one_destroy_is_slow(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 10);
    make_idle(pool, 10);
    fake->destroy = (struct fake_step){.ms = 5000, .times = 1};
    assert_int_equal(rpool_close(&pool, 1000), RPOOL_TIMEOUT);
    assert_int_equal(fake->destroyed, 9);
    assert_int_equal(sim_now_ms(), 1000);
    sim_advance_ms(4000);
    assert_int_equal(fake->destroyed, 10);
    assert_int_equal(fake->done, 1);
}

struct hammer {
    rpool *pool;
    int ok, closed;
};

static void hammer(void *arg)
{
    struct hammer *h = arg;
    for (;;) {
        rpool_item *item = NULL;
        rpool_status status = rpool_acquire(h->pool, -1, &item, NULL);
        if (status == RPOOL_CLOSED) {
            h->closed = 1;
            return;
        }
        if (status != RPOOL_OK)
            sim_fail("acquire: %s", rpool_strerror(status));
        h->ok++;
        sim_sleep_ms(1);
        rpool_release(&item);
    }
}

/* F21 F11 */
static void
acquires_of_all_threads_return_closed_when_pool_is_closed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 3);
        enum { THREADS = 30 };
        struct hammer h[THREADS];
        int id[THREADS], ok = 0;
        for (int i = 0; i < THREADS; i++) {
            h[i] = (struct hammer){.pool = pool};
            id[i] = sim_spawn(hammer, &h[i]);
        }
        sim_sleep_ms(20);
        rpool_status status = rpool_close(&pool, seed % 2 ? -1 : 0);
        assert_true(status == RPOOL_OK || status == RPOOL_TIMEOUT);
        for (int i = 0; i < THREADS; i++) {
            sim_join(id[i]);
            assert_true(h[i].closed);
            ok += h[i].ok;
        }
        assert_true(ok > 3);
        assert_int_equal(fake.created, fake.destroyed);
        fake_end(&fake);
        assert_int_equal(fake.done, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(idle_items_are_destroyed_when_pool_is_closed),
        FAKE_TEST(close_returns_when_last_lease_is_released),
        FAKE_TEST(lease_stays_valid_when_close_timed_out),
        cmocka_unit_test(both_closes_return_when_two_threads_close),
        FAKE_TEST(waiters_get_closed_at_once_when_pool_is_closed),
        FAKE_TEST(every_call_returns_closed_when_pool_is_closed),
        FAKE_TEST(creation_is_stopped_when_pool_is_closed),
        FAKE_TEST(
            new_item_is_destroyed_when_pool_was_closed_during_its_creation),
        FAKE_TEST(close_times_out_when_a_creation_ignores_the_stop),
        FAKE_TEST(close_returns_when_last_lease_is_discarded_or_detached),
        FAKE_TEST(close_returns_busy_when_called_in_an_event),
        FAKE_TEST(other_items_are_destroyed_when_one_destroy_is_slow),
        cmocka_unit_test(
            acquires_of_all_threads_return_closed_when_pool_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
