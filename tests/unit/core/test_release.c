/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * release.c: release, discard, detach, the results of reset, and what closes an
 * item at the end of its lease.
 */
#include "support_caller.h"

#include "core/handle.h"

/* D33 */
static void item_is_reset_first_when_a_waiter_gets_it(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    struct caller c = {.pool = pool, .timeout_ms = 1000};
    caller_start(&c);
    fake->reset.ms = 30;
    rpool_release(&held);
    assert_false(c.answered);
    assert_int_equal(fake->resets, 1);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.at_ms, 30);
    close_pool(&pool);
}

/* H05 C14 */
static void item_is_destroyed_when_reset_rejects_it(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    fake->reset = (struct fake_step){.result = RPOOL_DISCARD, .times = 1};
    rpool_item *item = fake_lease(pool);
    rpool_release(&item);
    sim_settle();
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake_last(fake, RPOOL_EVENT_CLOSED)->reason,
                     RPOOL_REASON_RESET);
    assert_int_equal(fake_stats(pool).closed_by[RPOOL_REASON_RESET], 1);
    item = fake_lease(pool);
    assert_int_equal(fake_of(item)->number, 2);
    rpool_release(&item);
    close_pool(&pool);
}

/* C21: reset rejects five items in a row, and all waiters are served. */
static void waiters_are_served_when_reset_rejects_several_items(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    fake->reset = (struct fake_step){.result = RPOOL_DISCARD, .times = 5};
    struct caller c[12];
    for (int i = 0; i < 12; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = 1000, .hold_ms = 10};
        caller_start(&c[i]);
    }
    sim_advance_ms(200);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
        assert_int_equal(c[i].at_ms, i / 2 * 10);
    }
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RESET), 5);
    assert_int_equal(fake->created, 7);
    close_pool(&pool);
}

static void item_is_destroyed_without_reset_when_discarded(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    struct caller c = {.pool = pool, .timeout_ms = 1000};
    caller_start(&c);
    fake->destroy.ms = 20;
    rpool_discard(&item);
    assert_null(item);
    sim_settle();
    assert_int_equal(fake->resets, 0);
    assert_false(c.answered); /* the old item still exists */
    assert_int_equal(fake_stats(pool).closing, 1);
    sim_advance_ms(20);
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.resource, 2);
    assert_int_equal(fake->peak, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_DISCARD), 1);
    close_pool(&pool);
}

/* I-13 */
static void
item_belongs_to_borrower_and_frees_its_slot_when_detached(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    struct caller c = {.pool = pool, .timeout_ms = 1000};
    caller_start(&c);
    void *resource = rpool_detach(&item);
    assert_ptr_equal(resource, fake->resources[0]);
    assert_null(item);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.resource, 2);
    assert_int_equal(fake->destroyed, 0);
    rpool_stats stats = fake_stats(pool);
    assert_int_equal(stats.detached, 1);
    assert_int_equal(stats.total, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_DETACHED), 1);
    /* It is not watched any more: a close by its peer does not wake the pool.
     */
    sim_settle();
    uint64_t wakes = sim_thread("watch").wakes;
    sim_hang_up(fake->resources[0]->fd);
    sim_settle();
    assert_int_equal(sim_thread("watch").wakes, wakes);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_CLOSED), 0);
    fake_take(resource);
    close_pool(&pool);
}

/* E20 */
static void item_is_closed_when_it_was_leased_max_uses_times(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .max_uses = 3);
    for (int i = 0; i < 9; i++) {
        rpool_item *item = fake_lease(pool);
        assert_int_equal(fake_of(item)->number, 1 + i / 3);
        rpool_release(&item);
    }
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_USES), 3);
    close_pool(&pool);
}

/* E20 */
static void
waiter_gets_new_item_when_released_item_reached_max_uses(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .max_uses = 1);
    rpool_item *held = fake_lease(pool);
    struct caller c = {.pool = pool, .timeout_ms = 1000};
    caller_start(&c);
    rpool_release(&held);
    sim_settle();
    assert_int_equal(caller_status(&c), RPOOL_OK);
    assert_int_equal(c.resource, 2);
    sim_settle();
    assert_int_equal(fake->destroyed, 2);
    close_pool(&pool);
}

/* E05 */
static void
item_is_closed_at_release_when_its_lifetime_ended_in_the_lease(void **state)
{
    struct fake *fake = *state;
    sim_random(0); /* no jitter */
    rpool *pool = fake_open(fake, .max_size = 1, .max_lifetime_ms = 1000);
    rpool_item *item = fake_lease(pool);
    sim_advance_ms(5000);
    assert_int_equal(fake->destroyed, 0);
    assert_ptr_equal(fake_of(item), fake->resources[0]);
    rpool_release(&item);
    sim_settle();
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 1);
    close_pool(&pool);
}

/* E06: the item is never idle when the cleaner scans. */
static void item_expires_when_it_is_always_in_use(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(fake, .max_size = 1, .max_lifetime_ms = 1000);
    for (int i = 0; i < 300; i++) {
        rpool_item *item = fake_lease(pool);
        sim_advance_ms(10);
        rpool_release(&item);
    }
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 2);
    close_pool(&pool);
}

