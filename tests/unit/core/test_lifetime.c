/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Lifetimes and leaks: the jitter, the replacement in advance, and leases that
 * last too long.
 */
#include "support_caller.h"

#include <string.h>

/* E04 */
static void idle_item_is_closed_when_its_lifetime_is_over(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(fake, .max_size = 2, .max_lifetime_ms = 5000,
                            .idle_timeout_ms = RPOOL_NEVER);
    make_idle(pool, 1);
    sim_advance_ms(4999);
    assert_int_equal(fake->destroyed, 0);
    sim_advance_ms(1);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 1);
    assert_int_equal(fake->created, 1); /* no caller wants another */
    close_pool(&pool);
}

/* E07 */
static void item_is_kept_when_max_lifetime_is_never(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .max_lifetime_ms = RPOOL_NEVER,
                            .idle_timeout_ms = RPOOL_NEVER);
    for (int i = 0; i < 10; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 1);
        rpool_release(&item);
        sim_advance_ms(2000000000);
    }
    assert_int_equal(fake->destroyed, 0);
    close_pool(&pool);
}

/* E09: up to a quarter less, and never more. */
static void lifetimes_are_spread_when_items_are_created_together(void **state)
{
    (void)state;
    struct fake fake;
    fake_begin(&fake, 7);
    rpool *pool = fake_open(&fake, .max_size = 100, .max_lifetime_ms = 100000,
                            .idle_timeout_ms = RPOOL_NEVER);
    make_idle(pool, 100);
    assert_int_equal(fake.created, 100);
    sim_sleep_ms(100000);
    sim_settle();
    int quarter[4] = {0};
    for (int i = 0; i < fake.event_count; i++) {
        const struct fake_event *e = &fake.events[i];
        if (e->type != RPOOL_EVENT_CLOSED)
            continue;
        assert_int_equal(e->reason, RPOOL_REASON_LIFETIME);
        assert_in_range(e->at_ms, 75000, 100000);
        quarter[(e->at_ms - 75000) / 6251]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(quarter[i], 10, 45);
    assert_int_equal(fake.live, 0);
    close_pool(&pool);
    fake_end(&fake);
}

static rpool *watched;
static int least_ready;

/* Counts the idle items when an item leaves. */
static void count_ready(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type != RPOOL_EVENT_CLOSED ||
        event->reason != RPOOL_REASON_LIFETIME)
        return;
    int idle = fake_stats(watched).idle;
    least_ready = idle < least_ready ? idle : least_ready;
}

static int new_came_before_old_left(const struct fake *fake, int old)
{
    int newer = 0;
    for (int i = 0; i < fake->event_count; i++) {
        const struct fake_event *e = &fake->events[i];
        newer += e->type == RPOOL_EVENT_CREATED;
        if (e->type == RPOOL_EVENT_CLOSED && e->resource == old)
            return newer > 2;
    }
    return 0;
}

/* E10 */
static void
replacement_is_created_first_when_an_item_nears_its_lifetime(void **state)
{
    struct fake *fake = *state;
    fake->create.ms = 300;
    watched =
        fake_open(fake, .max_size = 4, .min_size = 2, .max_lifetime_ms = 60000);
    least_ready = 4;
    fake->hook = count_ready;
    sim_advance_ms(61000);
    assert_true(new_came_before_old_left(fake, 1));
    assert_true(new_came_before_old_left(fake, 2));
    sim_advance_ms(300000);
    assert_true(fake_closed_by(fake, RPOOL_REASON_LIFETIME) >= 8);
    assert_int_equal(least_ready, 2);
    assert_int_equal(fake_stats(watched).idle, 2);
    fake->hook = NULL;
    close_pool(&watched);
}

/* E10: without room for a replacement, items leave one at a time. */
static void items_are_replaced_one_by_one_when_pool_has_no_room(void **state)
{
    struct fake *fake = *state;
    sim_random(0); /* all expire at the same time */
    fake->create.ms = 50;
    watched =
        fake_open(fake, .max_size = 4, .min_size = 4, .max_lifetime_ms = 60000);
    least_ready = 4;
    fake->hook = count_ready;
    sim_advance_ms(130000);
    assert_true(fake_closed_by(fake, RPOOL_REASON_LIFETIME) >= 8);
    assert_int_equal(least_ready, 3);
    assert_int_equal(fake->peak, 4);
    assert_int_equal(fake_stats(watched).idle, 4);
    fake->hook = NULL;
    close_pool(&watched);
}

