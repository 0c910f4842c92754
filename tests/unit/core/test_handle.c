/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * handle.c: handles are values and stay valid as values, cells are reused, and
 * a child process touches nothing of its parent's pools.
 */
#include "support_caller.h"

#include "core/handle.h"

#include <string.h>

/* I-04 */
static void stale_handle_is_refused_when_its_slot_is_leased_again(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool), *stale = item;
    rpool_release(&item);
    assert_null(rpool_resource(stale));
    assert_int_equal(rpool_number(stale), 0);
    rpool_item *next = fake_lease(pool);
    assert_int_equal(fake_of(next)->number, 1); /* the same slot */
    assert_ptr_not_equal(next, stale);
    assert_null(rpool_resource(stale));
    rpool_item *copy = stale;
    rpool_discard(&copy);
    copy = stale;
    assert_null(rpool_detach(&copy));
    assert_non_null(rpool_resource(next));
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 2);
    rpool_release(&next);
    close_pool(&pool);
}

/* I-04: a thousand leases of one slot, and no two handles are equal. */
static void
stale_handles_stay_refused_when_slot_is_leased_a_thousand_times(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *old[1000];
    for (int i = 0; i < 1000; i++) {
        rpool_item *item = fake_lease(pool);
        old[i] = item;
        for (int j = 0; j < i; j += 97)
            assert_ptr_not_equal(old[j], item);
        rpool_release(&item);
    }
    rpool_item *held = fake_lease(pool);
    for (int i = 0; i < 1000; i++) {
        assert_null(rpool_resource(old[i]));
        rpool_release(&old[i]);
    }
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 1000);
    assert_non_null(rpool_resource(held));
    rpool_release(&held);
    close_pool(&pool);
}

/* N16 N17 I-06 */
static void calls_are_refused_when_handle_is_a_random_word(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *held = fake_lease(pool);
    uint64_t word = 1;
    for (int i = 0; i < 10000; i++) {
        word = word * 6364136223846793005U + 1442695040888963407U;
        uint64_t tried = i % 3 == 0 ? word >> (i % 64) : word;
        if (i % 5 == 0) /* a handle of this pool, or nearly */
            tried = (uintptr_t)held ^ (uint64_t)1 << (i % 64);
        if (tried == (uintptr_t)held || tried == (uintptr_t)pool)
            continue;
        rpool_item *item = (rpool_item *)(uintptr_t)tried;
        assert_null(rpool_resource(item));
        assert_int_equal(rpool_number(item), 0);
        rpool_release(&item);
        assert_null(item);
        rpool *wrong = (rpool *)(uintptr_t)tried;
        rpool_status status = rpool_acquire(wrong, 0, &item, NULL);
        assert_true(status == RPOOL_INVALID || status == RPOOL_CLOSED);
        assert_true(rpool_suspend(wrong) != RPOOL_OK);
        assert_true(rpool_close(&wrong, 0) != RPOOL_OK || tried == 0);
    }
    assert_non_null(rpool_resource(held));
    assert_int_equal(fake_stats(pool).in_use, 1);
    assert_int_equal(fake->destroyed, 0);
    rpool_release(&held);
    close_pool(&pool);
}

/* I-05: a handle knows its pool, so its item cannot go to another. */
static void lease_returns_to_its_own_pool_when_two_pools_exist(void **state)
{
    struct fake *fake = *state;
    fake->provider.done = NULL; /* both pools use this provider */
    rpool *a = NULL, *b = NULL;
    assert_int_equal(rpool_open(&a, &fake->provider, fake, NULL, NULL),
                     RPOOL_OK);
    assert_int_equal(rpool_open(&b, &fake->provider, fake, NULL, NULL),
                     RPOOL_OK);
    rpool_item *lease_a = fake_lease(a), *lease_b = fake_lease(b);
    const struct fake_resource *of_a = fake_of(lease_a);
    rpool_release(&lease_a);
    assert_int_equal(fake_stats(a).idle, 1);
    assert_int_equal(fake_stats(b).in_use, 1);
    lease_a = fake_lease(a);
    assert_ptr_equal(fake_of(lease_a), of_a);
    rpool_release(&lease_b);
    assert_int_equal(fake_stats(b).idle, 1);
    assert_int_equal(fake_stats(a).in_use, 1);
    rpool_release(&lease_a);
    close_pool(&a);
    close_pool(&b);
}