/* C01 F12: the borrower sees no difference. */
static void item_is_closed_at_release_when_marked_during_its_lease(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    rpool_item *a = fake_lease(pool), *b = fake_lease(pool);
    sim_hang_up(fake_of(a)->fd);
    sim_settle();
    assert_int_equal(fake->destroyed, 0);
    assert_non_null(rpool_resource(a));
    rpool_release(&a);
    sim_settle();
    assert_int_equal(fake_last(fake, RPOOL_EVENT_CLOSED)->reason,
                     RPOOL_REASON_HANGUP);
    assert_int_equal(rpool_recycle(pool), RPOOL_OK);
    rpool_release(&b);
    sim_settle();
    assert_int_equal(fake_last(fake, RPOOL_EVENT_CLOSED)->reason,
                     RPOOL_REASON_RECYCLE);
    assert_int_equal(fake->destroyed, 2);
    close_pool(&pool);
}

/* C18: misuse by a borrower does no harm to other items. */
static void
release_discard_and_detach_do_nothing_when_handle_is_not_leased(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_release(NULL);
    rpool_discard(NULL);
    assert_null(rpool_detach(NULL));
    rpool_item *none = NULL;
    rpool_release(&none);
    rpool_discard(&none);
    assert_null(rpool_detach(&none));
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 0);

    rpool_item *item = fake_lease(pool), *again = item, *third = item,
               *fourth = item;
    rpool_release(&item);
    rpool_release(&again);
    rpool_discard(&third);
    assert_null(rpool_detach(&fourth));
    assert_null(again);
    assert_null(third);
    assert_null(fourth);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 3);
    assert_int_equal(fake_stats(pool).misused, 3);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake->destroyed, 0);
    close_pool(&pool);
}

static rpool_item *shared;
static int released_at[2];

static void release_shared(void *arg)
{
    rpool_item *mine = shared;
    rpool_release(&mine);
    released_at[*(int *)arg] = 1;
}

/* I-01 I-02: if two threads release the same lease, one succeeds.  A later
 * borrower of the item is not disturbed. */
static void
one_release_succeeds_when_two_threads_release_the_same_lease(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        if (seed % 2 == 0)
            fake.provider.reset = NULL; /* the lock-free release */
        rpool *pool = fake_open(&fake, .max_size = 1);
        shared = fake_lease(pool);
        int who[2] = {0, 1};
        released_at[0] = released_at[1] = 0;
        struct caller next = {
            .pool = pool, .timeout_ms = -1, .hold_ms = CALLER_KEEPS};
        int a = sim_spawn(release_shared, &who[0]);
        int b = sim_spawn(release_shared, &who[1]);
        caller_spawn(&next);
        sim_join(a);
        sim_join(b);
        sim_join(next.id);
        assert_true(released_at[0] && released_at[1]);
        assert_int_equal(fake_count(&fake, RPOOL_EVENT_MISUSE), 1);
        assert_int_equal(fake_count(&fake, RPOOL_EVENT_RELEASED), 1);
        assert_int_equal(fake_stats(pool).in_use, 1);
        assert_ptr_equal(fake_of(next.item), fake.resources[0]);
        rpool_release(&next.item);
        assert_int_equal(fake_count(&fake, RPOOL_EVENT_RELEASED), 2);
        close_pool(&pool);
        fake_end(&fake);
    }
}

static void release_given(void *arg)
{
    rpool_release(arg);
}

/* I-07 */
static void lease_ends_when_another_thread_releases_it(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    int id = sim_spawn(release_given, &item);
    sim_join(id);
    assert_null(item);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 0);
    close_pool(&pool);
}

struct releaser {
    rpool_item *item;
};

static void release_copy(void *arg)
{
    rpool_item *copy = ((struct releaser *)arg)->item;
    rpool_release(&copy);
}

/* Two threads release one lease, and the item is leased again meanwhile. */
static void
lease_keeps_its_start_time_when_old_handle_is_released_late(void **st)
{
    (void)st;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct fake fake;
        struct pool *pool;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.walk = 300});
        fake.provider.reset = NULL;
        rpool *handle = NULL;
        assert_int_equal(rpool_open(&handle, &fake.provider, &fake,
                                    RPOOL_OPTIONS(.max_size = 1), NULL),
                         RPOOL_OK);
        sim_sleep_ms(100); /* no time is 0 */
        struct releaser old = {.item = fake_lease(handle)};
        int ids[] = {sim_spawn(release_copy, &old),
                     sim_spawn(release_copy, &old)};
        rpool_item *next = fake_lease(handle);
        const struct slot *slot = rpool__slot_of((uintptr_t)next, &pool);
        assert_int_not_equal(atom_peek(&slot->leased_since), 0);
        for (int i = 0; i < 2; i++)
            sim_join(ids[i]);
        assert_int_not_equal(atom_peek(&slot->leased_since), 0);
        assert_int_equal(fake_stats(handle).misused, 1);
        rpool_release(&next);
        close_pool(&handle);
        fake_end(&fake);
    }
}

