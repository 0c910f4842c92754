/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * acquire.c: which item is leased, what happens if none is idle, deadlines, and
 * try_acquire.  test_waiter.c has the waiter queue, test_check.c the checks.
 */
#include "support_caller.h"

#include <limits.h>
#include <string.h>

/* A01 */
static void acquire_creates_an_item_when_pool_is_empty(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    assert_int_equal(fake->creates, 0);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, -1, &item, NULL), RPOOL_OK);
    assert_int_equal(fake->creates, 1);
    assert_ptr_equal(fake_of(item), fake->resources[0]);
    const struct fake_event *made = fake_last(fake, RPOOL_EVENT_CREATED);
    assert_int_equal(made->at_ms, 0);
    assert_int_equal(made->item, rpool_number(item));
    rpool_release(&item);
    assert_null(item);
    close_pool(&pool);
}

/* A02 */
static void released_item_is_leased_again_when_next_acquire_comes(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4);
    for (int i = 0; i < 100; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 1);
        rpool_release(&item);
    }
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake_stats(pool).acquired, 100);
    close_pool(&pool);
}

/* A05 A07 A28: the same thread holds the only item. */
static void
acquire_times_out_exactly_at_deadline_when_all_are_leased(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    const int timeouts[] = {100, 500, 1, 7};
    int64_t expected = 0;
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        rpool_item *item = NULL;
        assert_int_equal(rpool_acquire(pool, timeouts[i], &item, NULL),
                         RPOOL_TIMEOUT);
        assert_null(item);
        expected += timeouts[i];
        assert_int_equal(sim_now_ms(), expected);
        assert_int_equal(fake_last(fake, RPOOL_EVENT_TIMED_OUT)->ms,
                         timeouts[i]);
    }
    assert_int_equal(fake->creates, 1);
    rpool_release(&held);
    close_pool(&pool);
}

/* A30 */
static void acquire_waits_long_when_timeout_is_negative_or_int_max(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller forever = {.pool = pool, .timeout_ms = -1};
    struct caller below = {.pool = pool, .timeout_ms = INT_MIN};
    struct caller longest = {.pool = pool, .timeout_ms = INT_MAX};
    caller_start(&forever);
    caller_start(&below);
    caller_start(&longest);
    sim_advance_ms(INT_MAX - 1);
    assert_false(forever.answered || below.answered || longest.answered);
    sim_advance_ms(1);
    assert_int_equal(caller_status(&longest), RPOOL_TIMEOUT);
    sim_advance_ms(INT_MAX);
    assert_false(forever.answered || below.answered);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&forever), RPOOL_OK);
    assert_int_equal(caller_status(&below), RPOOL_OK);
    close_pool(&pool);
}

static rpool_item *lease_from(rpool *pool, const rpool_site *site)
{
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire_at(pool, -1, &item, NULL, site), RPOOL_OK);
    return item;
}

static const char *refusal(rpool *pool, int timeout_ms, rpool_status expected)
{
    static rpool_failure why;
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, timeout_ms, &item, &why), expected);
    return why.message;
}

/* A29 */
static void timeout_message_names_oldest_lease_when_all_are_leased(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .name = "shop %s %n");
    rpool_item *old = lease_from(
        pool, &(rpool_site){.file = "/src/main.c", .func = "f", .line = 42});
    sim_advance_ms(11700);
    rpool_item *item = lease_from(pool, &(rpool_site){.func = "g"});
    struct caller waiting = {.pool = pool, .timeout_ms = 1000};
    caller_start(&waiting);
    assert_string_equal(refusal(pool, 300, RPOOL_TIMEOUT),
                        "pool \"shop %s %n\": no item within 300 ms: all 2 of "
                        "2 are leased, oldest for 12 s from main.c:42 (f); "
                        "1 waiting");
    rpool_release(&old);
    sim_settle();
    assert_int_equal(caller_status(&waiting), RPOOL_OK);
    rpool_release(&item);
    close_pool(&pool);
}

/* A29 */
static void
timeout_message_gives_cause_before_sizes_when_creation_failed(void **state)
{
    struct fake *fake = *state;
    fake->provider.noun = "buffer";
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *held = lease_from(pool, NULL);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT};
    rpool_item *item = NULL;
    rpool_failure why;
    assert_int_equal(rpool_acquire(pool, 400, &item, &why), RPOOL_TIMEOUT);
    assert_string_equal(
        why.message,
        "pool \"rpool\": no buffer within 400 ms: fake transient failure "
        "(08006); 1 of 2 buffers exist (1 leased, oldest for 400 ms); "
        "0 waiting");
    assert_string_equal(why.code, "08006");
    assert_false(why.permanent);
    rpool_release(&held);
    close_pool(&pool);
}

