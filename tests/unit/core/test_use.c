/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A lease in use belongs to the caller until the use ends.  Also what a
 * provider reports through the pool.
 */
#include "support_caller.h"

static void *begin_use(const rpool_item *item)
{
    void *resource = NULL;
    assert_int_equal(rpool_begin_use(item, &resource), RPOOL_OK);
    return resource;
}

static void lease_is_unchanged_when_a_use_ends(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(begin_use(item), rpool_resource(item));
        assert_int_not_equal(rpool_number(item), 0);
        rpool_end_use(item);
    }
    rpool_release(&item);
    assert_int_equal(fake->resets, 1);
    assert_int_equal(fake_stats(pool).idle, 1);
    assert_int_equal(fake_stats(pool).misused, 0);
    close_pool(&pool);
}

/* I-08 */
static void second_use_is_misuse_when_the_lease_is_in_use(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    void *resource = begin_use(item), *again = NULL;
    assert_int_equal(rpool_begin_use(item, &again), RPOOL_BUSY);
    assert_null(again);
    assert_int_equal(fake_last(fake, RPOOL_EVENT_MISUSE)->item,
                     rpool_number(item));
    rpool_end_use(item);
    assert_ptr_equal(begin_use(item), resource);
    rpool_end_use(item);
    assert_int_equal(fake_stats(pool).misused, 1);
    rpool_release(&item);
    close_pool(&pool);
}

/* Ways to end a lease by a thread that does not know that it is in use. */
static void by_release(rpool_item *item)
{
    rpool_release(&item);
}

static void by_discard(rpool_item *item)
{
    rpool_discard(&item);
}

static void by_detach(rpool_item *item)
{
    assert_null(rpool_detach(&item));
}

/* I-08 I-04 */
static void lease_ends_with_its_use_when_released_during_it(void **state)
{
    struct fake *fake = *state;
    void (*const ends[])(rpool_item *) = {by_release, by_discard, by_detach};
    rpool *pool = fake_open(fake, .max_size = 1);
    for (int i = 0; i < 3; i++) {
        rpool_item *item = fake_lease(pool);
        const struct fake_resource *resource = begin_use(item);
        ends[i](item);
        assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 2 * i + 1);
        /* the handle is stale for all threads */
        assert_null(rpool_resource(item));
        by_release(item); /* a second release is misuse */
        assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 2 * i + 2);
        assert_int_equal(fake_stats(pool).in_use, 1);
        assert_false(resource->gone);
        rpool_end_use(item);
        assert_int_equal(fake_count(fake, RPOOL_EVENT_RELEASED), i + 1);
        sim_settle();
        assert_int_equal(fake->destroyed, i + 1);
        assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RESET), i + 1);
    }
    assert_int_equal(fake->resets, 0);
    close_pool(&pool);
}

/* Without reset and listener, a release takes no lock. */
static void
lock_free_release_waits_for_the_use_when_lease_is_in_use(void **state)
{
    struct fake *fake = *state;
    fake->provider.reset = NULL;
    rpool *pool = NULL;
    assert_int_equal(rpool_open(&pool, &fake->provider, fake,
                                RPOOL_OPTIONS(.max_size = 1), NULL),
                     RPOOL_OK);
    rpool_item *item = fake_lease(pool);
    (void)begin_use(item);
    by_release(item);
    assert_int_equal(fake_stats(pool).in_use, 1);
    assert_int_equal(fake_stats(pool).misused, 1);
    rpool_end_use(item);
    sim_settle();
    assert_int_equal(fake->destroyed, 1);
    close_pool(&pool);
}

static void waiter_is_served_when_use_of_a_released_lease_ends(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    struct caller waiter = {.pool = pool, .timeout_ms = 1000};
    (void)begin_use(item);
    caller_start(&waiter);
    by_release(item);
    sim_sleep_ms(10);
    assert_int_equal(waiter.answered, 0);
    rpool_end_use(item);
    sim_settle();
    assert_int_equal(caller_status(&waiter), RPOOL_OK);
    assert_int_equal(waiter.resource, 2);
    close_pool(&pool);
}

/* A mark that is set during a use takes effect at the release. */
static void item_is_closed_at_release_when_recycled_during_a_use(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    (void)begin_use(item);
    assert_int_equal(rpool_recycle(pool), RPOOL_OK);
    rpool_end_use(item);
    assert_non_null(rpool_resource(item));
    rpool_release(&item);
    sim_settle();
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_RECYCLE), 1);
    close_pool(&pool);
}

