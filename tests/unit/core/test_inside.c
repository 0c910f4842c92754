/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A close by a thread that the pool itself has called.  It would wait for
 * itself, so it only begins to close.
 */
#include "support_caller.h"

#include <string.h>

static rpool *closing;
static rpool_status status_inside;
static int64_t took_ms;
static rpool_provider fakes; /* the fake's own functions */

/* Once. */
static void close_now(void)
{
    if (closing == NULL)
        return;
    rpool *copy = closing;
    int64_t began = sim_now_ms();
    closing = NULL;
    status_inside = rpool_close(&copy, 1000);
    took_ms = sim_now_ms() - began;
}

static int check_and_close(void *ctx, void *resource, int64_t idle_ms,
                           int64_t deadline)
{
    close_now();
    return fakes.check(ctx, resource, idle_ms, deadline);
}

static int reset_and_close(void *ctx, void *resource)
{
    close_now();
    return fakes.reset(ctx, resource);
}

static int fd_and_close(void *ctx, void *resource)
{
    close_now();
    return fakes.fd(ctx, resource);
}

static void destroy_and_close(void *ctx, void *resource)
{
    close_now();
    fakes.destroy(ctx, resource);
}

static rpool *open_watchful(struct fake *fake)
{
    fakes = fake->provider;
    fake->provider.check = check_and_close;
    fake->provider.reset = reset_and_close;
    fake->provider.fd = fd_and_close;
    fake->provider.destroy = destroy_and_close;
    return fake_open(fake, .max_size = 1, .check_always = 1);
}

static void expect_only_begun(struct fake *fake, rpool *pool)
{
    assert_int_equal(status_inside, RPOOL_BUSY);
    assert_int_equal(took_ms, 0);
    if (fake->done == 0)
        close_pool(&pool);
    assert_int_equal(fake->done, 1);
}

/* F09 */
static void close_returns_busy_when_called_in_provider_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_watchful(fake);
    rpool_item *item = fake_lease(pool);
    rpool_release(&item);
    closing = pool;
    assert_int_equal(rpool_acquire(pool, -1, &item, NULL), RPOOL_CLOSED);
    expect_only_begun(fake, pool);
}

static void close_returns_busy_when_called_in_provider_reset(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_watchful(fake);
    rpool_item *item = fake_lease(pool);
    closing = pool;
    rpool_release(&item);
    expect_only_begun(fake, pool);
}

static void close_returns_busy_when_called_in_provider_fd(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_watchful(fake);
    rpool_item *item = fake_lease(pool);
    closing = pool;
    fake_take(rpool_detach(&item));
    expect_only_begun(fake, pool);
}

/* The last release destroys the item itself. */
static void close_returns_busy_when_called_in_provider_destroy(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_watchful(fake), *copy = pool;
    rpool_item *item = fake_lease(pool);
    assert_int_equal(rpool_close(&copy, 0), RPOOL_TIMEOUT);
    closing = pool;
    rpool_release(&item);
    expect_only_begun(fake, pool);
}

static rpool_item *of_another;

static void release_another(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == RPOOL_EVENT_CREATED)
        rpool_release(&of_another);
}

/* The outer pool emits an event in its worker, the listener releases an item of
 * the inner pool, and the reset of that item closes the outer pool. */
static void
close_returns_busy_when_called_in_reset_of_another_pool(void **state)
{
    struct fake *fake = *state;
    fakes = fake->provider;
    fake->hook = release_another;
    fake->provider.done = NULL; /* two pools use one fake */
    fake->provider.reset = reset_and_close;
    rpool *inner = fake_open_with(fake, RPOOL_OPTIONS(.max_size = 1));
    of_another = fake_lease(inner);
    rpool *outer = fake_open(fake, .max_size = 1);
    closing = outer;
    struct caller c = {.pool = outer, .timeout_ms = 5000};
    caller_start(&c);
    sim_advance_ms(2000);
    assert_int_equal(status_inside, RPOOL_BUSY);
    assert_int_equal(took_ms, 0);
    assert_int_equal(caller_status(&c), RPOOL_CLOSED);
    close_pool(&outer);
    close_pool(&inner);
}

/* ---- other calls of the pool in a callback ---- */

