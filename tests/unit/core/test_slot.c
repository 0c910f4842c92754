/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* slot.c: which idle item is leased, that each has one borrower, and pools of
 * many slots. */
#include "support_caller.h"

#include <stdlib.h>

static void acquire_takes_lowest_idle_slot_when_several_are_idle(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 5);
    rpool_item *item[5];
    for (int i = 0; i < 5; i++)
        item[i] = fake_lease(pool);
    for (int i = 0; i < 5; i++)
        rpool_release(&item[(i + 2) % 5]);
    sim_advance_ms(12); /* too late for the thread's slot hint */
    for (int i = 0; i < 5; i++) {
        item[i] = fake_lease(pool);
        assert_int_equal(fake_of(item[i])->number, i + 1);
    }
    for (int i = 0; i < 5; i++)
        rpool_release(&item[i]);
    close_pool(&pool);
}

/* E24: items that are not needed expire. */
static void surplus_items_expire_when_steady_use_needs_few(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 8, .idle_timeout_ms = 1000,
                            .check_after_ms = RPOOL_NEVER);
    make_idle(pool, 8);
    for (int i = 0; i < 200; i++) {
        rpool_item *a = fake_lease(pool), *b = fake_lease(pool);
        sim_advance_ms(5);
        rpool_release(&a);
        rpool_release(&b);
        sim_advance_ms(5);
    }
    assert_in_range(fake->live, 2, 3);
    assert_int_equal(fake->created, 8);
    close_pool(&pool);
}

static void thread_gets_its_last_slot_again_when_it_acquires_soon(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4);
    rpool_item *item[4];
    for (int i = 0; i < 4; i++)
        item[i] = fake_lease(pool);
    for (int i = 0; i < 4; i++)
        rpool_release(&item[i]);
    item[0] = fake_lease(pool);
    assert_int_equal(fake_of(item[0])->number, 4);
    rpool_release(&item[0]);
    sim_advance_ms(12);
    item[0] = fake_lease(pool);
    assert_int_equal(fake_of(item[0])->number, 1);
    rpool_release(&item[0]);
    close_pool(&pool);
}

/* The last of three released items is the thread's own slot. */
static void make_the_third_its_own(rpool *pool)
{
    rpool_item *item[3];
    for (int i = 0; i < 3; i++)
        item[i] = fake_lease(pool);
    for (int i = 0; i < 3; i++)
        rpool_release(&item[i]);
}

static int number_of_next(rpool *pool)
{
    rpool_item *item = fake_lease(pool);
    int number = fake_of(item)->number;
    rpool_release(&item);
    return number;
}

static void
thread_gets_its_last_slots_again_when_it_alternates_between_pools(void **state)
{
    struct fake *fake = *state;
    fake->provider.done = NULL; /* both pools use this provider */
    rpool *pools[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rpool_open(&pools[i], &fake->provider, fake,
                                    RPOOL_OPTIONS(.max_size = 3), NULL),
                         RPOOL_OK);
        make_the_third_its_own(pools[i]);
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(number_of_next(pools[i % 2]), 3 + 3 * (i % 2));
    close_pool(&pools[0]);
    close_pool(&pools[1]);
}

/* A third pool replaces the hint of the pool that was used longest ago. */
static void
slot_hint_of_recent_pool_stays_when_thread_uses_a_third_pool(void **state)
{
    struct fake *fake = *state;
    fake->provider.done = NULL;
    rpool *pools[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rpool_open(&pools[i], &fake->provider, fake,
                                    RPOOL_OPTIONS(.max_size = 3), NULL),
                         RPOOL_OK);
        make_the_third_its_own(pools[i]);
        sim_advance_ms(4);
    }
    assert_int_equal(number_of_next(pools[1]), 6);
    assert_int_equal(number_of_next(pools[0]), 1); /* its lowest */
    for (int i = 0; i < 3; i++)
        close_pool(&pools[i]);
}