static void
timeout_message_ends_with_last_failure_when_all_are_leased(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *held = lease_from(pool, NULL);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT};
    (void)refusal(pool, 10, RPOOL_TIMEOUT);
    assert_int_equal(rpool_resize(pool, 1, 0), RPOOL_OK);
    assert_string_equal(
        refusal(pool, 10, RPOOL_TIMEOUT),
        "pool \"rpool\": no item within 10 ms: all 1 of 1 are leased, oldest "
        "for 20 ms; 0 waiting; last failure: fake transient failure");
    rpool_release(&held);
    close_pool(&pool);
}

/* A long cause is cut, so that the numbers after it fit. */
static void timeout_message_keeps_numbers_when_its_cause_is_long(void **state)
{
    struct fake *fake = *state;
    char name[400];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    fake->create = (struct fake_step){.result = FAKE_LONG};
    rpool *pool = fake_open(fake, .max_size = 2, .name = name);
    const char *message = refusal(pool, 10, RPOOL_TIMEOUT);
    const char *end = strstr(message, "...\": no item within 10 ms: long long");
    assert_non_null(end);
    assert_int_equal(end - message, strlen("pool \"") + 61);
    end = strstr(end, "... (08006); 0 of 2 items exist; 0 waiting");
    assert_non_null(end);
    assert_string_equal(strchr(end, '(') - 1, " (08006); 0 of 2 items exist; "
                                              "0 waiting");
    assert_int_equal(strlen(message), sizeof((rpool_failure *)0)->message - 1);
    close_pool(&pool);
}

static void timeout_message_says_suspended_when_pool_is_suspended(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    make_idle(pool, 1);
    assert_int_equal(rpool_suspend(pool), RPOOL_OK);
    assert_string_equal(refusal(pool, 12000, RPOOL_TIMEOUT),
                        "pool \"rpool\": no item within 12 s: the pool is "
                        "suspended; 1 of 2 items exist (1 idle); 0 waiting");
    close_pool(&pool);
}

static void busy_message_gives_cause_when_acquire_may_not_wait(void **state)
{
    struct fake *fake = *state;
    fake->check.ms = 5;
    rpool *pool = fake_open(fake, .max_size = 2, .max_waiters = 1);
    rpool_item *a = lease_from(pool, NULL), *b = lease_from(pool, NULL);
    assert_string_equal(refusal(pool, 0, RPOOL_BUSY),
                        "pool \"rpool\": no item without waiting: all 2 of 2 "
                        "are leased, oldest for 0 ms; 0 waiting");
    struct caller waiting = {.pool = pool, .timeout_ms = 10};
    caller_start(&waiting);
    assert_string_equal(refusal(pool, 10, RPOOL_BUSY),
                        "pool \"rpool\": no item: the waiter queue is full; "
                        "all 2 of 2 are leased, oldest for 0 ms; 1 waiting");
    sim_advance_ms(10);
    rpool_release(&a);
    rpool_release(&b);
    sim_advance_ms(1000);
    assert_string_equal(refusal(pool, 0, RPOOL_BUSY),
                        "pool \"rpool\": no item without waiting: the idle "
                        "ones must be checked first; 2 of 2 items exist "
                        "(2 idle); 0 waiting");
    close_pool(&pool);
}

/* A09 */
static void
try_acquire_returns_busy_and_starts_creation_when_pool_is_empty(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    sim_settle();
    fake->create.ms = 20;
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    assert_null(item);
    assert_int_equal(sim_now_ms(), 0);
    assert_int_equal(fake->created, 0);
    sim_advance_ms(20);
    assert_int_equal(fake->created, 1);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
    rpool_release(&item);
    sim_advance_ms(100);
    assert_int_equal(fake->creates, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_TIMED_OUT), 0);
    close_pool(&pool);
}

/* A09 */
static void try_acquire_starts_no_creation_when_pool_is_full(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool), *item = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    assert_int_equal(sim_now_ms(), 0);
    rpool_release(&held);
    sim_advance_ms(50);
    assert_int_equal(fake->creates, 1);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_OK);
    rpool_release(&item);
    close_pool(&pool);
}

/* Several calls that may not wait start one creation, not one each. */
static void
one_creation_starts_when_try_acquire_is_called_many_times(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .create_concurrency = 4);
    sim_settle();
    fake->create.ms = 10;
    rpool_item *item = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_advance_ms(100);
    assert_int_equal(fake->created, 1);
    close_pool(&pool);
}

