/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Events: which are emitted, in which order, and that a listener may call the
 * pool. */
#include "support_caller.h"

#include <stdlib.h>
#include <string.h>

static rpool_event_type type_of(const struct fake *fake, int i)
{
    assert_true(i < fake->event_count);
    return fake->events[i].type;
}

/* U05 H13 */
static void
events_come_in_order_when_an_item_is_leased_and_discarded(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    for (int i = 0; i < 2; i++) {
        rpool_item *item = fake_lease(pool);
        sim_advance_ms(32);
        if (i == 0)
            rpool_release(&item);
        else
            rpool_discard(&item);
    }
    close_pool(&pool);
    const rpool_event_type expected[] = {
        RPOOL_EVENT_CREATED,  RPOOL_EVENT_ACQUIRED, RPOOL_EVENT_RELEASED,
        RPOOL_EVENT_ACQUIRED, RPOOL_EVENT_RELEASED, RPOOL_EVENT_CLOSED,
        RPOOL_EVENT_FREED};
    assert_int_equal(fake->event_count, 7);
    for (int i = 0; i < 7; i++) {
        const struct fake_event *e = &fake->events[i];
        assert_int_equal(type_of(fake, i), expected[i]);
        assert_int_equal(e->item, i < 6 ? fake->events[0].item : 0);
        assert_int_equal(e->resource, i < 6 ? 1 : 0);
    }
    assert_int_equal(fake->events[2].ms, 32);
    assert_int_equal(fake->events[5].reason, RPOOL_REASON_DISCARD);
}

/* U08 */
static void event_has_times_and_call_site_when_emitted(void **state)
{
    struct fake *fake = *state;
    fake->create.ms = 40;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = NULL;
    assert_int_equal(rpool_acquire(pool, 1000, &held, NULL), RPOOL_OK);
    assert_int_equal(fake_last(fake, RPOOL_EVENT_CREATED)->ms, 40);
    const struct fake_event *e = fake_last(fake, RPOOL_EVENT_ACQUIRED);
    assert_int_equal(e->ms, 40); /* how long the acquire waited */
    assert_string_equal(e->site.func, __func__);
    assert_string_equal(e->site.file, __FILE__);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, 25, &item, NULL), RPOOL_TIMEOUT);
    assert_int_equal(fake_last(fake, RPOOL_EVENT_TIMED_OUT)->ms, 25);
    rpool_release(&held);
    close_pool(&pool);
}

static int fits(const struct fake *fake, uint64_t item)
{
    rpool_event_type last = RPOOL_EVENT_COUNT;
    for (int i = 0; i < fake->event_count; i++) {
        const struct fake_event *e = &fake->events[i];
        if (e->item != item || e->type == RPOOL_EVENT_LEAK)
            continue;
        int good = 0;
        switch (e->type) {
        case RPOOL_EVENT_CREATED:
            good = last == RPOOL_EVENT_COUNT;
            break;
        case RPOOL_EVENT_RELEASED:
            good = last == RPOOL_EVENT_ACQUIRED;
            break;
        case RPOOL_EVENT_ACQUIRED:
        case RPOOL_EVENT_CLOSED:
            good = last == RPOOL_EVENT_CREATED || last == RPOOL_EVENT_RELEASED;
            break;
        default:
            break;
        }
        if (!good)
            return 0;
        last = e->type;
    }
    return last == RPOOL_EVENT_CLOSED;
}

/* U05: for each item under load, and no event is missing. */
static void
event_sequence_is_complete_for_each_item_when_under_load(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 3, .max_uses = 4);
        struct caller c[30];
        for (int i = 0; i < 30; i++) {
            c[i] = (struct caller){
                .pool = pool, .start_ms = i / 6, .timeout_ms = 20};
            caller_spawn(&c[i]);
        }
        sim_sleep_ms(3);
        assert_int_equal(rpool_recycle(pool), RPOOL_OK);
        for (int i = 0; i < 30; i++)
            sim_join(c[i].id);
        close_pool(&pool);
        assert_int_equal(fake_count(&fake, RPOOL_EVENT_CREATED), fake.created);
        assert_int_equal(fake_count(&fake, RPOOL_EVENT_CLOSED), fake.created);
        assert_int_equal(fake_count(&fake, RPOOL_EVENT_ACQUIRED),
                         fake_count(&fake, RPOOL_EVENT_RELEASED));
        assert_true(fake_count(&fake, RPOOL_EVENT_ACQUIRED) > 0);
        for (int i = 0; i < fake.event_count; i++)
            if (fake.events[i].type == RPOOL_EVENT_CREATED)
                assert_true(fits(&fake, fake.events[i].item));
        assert_int_equal(fake.events[fake.event_count - 1].type,
                         RPOOL_EVENT_FREED);
        fake_end(&fake);
    }
}