/* F20: a cell is reused while old handles of it exist. */
static void
stale_handles_are_refused_when_their_cell_serves_another_pool(void **state)
{
    struct fake *fake = *state;
    rpool *old[50];
    rpool_item *stale[50];
    for (int i = 0; i < 50; i++) {
        rpool *pool = fake_open(fake, .max_size = 2);
        old[i] = pool;
        for (int j = 0; j < i; j++) {
            rpool_item *item = NULL;
            assert_ptr_not_equal(pool, old[j]);
            assert_int_equal(rpool_acquire(old[j], 0, &item, NULL),
                             RPOOL_CLOSED);
            assert_null(rpool_resource(stale[j]));
            item = stale[j];
            rpool_release(&item);
        }
        rpool_item *item = fake_lease(pool);
        stale[i] = item;
        for (int j = 0; j < i; j++) {
            rpool_item *copy = stale[j];
            rpool_discard(&copy);
        }
        assert_non_null(rpool_resource(item));
        assert_int_equal(fake_count(fake, RPOOL_EVENT_CLOSED), 0);
        rpool_release(&item);
        close_pool(&pool);
        assert_int_equal(fake->done, 1);
        fake->done = 0;
        fake->event_count = 0;
    }
}

static rpool *parents;
static rpool_item *parents_item;

/* Makes every call in the child.  Returns 0 if all were refused. */
static int call_all(void *arg)
{
    const struct fake *fake = arg;
    int calls = fake->creates + fake->checks + fake->resets + fake->destroyed;
    rpool *pool = parents;
    rpool_item *item = NULL;
    rpool_failure why;
    rpool_stats stats = {.size = sizeof stats};
    if (rpool_acquire(pool, -1, &item, &why) != RPOOL_FORKED || item != NULL)
        return 1;
    if (strstr(why.message, "before fork()") == NULL)
        return 2;
    if (rpool_try_acquire(pool, &item) != RPOOL_FORKED)
        return 3;
    if (rpool_wait(pool, -1, NULL) != RPOOL_FORKED ||
        rpool_resize(pool, 5, 5) != RPOOL_FORKED ||
        rpool_recycle(pool) != RPOOL_FORKED ||
        rpool_suspend(pool) != RPOOL_FORKED ||
        rpool_resume(pool) != RPOOL_FORKED ||
        rpool_stats_get(pool, &stats) != RPOOL_FORKED)
        return 4;
    if (rpool_resource(parents_item) != NULL || rpool_number(parents_item) != 0)
        return 5;
    item = parents_item;
    rpool_release(&item);
    item = parents_item;
    rpool_discard(&item);
    item = parents_item;
    if (rpool_detach(&item) != NULL || item != NULL)
        return 6;
    if (rpool_close(&pool, -1) != RPOOL_FORKED || pool != NULL)
        return 7;
    if (calls != fake->creates + fake->checks + fake->resets + fake->destroyed)
        return 8;
    return 0;
}

/* J01 */
static void every_call_returns_forked_when_child_uses_parents_pool(void **state)
{
    struct fake *fake = *state;
    parents = fake_open(fake, .max_size = 3);
    make_idle(parents, 2);
    parents_item = fake_lease(parents);
    assert_int_equal(sim_fork(call_all, fake), 0);
    /* J07: the parent's pool goes on. */
    assert_non_null(rpool_resource(parents_item));
    rpool_release(&parents_item);
    rpool_item *item = fake_lease(parents);
    rpool_release(&item);
    close_pool(&parents);
}

static void stir(void *arg)
{
    for (int i = 0; i < 3; i++) {
        rpool_item *item = NULL;
        if (rpool_acquire(arg, -1, &item, NULL) == RPOOL_OK)
            rpool_discard(&item);
    }
}

/* J04 J07: whatever the other threads do, also with the mutex held. */
static void child_is_never_blocked_when_parent_forks_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        parents = fake_open(&fake, .max_size = 3, .create_concurrency = 2);
        parents_item = fake_lease(parents);
        int id[3];
        for (int i = 0; i < 3; i++)
            id[i] = sim_spawn(stir, parents);
        for (uint64_t i = 0; i < seed; i++)
            sim_sleep_ms(0); /* a scheduling point */
        assert_int_equal(sim_fork(call_all, &fake), 0);
        for (int i = 0; i < 3; i++)
            sim_join(id[i]);
        rpool_release(&parents_item);
        close_pool(&parents);
        fake_end(&fake);
    }
}

static int open_in_child(void *arg)
{
    struct fake *fake = arg;
    fake->provider.done = NULL; /* it would count the parent's resource */
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    int same = pool == parents || fake_of(item) == NULL;
    rpool_release(&item);
    rpool_status status = rpool_close(&pool, -1);
    return same ? 1 : status == RPOOL_OK ? 0 : 2;
}