static rpool *asked;
static rpool_event_type on_event;
static rpool_status asked_status;
static rpool_failure asked_why;

/* Acquires once, for a second. */
static void acquire_in_event(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (asked == NULL || event->type != on_event)
        return;
    rpool *pool = asked;
    rpool_item *item = NULL;
    asked = NULL;
    int64_t began = sim_now_ms();
    asked_status = rpool_acquire(pool, 1000, &item, &asked_why);
    took_ms = sim_now_ms() - began;
    rpool_release(&item);
}

/* The item that the acquire would wait for waits for the event. */
static void acquire_in_an_event_is_refused_when_it_would_wait(void **state)
{
    struct fake *fake = *state;
    static const rpool_event_type types[] = {
        RPOOL_EVENT_CREATED, RPOOL_EVENT_RELEASED, RPOOL_EVENT_CLOSED};
    for (int i = 0; i < 3; i++) {
        rpool *pool = fake_open(fake, .max_size = 1);
        on_event = types[i];
        fake->hook = acquire_in_event;
        asked = pool;
        asked_status = RPOOL_OK;
        rpool_item *item = fake_lease(pool);
        rpool_discard(&item);
        sim_settle();
        assert_int_equal(asked_status, RPOOL_BUSY);
        assert_int_equal(took_ms, 0);
        assert_non_null(strstr(asked_why.message, "callback"));
        close_pool(&pool);
        fake->event_count = fake->done = 0;
    }
}

static void acquire_in_an_event_succeeds_when_an_item_is_idle(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    make_idle(pool, 2);
    on_event = RPOOL_EVENT_RELEASED;
    fake->hook = acquire_in_event;
    rpool_item *item = fake_lease(pool);
    asked = pool;
    asked_status = RPOOL_BUSY;
    rpool_release(&item);
    assert_int_equal(asked_status, RPOOL_OK);
    close_pool(&pool);
}

static int resizes;

static void resize_in_event(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == RPOOL_EVENT_DEGRADED && asked != NULL) {
        resizes++;
        assert_int_equal(rpool_resize(asked, 3 + resizes, 0), RPOOL_OK);
    }
}

/* A resize starts a missing worker, and emits an event if that fails. */
static void resize_returns_when_called_in_an_event_of_a_resize(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .min_size = 1);
    sim_settle();
    fake->create.ms = 500;
    rpool_item *item = fake_lease(pool);
    sim_break(SIM_THREAD_START, 1, 1000);
    fake->hook = resize_in_event;
    asked = pool;
    resizes = 0;
    assert_int_equal(rpool_resize(pool, 200, 3), RPOOL_OK);
    sim_advance_ms(1100);
    assert_int_equal(rpool_resize(pool, 300, 3), RPOOL_OK);
    sim_advance_ms(5000);
    asked = NULL;
    assert_true(resizes > 0);
    rpool_release(&item);
    close_pool(&pool);
}

static void wait_in_event(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == RPOOL_EVENT_CREATED && asked != NULL)
        asked_status = rpool_wait(asked, 1000, &asked_why);
}

static void wait_is_refused_when_called_in_an_event(void **state)
{
    struct fake *fake = *state;
    fake->hook = wait_in_event;
    fake->create.ms = 10;
    rpool *pool = fake_open(fake, .max_size = 2, .min_size = 1);
    asked = pool;
    asked_status = RPOOL_OK;
    sim_advance_ms(10);
    assert_int_equal(asked_status, RPOOL_BUSY);
    assert_non_null(strstr(asked_why.message, "callback"));
    asked = NULL;
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(close_returns_busy_when_called_in_provider_check),
        FAKE_TEST(close_returns_busy_when_called_in_provider_reset),
        FAKE_TEST(close_returns_busy_when_called_in_provider_fd),
        FAKE_TEST(close_returns_busy_when_called_in_provider_destroy),
        FAKE_TEST(close_returns_busy_when_called_in_reset_of_another_pool),
        FAKE_TEST(acquire_in_an_event_is_refused_when_it_would_wait),
        FAKE_TEST(acquire_in_an_event_succeeds_when_an_item_is_idle),
        FAKE_TEST(resize_returns_when_called_in_an_event_of_a_resize),
        FAKE_TEST(wait_is_refused_when_called_in_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