static void item_is_reset_when_its_lease_was_unused(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    rpool_release(&item);
    assert_int_equal(fake->resets, 1);
    close_pool(&pool);
}

static void use_by_resource(const rpool_item *item)
{
    assert_non_null(rpool_resource(item));
    assert_non_null(rpool_resource(item));
}

static void use_by_begin(const rpool_item *item)
{
    void *resource;
    assert_int_equal(rpool_begin_use(item, &resource), RPOOL_OK);
    rpool_end_use(item);
}

static rpool *open_unused_is_clean(struct fake *fake, rpool_event_fn listener)
{
    rpool *pool = NULL;
    fake->provider.unused_is_clean = 1;
    assert_int_equal(rpool_open(&pool, &fake->provider, fake,
                                RPOOL_OPTIONS(.max_size = 1, .arg = fake,
                                              .on_event = listener),
                                NULL),
                     RPOOL_OK);
    return pool;
}

/* With and without a listener, because each has its own code path. */
static void reset_runs_only_after_use_when_unused_is_clean_is_set(void **state)
{
    struct fake *fake = *state;
    void (*const uses[])(const rpool_item *) = {use_by_resource, use_by_begin};
    const rpool_event_fn listeners[] = {NULL, fake_on_event};
    for (int i = 0; i < 4; i++) {
        rpool *pool = open_unused_is_clean(fake, listeners[i / 2]);
        fake->resets = 0;
        for (int round = 1; round <= 3; round++) {
            rpool_item *item = fake_lease(pool);
            uses[i % 2](item);
            rpool_release(&item);
            assert_int_equal(fake->resets, round);
            for (int unused = 0; unused < 2; unused++) {
                item = fake_lease(pool);
                assert_int_not_equal(rpool_number(item), 0);
                rpool_release(&item);
            }
            assert_int_equal(fake->resets, round);
        }
        close_pool(&pool);
        fake->done = fake->event_count = 0;
    }
}

/* By the release itself: no thread of the pool has run yet. */
static void item_is_closed_by_release_when_its_lifetime_is_over(void **state)
{
    struct fake *fake = *state;
    rpool *pool = NULL;
    fake->provider.reset = NULL;
    assert_int_equal(
        rpool_open(&pool, &fake->provider, fake,
                   RPOOL_OPTIONS(.max_size = 1, .max_lifetime_ms = 1000), NULL),
        RPOOL_OK);
    rpool_item *item = fake_lease(pool);
    rpool_release(&item);
    item = fake_lease(pool); /* by the thread's slot hint */
    sim_advance_ms(1100);
    rpool_release(&item);
    rpool_stats stats = fake_stats(pool);
    assert_int_equal(stats.idle, 0);
    assert_int_equal(stats.closing, 1);
    close_pool(&pool);
}

static void
next_lease_stays_unused_when_stale_handle_asks_for_its_resource(void **state)
{
    struct fake *fake = *state;
    rpool *pool = open_unused_is_clean(fake, NULL);
    rpool_item *old = fake_lease(pool), *copy = old;
    rpool_release(&copy);
    rpool_item *next = fake_lease(pool);
    assert_null(rpool_resource(old));
    rpool_release(&next);
    assert_int_equal(fake->resets, 0);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(item_is_reset_first_when_a_waiter_gets_it),
        FAKE_TEST(item_is_destroyed_when_reset_rejects_it),
        FAKE_TEST(waiters_are_served_when_reset_rejects_several_items),
        FAKE_TEST(item_is_destroyed_without_reset_when_discarded),
        FAKE_TEST(item_belongs_to_borrower_and_frees_its_slot_when_detached),
        FAKE_TEST(item_is_closed_when_it_was_leased_max_uses_times),
        FAKE_TEST(waiter_gets_new_item_when_released_item_reached_max_uses),
        FAKE_TEST(
            item_is_closed_at_release_when_its_lifetime_ended_in_the_lease),
        FAKE_TEST(item_expires_when_it_is_always_in_use),
        FAKE_TEST(item_is_closed_at_release_when_marked_during_its_lease),
        FAKE_TEST(
            release_discard_and_detach_do_nothing_when_handle_is_not_leased),
        cmocka_unit_test(
            one_release_succeeds_when_two_threads_release_the_same_lease),
        FAKE_TEST(lease_ends_when_another_thread_releases_it),
        FAKE_TEST(item_is_reset_when_its_lease_was_unused),
        FAKE_TEST(reset_runs_only_after_use_when_unused_is_clean_is_set),
        FAKE_TEST(item_is_closed_by_release_when_its_lifetime_is_over),
        FAKE_TEST(
            next_lease_stays_unused_when_stale_handle_asks_for_its_resource),
        cmocka_unit_test(
            lease_keeps_its_start_time_when_old_handle_is_released_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