/* J08 */
static void child_can_open_a_pool_when_parent_has_one(void **state)
{
    struct fake *fake = *state;
    parents = fake_open(fake, .max_size = 1);
    make_idle(parents, 1);
    assert_int_equal(sim_fork(open_in_child, fake), 0);
    close_pool(&parents);
}

static void knock(void *arg)
{
    for (int i = 0; i < 30; i++) {
        rpool_item *item = NULL;
        if (rpool_acquire(arg, 0, &item, NULL) != RPOOL_CLOSED)
            sim_fail("a closed pool leases an item");
    }
}

/* J04 J08: a late caller uses a free cell, and holds its mutex during the fork.
 */
static void
child_can_open_a_pool_when_a_free_cell_was_locked_at_fork(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        parents = fake_open(&fake, .max_size = 1);
        rpool *stale = parents;
        close_pool(&parents);
        fake.event_count = 0;
        int id = sim_spawn(knock, stale);
        for (uint64_t i = 0; i < seed; i++)
            sim_sleep_ms(0); /* a scheduling point */
        assert_int_equal(sim_fork(open_in_child, &fake), 0);
        sim_join(id);
        fake_end(&fake);
    }
}

struct late {
    rpool *pool;
    int number; /* resource number of its second acquire; 0: none */
};

static void acquire_late(void *arg)
{
    struct late *late = arg;
    rpool_item *item = NULL;
    if (rpool_try_acquire(late->pool, &item) == RPOOL_OK)
        rpool_release(&item);
    if (rpool_try_acquire(late->pool, &item) == RPOOL_OK)
        late->number = fake_of(item)->number;
    rpool_release(&item);
}

/* The cell becomes another pool during the acquire, whose claim takes an item
 * of that pool. */
static void
acquire_takes_no_item_of_next_pool_when_its_own_was_closed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        fake.provider.done = NULL; /* both pools use this provider */
        rpool *next = NULL;
        struct late late = {.pool = fake_open(&fake, .max_size = 1)};
        rpool_item *item = fake_lease(late.pool);
        rpool_release(&item);
        sim_search(&(struct sim_search){.depth = 3, .steps = 800});
        int id = sim_spawn(acquire_late, &late);
        sim_yield();
        rpool *closing = late.pool;
        (void)rpool_close(&closing, -1);
        assert_int_equal(rpool_open(&next, &fake.provider, &fake,
                                    RPOOL_OPTIONS(.max_size = 1), NULL),
                         RPOOL_OK);
        item = fake_lease(next);
        rpool_release(&item);
        sim_join(id);
        assert_true(late.number < 2);
        assert_int_equal(fake_stats(next).in_use, 0);
        close_pool(&next);
        fake_end(&fake);
    }
}

/* There is memory for another pool, but no free cell. */
static void open_reports_the_limit_when_process_has_4095_pools(void **state)
{
    struct fake *fake = *state;
    static struct pool *shells[CELL_MASK + 1];
    int n = 0;
    while (rpool__cell_take(&shells[n], NULL) == RPOOL_OK)
        assert_true(++n <= CELL_MASK);
    assert_int_equal(n, CELL_MASK);

    rpool *pool = NULL;
    rpool_failure why = {0};
    assert_int_equal(rpool_open(&pool, &fake->provider, fake, NULL, &why),
                     RPOOL_BUSY);
    assert_null(pool);
    assert_non_null(strstr(why.message, "4095"));
    assert_non_null(strstr(why.message, "limit"));

    rpool__cell_free(shells[n - 1]);
    pool = fake_open(fake, .max_size = 1);
    close_pool(&pool);
    while (--n > 0)
        rpool__cell_free(shells[n - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(stale_handle_is_refused_when_its_slot_is_leased_again),
        FAKE_TEST(
            stale_handles_stay_refused_when_slot_is_leased_a_thousand_times),
        FAKE_TEST(calls_are_refused_when_handle_is_a_random_word),
        FAKE_TEST(lease_returns_to_its_own_pool_when_two_pools_exist),
        FAKE_TEST(
            stale_handles_are_refused_when_their_cell_serves_another_pool),
        FAKE_TEST(every_call_returns_forked_when_child_uses_parents_pool),
        cmocka_unit_test(
            child_is_never_blocked_when_parent_forks_at_any_moment),
        FAKE_TEST(child_can_open_a_pool_when_parent_has_one),
        cmocka_unit_test(
            child_can_open_a_pool_when_a_free_cell_was_locked_at_fork),
        cmocka_unit_test(
            acquire_takes_no_item_of_next_pool_when_its_own_was_closed),
        FAKE_TEST(open_reports_the_limit_when_process_has_4095_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
