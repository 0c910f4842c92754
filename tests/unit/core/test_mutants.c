/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Tests that were written because a fault of tests/mutants/list was found by no
 * other test.
 */
#include "support_caller.h"

struct closing {
    rpool *pool;
    int64_t at_ms; /* the time of the close */
};

static void close_for_ever(void *arg)
{
    struct closing *closing = arg;
    close_pool(&closing->pool);
    closing->at_ms = sim_now_ms();
}

/* unsettled-check */
static void close_returns_when_item_fails_its_check_meanwhile(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .check_always = 1);
    make_idle(pool, 1);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .ms = 15, .times = 1};
    struct caller caller = {.pool = pool, .timeout_ms = 1000};
    struct closing closing = {.pool = pool, .at_ms = -1};
    int64_t begun = sim_now_ms();
    caller_start(&caller);
    (void)sim_spawn(close_for_ever, &closing);
    sim_advance_ms(100);
    assert_int_equal(caller_status(&caller), RPOOL_CLOSED);
    assert_int_equal(closing.at_ms - begun, 15);
}

struct waiting {
    rpool *pool;
    rpool_status status;
    int64_t at_ms;
};

static void wait_for_ever(void *arg)
{
    struct waiting *waiting = arg;
    waiting->status = rpool_wait(waiting->pool, -1, NULL);
    waiting->at_ms = sim_now_ms();
}

/* close-in-silence: during back-off, while the close waits for a lease. */
static void
wait_returns_closed_at_once_when_pool_is_closed_during_back_off(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *item = fake_lease(pool);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT};
    assert_int_equal(rpool_resize(pool, 2, 2), RPOOL_OK);
    struct waiting waiting = {.pool = pool, .at_ms = -1};
    (void)sim_spawn(wait_for_ever, &waiting);
    sim_advance_ms(10);
    assert_int_equal(waiting.at_ms, -1);
    struct closing closing = {.pool = pool, .at_ms = -1};
    (void)sim_spawn(close_for_ever, &closing);
    int64_t begun = sim_now_ms();
    sim_advance_ms(500);
    assert_int_equal(waiting.status, RPOOL_CLOSED);
    assert_int_equal(waiting.at_ms, begun);
    assert_int_equal(closing.at_ms, -1);
    rpool_release(&item);
    sim_settle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(close_returns_when_item_fails_its_check_meanwhile),
        FAKE_TEST(
            wait_returns_closed_at_once_when_pool_is_closed_during_back_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