static rpool *hooked;
static int nested, nested_ok;

static void call_the_pool(struct fake *fake, const rpool_event *event)
{
    if (event->type == RPOOL_EVENT_FREED || nested)
        return;
    nested = 1;
    rpool_stats stats = {.size = sizeof stats};
    rpool_item *item = NULL;
    if (rpool_stats_get(hooked, &stats) == RPOOL_OK &&
        rpool_resize(hooked, 3, 0) == RPOOL_OK) {
        if (rpool_try_acquire(hooked, &item) == RPOOL_OK)
            rpool_release(&item);
        nested_ok++;
    }
    nested = 0;
    (void)fake;
}

/* H08 I8 */
static void listener_can_call_the_pool_when_an_event_is_emitted(void **state)
{
    struct fake *fake = *state;
    hooked = fake_open(fake, .max_size = 2, .idle_timeout_ms = 1000,
                       .leak_after_ms = 100);
    fake->hook = call_the_pool;
    nested_ok = 0;
    rpool_item *item = fake_lease(hooked), *stale = item;
    sim_advance_ms(200);
    rpool_release(&item);
    rpool_release(&stale);
    assert_int_equal(rpool_acquire(hooked, 10, &item, NULL), RPOOL_OK);
    rpool_discard(&item);
    sim_advance_ms(1100);
    assert_true(nested_ok >= 8);
    fake->hook = NULL;
    close_pool(&hooked);
}

static void (*fake_destroy)(void *, void *);
static rpool_item *last_lease;

static void destroy_that_gives_back(void *ctx, void *resource)
{
    rpool_release(&last_lease);
    fake_destroy(ctx, resource);
}

/* E21 */
static void release_is_misuse_when_destroy_releases_its_own_item(void **state)
{
    struct fake *fake = *state;
    fake_destroy = fake->provider.destroy;
    fake->provider.destroy = destroy_that_gives_back;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    last_lease = item;
    rpool_discard(&item);
    sim_settle();
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 1);
    close_pool(&pool);
}

/* I-01 C18 */
static void
misuse_event_is_emitted_and_counted_when_handle_is_stale(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool), *stale = item;
    rpool_release(&item);
    rpool_release(&stale);
    const struct fake_event *e = fake_last(fake, RPOOL_EVENT_MISUSE);
    assert_non_null(strstr(e->message, "already released"));
    assert_int_equal(e->item, 0);
    assert_int_equal(fake_stats(pool).misused, 1);
    close_pool(&pool);
}

/* U06: one event for each attempt, not one for each waiter. */
static void
create_failed_is_emitted_per_attempt_when_many_callers_wait(void **state)
{
    struct fake *fake = *state;
    fake->create.result = FAKE_TRANSIENT;
    rpool *pool = fake_open(fake, .max_size = 50);
    struct caller c[100];
    for (int i = 0; i < 100; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 10000};
        caller_start(&c[i]);
    }
    sim_advance_ms(9999);
    assert_int_equal(fake->event_count, fake->creates);
    assert_in_range(fake->event_count, 5, 120);
    sim_advance_ms(1);
    close_pool(&pool);
}

/* A listener is optional. */
static void pool_works_when_it_has_no_listener(void **state)
{
    struct fake *fake = *state;
    rpool *pool = NULL;
    assert_int_equal(
        rpool_open(&pool, &fake->provider, fake,
                   RPOOL_OPTIONS(.max_size = 1, .leak_after_ms = 5), NULL),
        RPOOL_OK);
    rpool_item *item = fake_lease(pool), *stale = item, *none = NULL;
    sim_advance_ms(10);
    assert_int_equal(rpool_acquire(pool, 5, &none, NULL), RPOOL_TIMEOUT);
    rpool_release(&item);
    rpool_release(&stale);
    assert_int_equal(fake_stats(pool).misused, 1);
    assert_int_equal(fake_stats(pool).timed_out, 1);
    close_pool(&pool);
}

static rpool_event_type slow;

static void take_two_seconds(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == slow)
        sim_sleep_ms(2000);
}