/* L15: slots of many hint words. */
static void idle_slot_is_found_quickly_when_pool_is_large(void **state)
{
    struct fake *fake = *state;
    enum { MANY = 3000 };
    rpool *pool = fake_open(fake, .max_size = MANY, .create_concurrency = 64);
    rpool_item **item = calloc(MANY, sizeof(rpool_item *));
    assert_non_null(item);
    for (int i = 0; i < MANY; i++)
        item[i] = fake_lease(pool);
    rpool_item *more = NULL;
    assert_int_equal(rpool_try_acquire(pool, &more), RPOOL_BUSY);
    assert_int_equal(fake_stats(pool).in_use, MANY);
    rpool_release(&item[MANY - 1]);
    sim_advance_ms(12);
    uint64_t before = sim_counts().atoms;
    item[MANY - 1] = fake_lease(pool);
    assert_int_equal(fake_of(item[MANY - 1])->number, MANY);
    assert_true(sim_counts().atoms - before < 200);
    for (int i = 0; i < MANY; i++)
        rpool_release(&item[i]);
    assert_int_equal(fake_stats(pool).idle, MANY);
    before = sim_counts().atoms;
    more = fake_lease(pool);
    assert_true(sim_counts().atoms - before < 20);
    rpool_release(&more);
    free(item);
    close_pool(&pool);
    assert_int_equal(fake->destroyed, MANY);
}

/* I2: whatever threads compete, an item has one borrower. */
static void each_item_has_one_borrower_when_many_threads_claim(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 4);
        make_idle(pool, 4);
        struct caller c[6];
        for (int i = 0; i < 6; i++) {
            c[i] = (struct caller){.pool = pool,
                                   .timeout_ms = i % 2 ? 10 : 0,
                                   .hold_ms = CALLER_KEEPS};
            caller_spawn(&c[i]);
        }
        int leased = 0, times[5] = {0};
        for (int i = 0; i < 6; i++) {
            sim_join(c[i].id);
            leased += c[i].status == RPOOL_OK;
            times[c[i].resource]++; /* 0: none */
        }
        assert_int_equal(leased, 4);
        for (int i = 1; i <= 4; i++)
            assert_int_equal(times[i], 1);
        for (int i = 0; i < 6; i++)
            rpool_release(&c[i].item);
        close_pool(&pool);
        fake_end(&fake);
    }
}

static void borrow_and_return(void *arg)
{
    for (int i = 0; i < 10; i++) {
        rpool_item *item = NULL;
        if (rpool_try_acquire(arg, &item) == RPOOL_OK)
            rpool_release(&item);
    }
}

/* A hint may be set for a slot that is not idle, but never the other way round.
 */
static void
idle_slot_is_never_overlooked_when_threads_lease_and_release(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){
            .walk = 400, .depth = seed % 3 == 0 ? 4 : 0, .steps = 600});
        rpool *pool = fake_open(&fake, .max_size = 3);
        make_idle(pool, 3);
        int id[3];
        for (int i = 0; i < 3; i++)
            id[i] = sim_spawn(borrow_and_return, pool);
        for (int i = 0; i < 3; i++)
            sim_join(id[i]);
        rpool_item *item[3] = {NULL, NULL, NULL};
        for (int i = 0; i < 3; i++)
            assert_int_equal(rpool_try_acquire(pool, &item[i]), RPOOL_OK);
        assert_int_equal(fake.created, 3);
        for (int i = 0; i < 3; i++)
            rpool_release(&item[i]);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* L05 */
static void
only_needed_items_are_created_when_pool_has_10000_slots(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 10000);
    make_idle(pool, 100);
    assert_int_equal(fake->creates, 100);
    assert_int_equal(fake_stats(pool).max_size, 10000);
    assert_int_equal(fake_stats(pool).idle, 100);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(acquire_takes_lowest_idle_slot_when_several_are_idle),
        FAKE_TEST(surplus_items_expire_when_steady_use_needs_few),
        FAKE_TEST(thread_gets_its_last_slot_again_when_it_acquires_soon),
        FAKE_TEST(
            thread_gets_its_last_slots_again_when_it_alternates_between_pools),
        FAKE_TEST(slot_hint_of_recent_pool_stays_when_thread_uses_a_third_pool),
        cmocka_unit_test(each_item_has_one_borrower_when_many_threads_claim),
        cmocka_unit_test(
            idle_slot_is_never_overlooked_when_threads_lease_and_release),
        FAKE_TEST(idle_slot_is_found_quickly_when_pool_is_large),
        FAKE_TEST(only_needed_items_are_created_when_pool_has_10000_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
