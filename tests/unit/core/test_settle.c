/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * settle.c: whatever changes during a release, the pool ends in a consistent
 * state.  No idle item is left that must not be, and no caller waits for an
 * idle item.
 */
#include "support_caller.h"

/* Runs one release and one change at the same time, in every order of steps
 * that the seeds find. */
static void race(uint64_t seed, const rpool_options *options,
                 void (*change)(void *), void (*expect)(struct fake *, rpool *))
{
    struct fake fake;
    fake_begin(&fake, seed);
    sim_search(&(struct sim_search){
        .walk = 300, .depth = seed % 2 ? 3 : 0, .steps = 200});
    if (seed % 3 == 0)
        fake.provider.reset = NULL;
    rpool_options o = *options;
    if (seed % 6 != 0) { /* without events, for the lock-free release */
        o.on_event = fake_on_event;
        o.arg = &fake;
    }
    rpool *pool = fake_open_with(&fake, &o);
    struct caller c = {.pool = pool, .timeout_ms = -1, .hold_ms = 10};
    rpool_item *other = fake_lease(pool);
    caller_spawn(&c);
    sim_sleep_ms(10);
    int id = sim_spawn(change, pool);
    sim_join(c.id);
    sim_join(id);
    assert_int_equal(c.status, RPOOL_OK);
    sim_sleep_ms(1);
    expect(&fake, pool);
    rpool_release(&other);
    (void)rpool_close(&pool, -1);
    fake_end(&fake);
}

static void race_all(const rpool_options *options, void (*change)(void *),
                     void (*expect)(struct fake *, rpool *))
{
    for (uint64_t seed = 1; seed <= 400; seed++)
        race(seed, options, change, expect);
}

static void begin_to_close(void *pool)
{
    rpool *copy = pool;
    (void)rpool_close(&copy, 0);
}

static void expect_gone(struct fake *fake, rpool *pool)
{
    (void)pool;
    assert_int_equal(fake->live, 1); /* the other item is still leased */
}

/* F06 */
static void no_item_stays_idle_when_release_races_close(void **state)
{
    (void)state;
    race_all(RPOOL_OPTIONS(.max_size = 2), begin_to_close, expect_gone);
}

static void recycle(void *pool)
{
    if (rpool_recycle(pool) != RPOOL_OK)
        sim_fail("recycle failed");
}

/* Released before the recycle, it is closed while idle; after it, at its
 * release. */
static void expect_recycled(struct fake *fake, rpool *pool)
{
    assert_int_equal(fake->live, 1);
    assert_int_equal(fake_stats(pool).idle, 0);
    assert_int_equal(fake_stats(pool).closed_by[RPOOL_REASON_RECYCLE], 1);
}

/* F12 F14 */
static void no_old_item_stays_when_release_races_recycle(void **state)
{
    (void)state;
    race_all(RPOOL_OPTIONS(.max_size = 2), recycle, expect_recycled);
}

static void shrink(void *pool)
{
    if (rpool_resize(pool, 1, 0) != RPOOL_OK)
        sim_fail("resize failed");
}

static void expect_shrunk(struct fake *fake, rpool *pool)
{
    assert_int_equal(fake->live, 1);
    assert_int_equal(fake_stats(pool).closed_by[RPOOL_REASON_RESIZE], 1);
}

/* G02 */
static void no_surplus_item_stays_when_release_races_shrink(void **state)
{
    (void)state;
    race_all(RPOOL_OPTIONS(.max_size = 2), shrink, expect_shrunk);
}

static struct fake *hung;

static void hang_up_second(void *arg)
{
    (void)arg;
    sim_hang_up(hung->resources[1]->fd);
}

/* C01: marked during its release, the item is not leased again. */
static void
item_is_not_leased_again_when_release_races_close_by_peer(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 2);
        struct caller c = {.pool = pool, .timeout_ms = -1, .hold_ms = 10};
        rpool_item *other = fake_lease(pool);
        caller_spawn(&c);
        sim_sleep_ms(10);
        hung = &fake;
        int id = sim_spawn(hang_up_second, NULL);
        sim_join(c.id);
        sim_join(id);
        sim_sleep_ms(1);
        assert_true(fake.resources[1]->gone);
        assert_int_equal(fake_closed_by(&fake, RPOOL_REASON_HANGUP), 1);
        rpool_release(&other);
        close_pool(&pool);
        fake_end(&fake);
    }
}

static struct caller late;

static void ask(void *pool)
{
    late = (struct caller){.pool = pool, .timeout_ms = 500};
    caller_spawn(&late);
    sim_join(late.id);
}

static void expect_served(struct fake *fake, rpool *pool)
{
    assert_int_equal(late.status, RPOOL_OK);
    assert_int_equal(late.at_ms, 10);
    assert_int_equal(late.resource, 2);
    assert_int_equal(fake->created, 2);
    assert_int_equal(fake_stats(pool).idle, 1);
}

/* A11 A14: the item does not stay idle while a caller waits. */
static void waiter_is_served_when_its_arrival_races_a_release(void **state)
{
    (void)state;
    race_all(RPOOL_OPTIONS(.max_size = 2), ask, expect_served);
}

static void suspend_and_resume(void *pool)
{
    late = (struct caller){.pool = pool, .timeout_ms = 500};
    if (rpool_suspend(pool) != RPOOL_OK)
        sim_fail("suspend failed");
    caller_spawn(&late);
    if (rpool_resume(pool) != RPOOL_OK)
        sim_fail("resume failed");
    sim_join(late.id);
}

/* F18 */
static void waiter_is_served_when_release_races_suspend_and_resume(void **state)
{
    (void)state;
    race_all(RPOOL_OPTIONS(.max_size = 2), suspend_and_resume, expect_served);
}

static struct caller crowd[6];

static void crowd_in(void *pool)
{
    for (int i = 0; i < 6; i++) {
        crowd[i] = (struct caller){.pool = pool, .timeout_ms = 5};
        caller_spawn(&crowd[i]);
    }
    for (int i = 0; i < 6; i++)
        sim_join(crowd[i].id);
}

static void expect_crowd_served(struct fake *fake, rpool *pool)
{
    (void)fake;
    for (int i = 0; i < 6; i++)
        assert_int_equal(crowd[i].status, RPOOL_OK);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake_stats(pool).waiting, 0);
}

/* A23: six callers arrive during the release, and it serves all of them. */
static void
waiters_are_all_served_when_six_arrivals_race_a_release(void **state)
{
    (void)state;
    race_all(RPOOL_OPTIONS(.max_size = 2), crowd_in, expect_crowd_served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_item_stays_idle_when_release_races_close),
        cmocka_unit_test(no_old_item_stays_when_release_races_recycle),
        cmocka_unit_test(no_surplus_item_stays_when_release_races_shrink),
        cmocka_unit_test(
            item_is_not_leased_again_when_release_races_close_by_peer),
        cmocka_unit_test(waiter_is_served_when_its_arrival_races_a_release),
        cmocka_unit_test(
            waiter_is_served_when_release_races_suspend_and_resume),
        cmocka_unit_test(
            waiters_are_all_served_when_six_arrivals_race_a_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