/* Items expire and are created, whichever event the listener is slow with. */
static void creation_and_expiry_go_on_when_listener_is_slow(void **state)
{
    struct fake *fake = *state;
    static const rpool_event_type types[] = {
        RPOOL_EVENT_LEAK, RPOOL_EVENT_CREATE_FAILED, RPOOL_EVENT_CREATED,
        RPOOL_EVENT_CLOSED};
    for (int i = 0; i < 4; i++) {
        rpool *pool = fake_open(fake, .max_size = 3, .create_concurrency = 1,
                                .max_lifetime_ms = 1000, .leak_after_ms = 500);
        sim_random(0);
        rpool_item *leak = fake_lease(pool), *item = fake_lease(pool);
        rpool_release(&item);
        fake->hook = take_two_seconds;
        slow = types[i];
        struct caller c = {.pool = pool, .timeout_ms = 10000, .hold_ms = 1};
        if (slow == RPOOL_EVENT_CREATE_FAILED || slow == RPOOL_EVENT_CREATED) {
            item = fake_lease(pool);
            if (slow == RPOOL_EVENT_CREATE_FAILED)
                fake->create =
                    (struct fake_step){.result = FAKE_TRANSIENT, .times = 1};
            caller_start(&c); /* the listener is slow with this creation */
            rpool_release(&item);
        }
        sim_advance_ms(1100); /* LEAK was emitted, the idle item has expired */
        assert_true(fake_closed_by(fake, RPOOL_REASON_LIFETIME) >= 1);
        int64_t began = sim_now_ms();
        slow = RPOOL_EVENT_COUNT;
        item = fake_lease(pool);
        assert_in_range(sim_now_ms() - began, 0, 20);
        rpool_release(&item);
        rpool_release(&leak);
        sim_advance_ms(3000);
        fake->hook = NULL;
        close_pool(&pool);
        fake->event_count = fake->done = 0;
    }
}

/* LEAK_RETURNED comes once after the LEAK of the same lease.  A later lease of
 * the slot can leak again. */
static void expect_leaks_in_pairs(const struct fake *fake, int leases)
{
    int told = 0, returned = 0;
    for (int i = 0; i < fake->event_count; i++) {
        told += fake->events[i].type == RPOOL_EVENT_LEAK;
        returned += fake->events[i].type == RPOOL_EVENT_LEAK_RETURNED;
        assert_true(returned <= told);
    }
    assert_int_equal(told, returned);
    assert_true(told <= leases);
}

static void
leak_returned_event_follows_leak_event_when_a_release_races(void **state)
{
    (void)state;
    int leaks = 0;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.walk = seed % 2 ? 0 : 300,
                                        .depth = seed % 2 ? 3 : 0,
                                        .steps = 300});
        rpool *pool = fake_open(&fake, .max_size = 1, .leak_after_ms = 100);
        rpool_item *item = fake_lease(pool);
        sim_sleep_ms(100);
        rpool_release(&item);
        close_pool(&pool);
        expect_leaks_in_pairs(&fake, 1);
        leaks += fake_count(&fake, RPOOL_EVENT_LEAK);
        fake_end(&fake);
    }
    assert_in_range(leaks, 1, 3999);
}

static void take_250_ms(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type == RPOOL_EVENT_LEAK)
        sim_sleep_ms(250);
}

static void leak_event_comes_for_each_leak_when_listener_is_slow(void **state)
{
    struct fake *fake = *state;
    fake->hook = take_250_ms;
    rpool *pool = fake_open(fake, .max_size = 1, .leak_after_ms = 100);
    for (int i = 0; i < 5; i++) {
        rpool_item *item = fake_lease(pool);
        sim_sleep_ms(120); /* it ends while the listener has the last leak */
        rpool_release(&item);
    }
    rpool_item *item = fake_lease(pool);
    sim_sleep_ms(2000);
    assert_int_equal(fake_last(fake, RPOOL_EVENT_LEAK)->type, RPOOL_EVENT_LEAK);
    int before = fake_count(fake, RPOOL_EVENT_LEAK_RETURNED);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), before + 1);
    rpool_release(&item);
    close_pool(&pool);
    expect_leaks_in_pairs(fake, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(events_come_in_order_when_an_item_is_leased_and_discarded),
        FAKE_TEST(event_has_times_and_call_site_when_emitted),
        cmocka_unit_test(
            event_sequence_is_complete_for_each_item_when_under_load),
        FAKE_TEST(listener_can_call_the_pool_when_an_event_is_emitted),
        FAKE_TEST(release_is_misuse_when_destroy_releases_its_own_item),
        FAKE_TEST(misuse_event_is_emitted_and_counted_when_handle_is_stale),
        FAKE_TEST(create_failed_is_emitted_per_attempt_when_many_callers_wait),
        FAKE_TEST(pool_works_when_it_has_no_listener),
        FAKE_TEST(creation_and_expiry_go_on_when_listener_is_slow),
        cmocka_unit_test(
            leak_returned_event_follows_leak_event_when_a_release_races),
        FAKE_TEST(leak_event_comes_for_each_leak_when_listener_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
