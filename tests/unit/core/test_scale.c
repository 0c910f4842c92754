/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The cost of a pool with 10,000 slots and 1,000 waiters.  The cost is the
 * number of operations on ordered atomics: a slot that is scanned costs at
 * least one.
 */
#include "support_caller.h"

#include <stdlib.h>

enum { SMALL = 100, LARGE = 10000, WAITERS = 1000 };

/* A full pool of that size, whose items do not expire. */
struct scale {
    struct fake fake;
    rpool *pool;
    int size;
    rpool_item **items;
};

static void open_scale(struct scale *s, int size)
{
    *s = (struct scale){.size = size};
    fake_begin(&s->fake, SIM_FIFO);
    s->items = calloc((size_t)size, sizeof *s->items);
    assert_non_null(s->items);
    s->pool = fake_open_with(&s->fake,
                             RPOOL_OPTIONS(.max_size = size, .min_size = size,
                                           .create_concurrency = 8,
                                           .idle_timeout_ms = RPOOL_NEVER,
                                           .max_lifetime_ms = RPOOL_NEVER));
    assert_int_equal(rpool_wait(s->pool, -1, NULL), RPOOL_OK);
}

static void close_scale(struct scale *s)
{
    close_pool(&s->pool);
    free(s->items);
    fake_end(&s->fake);
}

static void lease_all(struct scale *s)
{
    for (int i = 0; i < s->size; i++)
        s->items[i] = fake_lease(s->pool);
}

static void release_all(struct scale *s)
{
    for (int i = 0; i < s->size; i++)
        rpool_release(&s->items[i]);
    sim_settle();
}

/* ---- linear in total ---- */

static uint64_t fill(int size)
{
    struct scale s;
    open_scale(&s, size);
    uint64_t atoms = sim_counts().atoms;
    close_scale(&s);
    return atoms;
}

/* All releases come after the close has begun. */
static uint64_t close_leased(int size)
{
    struct scale s;
    open_scale(&s, size);
    lease_all(&s);
    rpool *pool = s.pool;
    assert_int_equal(rpool_close(&pool, 0), RPOOL_TIMEOUT);
    uint64_t before = sim_counts().atoms;
    release_all(&s);
    uint64_t atoms = sim_counts().atoms - before;
    assert_int_equal(s.fake.destroyed, size);
    free(s.items);
    fake_end(&s.fake);
    return atoms;
}

/* All releases come after the pool was resized to one item. */
static uint64_t shrink_leased(int size)
{
    struct scale s;
    open_scale(&s, size);
    lease_all(&s);
    assert_int_equal(rpool_resize(s.pool, 1, 0), RPOOL_OK);
    uint64_t before = sim_counts().atoms;
    release_all(&s);
    uint64_t atoms = sim_counts().atoms - before;
    assert_int_equal(fake_stats(s.pool).total, 1);
    close_scale(&s);
    return atoms;
}

/* The second round of keepalives, each due a millisecond after the last. */
static uint64_t keep_alive(int size)
{
    struct fake fake;
    fake_begin(&fake, SIM_FIFO);
    fake.check.ms = 1;
    rpool *pool = fake_open_with(
        &fake, RPOOL_OPTIONS(.max_size = size, .min_size = size,
                             .create_concurrency = 8, .keepalive_ms = 20000,
                             .idle_timeout_ms = RPOOL_NEVER,
                             .max_lifetime_ms = RPOOL_NEVER));
    assert_int_equal(rpool_wait(pool, -1, NULL), RPOOL_OK);
    sim_advance_ms(35000);
    assert_int_equal(fake.checks, size);
    uint64_t before = sim_counts().atoms;
    sim_advance_ms(20000);
    assert_int_equal(fake.checks, 2 * size);
    uint64_t atoms = sim_counts().atoms - before;
    close_pool(&pool);
    fake_end(&fake);
    return atoms;
}

/* An item of the large pool costs at most a tenth more than an item of the
 * small pool, and a look at each of its 157 hint words. */
static void expect_linear(uint64_t (*cost)(int size), int hints)
{
    double small = (double)cost(SMALL) / SMALL;
    double large = (double)cost(LARGE) / LARGE;
    print_message("for each item of %d: %.1f, of %d: %.1f\n", SMALL, small,
                  LARGE, large);
    assert_true(large < small * 1.1 + hints);
}

static void fill_cost_is_linear_when_pool_is_large(void **state)
{
    (void)state;
    expect_linear(fill, 0);
}

static void release_cost_is_linear_when_pool_was_closed_before(void **state)
{
    (void)state;
    expect_linear(close_leased, 157);
}

static void release_cost_is_linear_when_pool_was_shrunk_before(void **state)
{
    (void)state;
    expect_linear(shrink_leased, 157);
}

/* A scan of all slots costs more in a large pool, but is made more rarely. */
static void keepalives_share_slot_scans_when_pool_is_large(void **state)
{
    (void)state;
    uint64_t atoms = keep_alive(LARGE) / LARGE;
    print_message("for each keepalive of %d: %d\n", LARGE, (int)atoms);
    assert_in_range(atoms, 1, LARGE / 16);
}

/* ---- holds of the mutex ---- */

/* Enough for 64 slots or waiters, some operations for each, and the hint words.
 */
enum { MOST_HELD = 2000 };