/* I10: an item is not leased after its lifetime, also if the cleaner has not
 * run yet. */
static void item_is_not_leased_when_its_lifetime_is_over(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_random(0);
        rpool *pool = fake_open(&fake, .max_size = 1, .max_lifetime_ms = 5000,
                                .check_after_ms = RPOOL_NEVER);
        make_idle(pool, 1);
        struct caller c = {.pool = pool, .start_ms = 5000, .timeout_ms = -1};
        caller_spawn(&c);
        sim_join(c.id);
        assert_int_equal(c.status, RPOOL_OK);
        assert_int_equal(c.resource, 2);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* I-11 U08 */
static void leak_event_comes_once_when_lease_exceeds_leak_after_ms(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .leak_after_ms = 1000,
                            .idle_timeout_ms = RPOOL_NEVER,
                            .max_lifetime_ms = RPOOL_NEVER);
    rpool_item *leaked = fake_lease(pool);
    uint64_t number = rpool_number(leaked);
    rpool_item *short_one = NULL;
    assert_int_equal(rpool_acquire(pool, -1, &short_one, NULL), RPOOL_OK);
    sim_advance_ms(500);
    rpool_release(&short_one);
    sim_advance_ms(499);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 0);
    sim_advance_ms(1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 1);
    const struct fake_event *e = fake_last(fake, RPOOL_EVENT_LEAK);
    assert_int_equal(e->item, number);
    assert_int_equal(e->ms, 1000);
    assert_string_equal(e->site.func, "fake_lease");
    assert_non_null(strstr(e->site.file, "support_fake.c"));
    assert_true(e->site.line > 0);
    sim_advance_ms(1000000);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 1);
    assert_non_null(rpool_resource(leaked)); /* it is not taken away */
    rpool_release(&leaked);
    close_pool(&pool);
}

/* I-12 */
static void leak_returned_event_comes_when_a_leaked_lease_ends(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2, .leak_after_ms = 1000);
    rpool_item *item = fake_lease(pool);
    uint64_t number = rpool_number(item);
    sim_advance_ms(2500);
    rpool_release(&item);
    const struct fake_event *e = fake_last(fake, RPOOL_EVENT_LEAK_RETURNED);
    assert_int_equal(e->item, number);
    assert_int_equal(e->ms, 2500);
    for (int i = 0; i < 5; i++) { /* the next leases are no leaks */
        item = fake_lease(pool);
        sim_advance_ms(900);
        rpool_release(&item);
    }
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK_RETURNED), 1);
    item = fake_lease(pool); /* another leak of the same item is reported */
    sim_advance_ms(1000);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 2);
    rpool_discard(&item);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK_RETURNED), 2);
    close_pool(&pool);
}

/* A lease that began while the cleaner slept without a deadline. */
static void
cleaner_wakes_for_a_leak_when_it_slept_without_deadline(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .leak_after_ms = 1000,
                            .idle_timeout_ms = RPOOL_NEVER,
                            .max_lifetime_ms = RPOOL_NEVER);
    make_idle(pool, 1);
    sim_advance_ms(100000);
    uint64_t wakes = sim_thread("watch").wakes;
    rpool_item *item = fake_lease(pool);
    sim_advance_ms(1000);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 1);
    /* It woke to set an earlier deadline, and at that deadline. */
    assert_int_equal(sim_thread("watch").wakes - wakes, 2);
    rpool_release(&item);
    close_pool(&pool);
}

static int leaks;

static void expect_the_long_lease(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type != RPOOL_EVENT_LEAK)
        return;
    leaks++;
    if (event->site.line != 1)
        sim_fail("a leak is reported of the lease after it");
}

/* The lease ends and the next one begins just when the cleaner finds the leak.
 */