/* F06 */
static void resource_is_kept_until_use_ends_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool);
    const struct fake_resource *resource = begin_use(item);
    assert_int_equal(rpool_close(&pool, 10), RPOOL_TIMEOUT);
    by_release(item);
    assert_false(resource->gone);
    assert_int_equal(fake->done, 0);
    rpool_end_use(item);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake->done, 1);
}

/* N01 N16 */
static void begin_use_is_refused_when_handle_is_not_leased(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool), *stale = item;
    void *resource = NULL;
    rpool_release(&item);
    assert_int_equal(rpool_begin_use(stale, &resource), RPOOL_INVALID);
    rpool_end_use(stale);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 1);
    item = fake_lease(pool);
    rpool_end_use(item); /* never begun */
    rpool_end_use(stale);
    assert_non_null(rpool_resource(item));
    assert_int_equal(rpool_begin_use(NULL, &resource), RPOOL_INVALID);
    assert_int_equal(rpool_begin_use(item, NULL), RPOOL_INVALID);
    rpool_end_use(NULL);
    rpool_release(&item);
    close_pool(&pool);
    assert_int_equal(rpool_begin_use(stale, &resource), RPOOL_INVALID);
    assert_null(resource);
}

struct looker {
    rpool_item *item;
    const void *of_item; /* its resource */
    int wrong;
};

static void look(void *arg)
{
    struct looker *l = arg;
    for (int i = 0; i < 5; i++) {
        const void *seen = rpool_resource(l->item);
        l->wrong += seen != NULL && seen != l->of_item;
    }
}

/* I-04: whenever the lease ends and the slot is leased again. */
static void
stale_handle_never_shows_the_resource_when_slot_is_leased_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.walk = 50, .depth = 4, .steps = 300});
        rpool *pool = fake_open(&fake, .max_size = 1);
        rpool_item *item = fake_lease(pool);
        struct looker l = {.item = item, .of_item = rpool_resource(item)};
        int id = sim_spawn(look, &l);
        rpool_discard(&item);
        item = fake_lease(pool);
        sim_join(id);
        assert_int_equal(l.wrong, 0);
        rpool_release(&item);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* ---- reports of a provider ---- */

static void close_it(void *arg)
{
    rpool *pool = *(rpool **)arg;
    assert_int_equal(rpool_close(arg, -1), RPOOL_BUSY);
    assert_ptr_equal(*(rpool **)arg, pool);
}

static void note(void *arg)
{
    *(int *)arg = 1;
}

/* F09 */
static void close_returns_busy_when_called_in_call_listener(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *item = fake_lease(pool), *none = NULL;
    rpool_call_listener(pool, close_it, &pool);
    assert_int_equal(rpool_acquire(pool, 0, &none, NULL), RPOOL_CLOSED);
    rpool_release(&item);
    close_pool(&pool); /* outside the listener this thread may wait */
    int told = 0;
    rpool_call_listener(NULL, NULL, NULL);
    rpool_call_listener(NULL, note, &told);
    assert_int_equal(told, 1);
}

static void misuse_is_counted_and_emitted_when_provider_reports_it(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1), *over = pool;
    rpool_report_misuse(pool, 7, "odd");
    const struct fake_event *event = fake_last(fake, RPOOL_EVENT_MISUSE);
    assert_int_equal(event->item, 7);
    assert_string_equal(event->message, "odd");
    assert_int_equal(fake_stats(pool).misused, 1);
    close_pool(&pool);
    rpool_report_misuse(over, 7, "odd");
    rpool_report_misuse(NULL, 7, "odd");
    assert_int_equal(fake_count(fake, RPOOL_EVENT_MISUSE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(lease_is_unchanged_when_a_use_ends),
        FAKE_TEST(second_use_is_misuse_when_the_lease_is_in_use),
        FAKE_TEST(lease_ends_with_its_use_when_released_during_it),
        FAKE_TEST(lock_free_release_waits_for_the_use_when_lease_is_in_use),
        FAKE_TEST(waiter_is_served_when_use_of_a_released_lease_ends),
        FAKE_TEST(item_is_closed_at_release_when_recycled_during_a_use),
        FAKE_TEST(resource_is_kept_until_use_ends_when_pool_is_closed),
        FAKE_TEST(begin_use_is_refused_when_handle_is_not_leased),
        cmocka_unit_test(
            stale_handle_never_shows_the_resource_when_slot_is_leased_again),
        FAKE_TEST(close_returns_busy_when_called_in_call_listener),
        FAKE_TEST(misuse_is_counted_and_emitted_when_provider_reports_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