static void expect_short(const char *call)
{
    print_message("%s: at most %d under one hold\n", call,
                  (int)sim_counts().held);
    assert_in_range(sim_counts().held, 1, MOST_HELD);
    sim_forget_holds();
}

static void mutex_is_held_briefly_when_all_items_are_idle(void **state)
{
    (void)state;
    struct scale s;
    open_scale(&s, LARGE);
    expect_short("fill");
    assert_int_equal(fake_stats(s.pool).idle, LARGE);
    expect_short("stats");
    assert_int_equal(rpool_recycle(s.pool), RPOOL_OK);
    assert_int_equal(rpool_wait(s.pool, -1, NULL), RPOOL_OK);
    assert_int_equal(s.fake.destroyed, LARGE);
    expect_short("recycle");
    assert_int_equal(rpool_resize(s.pool, 1, 1), RPOOL_OK);
    sim_settle();
    assert_int_equal(fake_stats(s.pool).total, 1);
    expect_short("resize to 1");
    assert_int_equal(rpool_resize(s.pool, LARGE, LARGE), RPOOL_OK);
    assert_int_equal(rpool_wait(s.pool, -1, NULL), RPOOL_OK);
    expect_short("resize to 10,000");
    close_scale(&s);
    expect_short("close");
}

/* The slots' idle hints are set, although no slot is idle. */
static void mutex_is_held_briefly_when_all_items_are_leased(void **state)
{
    (void)state;
    struct scale s;
    open_scale(&s, LARGE);
    lease_all(&s);
    sim_forget_holds();
    rpool_item *more = NULL;
    rpool_failure why;
    assert_int_equal(rpool_acquire(s.pool, 0, &more, &why), RPOOL_BUSY);
    expect_short("try");
    assert_int_equal(rpool_acquire(s.pool, 1, &more, &why), RPOOL_TIMEOUT);
    expect_short("acquire");
    assert_int_equal(rpool_recycle(s.pool), RPOOL_OK);
    expect_short("recycle");
    release_all(&s);
    assert_int_equal(s.fake.destroyed, LARGE);
    expect_short("release");
    close_scale(&s);
}

static struct caller *start_waiters(rpool *pool)
{
    struct caller *callers = calloc(WAITERS, sizeof *callers);
    assert_non_null(callers);
    for (int i = 0; i < WAITERS; i++) {
        callers[i] = (struct caller){.pool = pool, .timeout_ms = 60000};
        caller_spawn(&callers[i]);
    }
    sim_settle();
    assert_int_equal(fake_stats(pool).waiting, WAITERS);
    return callers;
}

static void expect_answers(struct caller *callers, rpool_status status)
{
    for (int i = 0; i < WAITERS; i++) {
        sim_join(callers[i].id);
        assert_int_equal(caller_status(&callers[i]), status);
    }
    free(callers);
}

static void
resume_serves_all_with_short_holds_when_a_thousand_callers_wait(void **state)
{
    (void)state;
    struct scale s;
    open_scale(&s, LARGE);
    assert_int_equal(rpool_suspend(s.pool), RPOOL_OK);
    struct caller *callers = start_waiters(s.pool);
    sim_forget_holds();
    assert_int_equal(rpool_resume(s.pool), RPOOL_OK);
    expect_answers(callers, RPOOL_OK);
    expect_short("resume");
    close_scale(&s);
}

static void resume_holds_mutex_briefly_when_most_items_have_left(void **state)
{
    (void)state;
    struct scale s;
    open_scale(&s, LARGE);
    rpool_item *only = fake_lease(s.pool);
    assert_int_equal(rpool_resize(s.pool, LARGE, 0), RPOOL_OK);
    assert_int_equal(rpool_recycle(s.pool), RPOOL_OK);
    sim_settle();
    assert_int_equal(rpool_suspend(s.pool), RPOOL_OK);
    struct caller caller = {.pool = s.pool, .timeout_ms = 60000};
    caller_start(&caller);
    sim_forget_holds();
    assert_int_equal(rpool_resume(s.pool), RPOOL_OK);
    expect_short("resume");
    rpool_release(&only);
    sim_join(caller.id);
    close_scale(&s);
}

static void
close_answers_all_with_short_holds_when_a_thousand_callers_wait(void **state)
{
    (void)state;
    struct scale s;
    open_scale(&s, LARGE);
    assert_int_equal(rpool_suspend(s.pool), RPOOL_OK);
    struct caller *callers = start_waiters(s.pool);
    sim_forget_holds();
    close_pool(&s.pool);
    expect_answers(callers, RPOOL_CLOSED);
    expect_short("close");
    free(s.items);
    fake_end(&s.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_cost_is_linear_when_pool_is_large),
        cmocka_unit_test(release_cost_is_linear_when_pool_was_closed_before),
        cmocka_unit_test(release_cost_is_linear_when_pool_was_shrunk_before),
        cmocka_unit_test(keepalives_share_slot_scans_when_pool_is_large),
        cmocka_unit_test(mutex_is_held_briefly_when_all_items_are_idle),
        cmocka_unit_test(mutex_is_held_briefly_when_all_items_are_leased),
        cmocka_unit_test(
            resume_serves_all_with_short_holds_when_a_thousand_callers_wait),
        cmocka_unit_test(resume_holds_mutex_briefly_when_most_items_have_left),
        cmocka_unit_test(
            close_answers_all_with_short_holds_when_a_thousand_callers_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