static void
try_acquire_returns_busy_when_released_item_belongs_to_a_waiter(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool), *item = NULL;
    struct caller waiting = {.pool = pool, .timeout_ms = -1, .hold_ms = 10};
    caller_start(&waiting);
    rpool_release(&held);
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_settle();
    assert_int_equal(caller_status(&waiting), RPOOL_OK);
    sim_advance_ms(10);
    close_pool(&pool);
}

/* N01 */
static void acquire_is_refused_when_pool_or_out_pointer_is_null(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_failure why;
    assert_int_equal(rpool_acquire_at(pool, 0, NULL, &why, NULL),
                     RPOOL_INVALID);
    assert_non_null(strstr(why.message, "item"));
    assert_int_equal(rpool_acquire_at(pool, 0, NULL, NULL, NULL),
                     RPOOL_INVALID);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(NULL, 0, &item, &why), RPOOL_INVALID);
    assert_string_equal(why.message, "there is no such pool");
    assert_int_equal(rpool_acquire_at(pool, -1, &item, NULL, NULL), RPOOL_OK);
    rpool_release(&item);
    close_pool(&pool);
}

/* The uncontended acquire and release: no lock, no wait, no system call. */
static void acquire_and_release_take_no_lock_when_uncontended(void **state)
{
    struct fake *fake = *state;
    fake->provider.reset = NULL;
    rpool *pool = NULL;
    assert_int_equal(rpool_open(&pool, &fake->provider, fake,
                                RPOOL_OPTIONS(.max_size = 2), NULL),
                     RPOOL_OK);
    make_idle(pool, 2);
    sim_settle();
    struct sim_counts before = sim_counts();
    for (int i = 0; i < 10; i++) {
        rpool_item *item = NULL;
        assert_int_equal(rpool_acquire(pool, 1000, &item, NULL), RPOOL_OK);
        rpool_release(&item);
    }
    struct sim_counts after = sim_counts();
    assert_int_equal(after.locks, before.locks);
    assert_int_equal(after.waits, before.waits);
    assert_int_equal(after.wakes, before.wakes);
    assert_int_equal(after.system, before.system);
    assert_int_equal(after.clocks, before.clocks);
    close_pool(&pool);
}

/* A20 */
static void
acquire_takes_idle_item_when_waiter_queue_could_not_hold_it(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .max_waiters = 1);
    make_idle(pool, 2);
    rpool_item *a = NULL, *b = NULL, *c = NULL;
    assert_int_equal(rpool_acquire(pool, 10, &a, NULL), RPOOL_OK);
    struct caller waiting = {.pool = pool, .timeout_ms = 10};
    assert_int_equal(rpool_acquire(pool, 10, &b, NULL), RPOOL_OK);
    caller_start(&waiting);
    assert_int_equal(rpool_acquire(pool, 10, &c, NULL), RPOOL_BUSY);
    assert_int_equal(fake_stats(pool).refused, 1);
    sim_advance_ms(10);
    assert_int_equal(caller_status(&waiting), RPOOL_TIMEOUT);
    rpool_release(&a);
    rpool_release(&b);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(acquire_creates_an_item_when_pool_is_empty),
        FAKE_TEST(released_item_is_leased_again_when_next_acquire_comes),
        FAKE_TEST(acquire_times_out_exactly_at_deadline_when_all_are_leased),
        FAKE_TEST(acquire_waits_long_when_timeout_is_negative_or_int_max),
        FAKE_TEST(timeout_message_names_oldest_lease_when_all_are_leased),
        FAKE_TEST(
            timeout_message_gives_cause_before_sizes_when_creation_failed),
        FAKE_TEST(timeout_message_ends_with_last_failure_when_all_are_leased),
        FAKE_TEST(timeout_message_keeps_numbers_when_its_cause_is_long),
        FAKE_TEST(timeout_message_says_suspended_when_pool_is_suspended),
        FAKE_TEST(busy_message_gives_cause_when_acquire_may_not_wait),
        FAKE_TEST(
            try_acquire_returns_busy_and_starts_creation_when_pool_is_empty),
        FAKE_TEST(try_acquire_starts_no_creation_when_pool_is_full),
        FAKE_TEST(one_creation_starts_when_try_acquire_is_called_many_times),
        FAKE_TEST(
            try_acquire_returns_busy_when_released_item_belongs_to_a_waiter),
        FAKE_TEST(acquire_is_refused_when_pool_or_out_pointer_is_null),
        FAKE_TEST(acquire_and_release_take_no_lock_when_uncontended),
        FAKE_TEST(acquire_takes_idle_item_when_waiter_queue_could_not_hold_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