static void leak_event_names_its_own_lease_when_the_next_lease_begins_meanwhile(
    void **state)
{
    (void)state;
    static const rpool_site sites[] = {{"long.c", "f", 1, 0},
                                       {"short.c", "g", 2, 0}};
    leaks = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.depth = 3, .steps = 150});
        fake.hook = expect_the_long_lease;
        rpool *pool = fake_open(&fake, .max_size = 1, .leak_after_ms = 100);
        for (int i = 0; i < 2; i++) {
            rpool_item *item = NULL;
            assert_int_equal(rpool_acquire_at(pool, -1, &item, NULL, &sites[i]),
                             RPOOL_OK);
            sim_sleep_ms(i == 0 ? 100 : 0);
            rpool_release(&item);
        }
        close_pool(&pool);
        fake_end(&fake);
    }
    assert_in_range(leaks, 1, 499);
}

/* Not even while a creation is under way, because it may fail. */
static void min_size_is_kept_when_a_creation_is_under_way(void **state)
{
    struct fake *fake = *state;
    rpool *pool =
        fake_open(fake, .max_size = 2, .min_size = 1, .idle_timeout_ms = 200);
    sim_advance_ms(100);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT, .ms = 300};
    rpool_item *item = fake_lease(pool), *none = NULL;
    assert_int_equal(rpool_acquire(pool, 10, &none, NULL), RPOOL_TIMEOUT);
    rpool_release(&item); /* the creation for the other caller goes on */
    assert_int_equal(fake_stats(pool).creating, 1);
    sim_advance_ms(280);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_IDLE), 0);
    fake->create = (struct fake_step){0};
    sim_advance_ms(2000);
    assert_int_equal(fake_stats(pool).idle, 1);
    close_pool(&pool);
}

/* The old item stays until the new one exists, or its lifetime is over. */
static void ageing_item_is_kept_when_its_replacement_fails(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(fake, .max_size = 2, .min_size = 1,
                            .max_lifetime_ms = 80000, .idle_timeout_ms = 200);
    sim_advance_ms(78000);
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT, .ms = 300};
    sim_advance_ms(1999);
    assert_true(fake->creates > 1);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake->destroyed, 0);
    sim_advance_ms(1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 1);
    fake->create = (struct fake_step){0};
    close_pool(&pool);
}

/* A creation may fail, so no existing item is closed in favour of one. */
static void shrink_keeps_idle_items_when_a_creation_is_under_way(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3);
    make_idle(pool, 2);
    rpool_item *a = fake_lease(pool), *b = fake_lease(pool), *none = NULL;
    fake->create = (struct fake_step){.result = FAKE_OK, .ms = 300};
    assert_int_equal(rpool_acquire(pool, 10, &none, NULL), RPOOL_TIMEOUT);
    rpool_release(&a);
    rpool_release(&b);
    assert_int_equal(rpool_resize(pool, 2, 0), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake_stats(pool).idle, 2);
    sim_advance_ms(300);
    assert_int_equal(fake_stats(pool).idle, 2);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RESIZE), 1);
    assert_int_equal(fake->live, 2);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(idle_item_is_closed_when_its_lifetime_is_over),
        FAKE_TEST(item_is_kept_when_max_lifetime_is_never),
        cmocka_unit_test(lifetimes_are_spread_when_items_are_created_together),
        FAKE_TEST(replacement_is_created_first_when_an_item_nears_its_lifetime),
        FAKE_TEST(items_are_replaced_one_by_one_when_pool_has_no_room),
        cmocka_unit_test(item_is_not_leased_when_its_lifetime_is_over),
        FAKE_TEST(leak_event_comes_once_when_lease_exceeds_leak_after_ms),
        FAKE_TEST(leak_returned_event_comes_when_a_leaked_lease_ends),
        FAKE_TEST(cleaner_wakes_for_a_leak_when_it_slept_without_deadline),
        cmocka_unit_test(
            leak_event_names_its_own_lease_when_the_next_lease_begins_meanwhile),
        FAKE_TEST(min_size_is_kept_when_a_creation_is_under_way),
        FAKE_TEST(ageing_item_is_kept_when_its_replacement_fails),
        FAKE_TEST(shrink_keeps_idle_items_when_a_creation_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
