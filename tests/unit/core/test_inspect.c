/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* inspect.c: the statistics and their sums, the dump, and names. */
#include "support_caller.h"

#include <stdio.h>
#include <string.h>

static void check_sums(rpool_stats s)
{
    assert_int_equal(s.idle + s.in_use + s.checking + s.creating + s.closing,
                     s.total);
    assert_in_range(s.total, 0, s.max_size);
    uint64_t by_reason = 0;
    for (int i = 0; i < RPOOL_REASON_COUNT; i++)
        by_reason += s.closed_by[i];
    assert_int_equal(by_reason, s.closed);
    assert_int_equal(s.closed_by[RPOOL_REASON_NONE], 0);
}

/* U01: no thread is inside a transition, so all sums hold. */
static void check_rest(const struct fake *fake, rpool_stats s)
{
    check_sums(s);
    assert_int_equal(s.created - s.closed - s.detached, s.total - s.creating);
    assert_int_equal(s.created, fake->created);
    assert_int_equal(s.closed, fake->destroyed);
    assert_int_equal(s.acquired - (uint64_t)s.in_use,
                     fake_count(fake, RPOOL_EVENT_RELEASED) +
                         fake_count(fake, RPOOL_EVENT_DETACHED));
}

/* U02 I1 I12 */
static void
statistics_count_each_lease_creation_and_refusal_when_they_happen(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 3, .max_waiters = 1);
    rpool_item *item[3], *none = NULL;
    for (int i = 0; i < 3; i++)
        item[i] = fake_lease(pool);
    check_rest(fake, fake_stats(pool));
    assert_int_equal(fake_stats(pool).in_use, 3);
    struct caller c = {.pool = pool, .timeout_ms = 40};
    caller_start(&c);
    assert_int_equal(fake_stats(pool).waiting, 1);
    assert_int_equal(rpool_acquire(pool, 10, &none, NULL), RPOOL_BUSY);
    sim_advance_ms(40);
    rpool_release(&item[0]);
    rpool_discard(&item[1]);
    fake_take(rpool_detach(&item[2]));
    sim_settle();
    check_rest(fake, fake_stats(pool));
    fake->create = (struct fake_step){.result = FAKE_TRANSIENT, .times = 1};
    item[0] = fake_lease(pool);
    item[1] = fake_lease(pool);
    rpool_release(&item[0]);
    rpool_release(&item[1]);
    rpool_stats s = fake_stats(pool);
    check_rest(fake, s);
    assert_int_equal(s.idle, 2);
    assert_int_equal(s.acquired, 5);
    assert_int_equal(s.waited, 5); /* one of six: its item was idle */
    assert_int_equal(s.timed_out, 1);
    assert_int_equal(s.refused, 1);
    assert_int_equal(s.created, 4);
    assert_int_equal(s.create_failed, 1);
    assert_int_equal(s.detached, 1);
    assert_int_equal(s.closed_by[RPOOL_REASON_DISCARD], 1);
    assert_true(s.wait_us >= 40000);
    close_pool(&pool);
}

/* U03 */
static void
timed_out_is_counted_once_when_acquire_gives_up_at_any_stage(void **state)
{
    struct fake *fake = *state;
    fake->create.ms = 100;
    rpool *pool = fake_open(fake, .max_size = 1);
    rpool_item *none = NULL;
    assert_int_equal(rpool_try_acquire(pool, &none), RPOOL_BUSY);
    assert_int_equal(fake_stats(pool).timed_out, 0);
    assert_int_equal(rpool_acquire(pool, 20, &none, NULL), RPOOL_TIMEOUT);
    sim_advance_ms(100);
    rpool_item *held = fake_lease(pool);
    assert_int_equal(rpool_acquire(pool, 20, &none, NULL), RPOOL_TIMEOUT);
    rpool_release(&held);
    sim_advance_ms(1000);
    fake->check = (struct fake_step){.ms = 50, .times = 1};
    assert_int_equal(rpool_acquire(pool, 20, &none, NULL), RPOOL_TIMEOUT);
    rpool_stats s = fake_stats(pool);
    assert_int_equal(s.timed_out, 3);
    assert_int_equal(s.refused, 0);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_TIMED_OUT), 3);
    assert_int_equal(s.acquired, 1);
    close_pool(&pool);
}

struct looker {
    rpool *pool;
    int stop;
    rpool_stats last;
};

static void look(void *arg)
{
    struct looker *l = arg;
    l->last = fake_stats(l->pool);
    while (!l->stop) {
        rpool_stats s = fake_stats(l->pool);
        int sum = s.idle + s.in_use + s.checking + s.creating + s.closing;
        if (sum != s.total || s.total > s.max_size)
            sim_fail("%d of %d, in all %d", sum, s.max_size, s.total);
        if (s.created < l->last.created || s.acquired < l->last.acquired ||
            s.closed < l->last.closed || s.waited < l->last.waited)
            sim_fail("a counter went back");
        l->last = s;
        sim_sleep_ms(1);
    }
}

/* U01 */
static void statistics_add_up_when_read_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        rpool *pool = fake_open(&fake, .max_size = 3, .max_uses = 2);
        struct looker l = {.pool = pool};
        int id = sim_spawn(look, &l);
        struct caller c[20];
        for (int i = 0; i < 20; i++) {
            c[i] = (struct caller){.pool = pool,
                                   .start_ms = i / 4,
                                   .timeout_ms = 3,
                                   .hold_ms = i % 3};
            caller_spawn(&c[i]);
        }
        for (int i = 0; i < 20; i++)
            sim_join(c[i].id);
        l.stop = 1;
        sim_join(id);
        sim_sleep_ms(1);
        check_rest(&fake, fake_stats(pool));
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* N05 N01 */
static void
statistics_fill_only_known_fields_when_callers_struct_differs(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 7);
    rpool_stats s = {.size = 0};
    assert_int_equal(rpool_stats_get(pool, &s), RPOOL_INVALID);
    s.size = 4097;
    assert_int_equal(rpool_stats_get(pool, &s), RPOOL_INVALID);
    assert_int_equal(rpool_stats_get(pool, NULL), RPOOL_INVALID);
    memset(&s, 0x55, sizeof s);
    s.size = offsetof(rpool_stats, acquired); /* of an older header */
    assert_int_equal(rpool_stats_get(pool, &s), RPOOL_OK);
    assert_int_equal(s.max_size, 7);
    assert_int_equal(s.size, offsetof(rpool_stats, acquired));
    assert_int_equal(s.acquired, 0x5555555555555555U);
    s.size = sizeof s;
    assert_int_equal(rpool_stats_get(NULL, &s), RPOOL_INVALID);
    struct {
        rpool_stats known;
        uint64_t more;
    } newer = {.known = {.size = sizeof newer}, .more = 7};
    assert_int_equal(rpool_stats_get(pool, &newer.known), RPOOL_OK);
    assert_int_equal(newer.known.size, sizeof newer);
    assert_int_equal(newer.known.max_size, 7);
    /* the library does not write unknown fields */
    assert_int_equal(newer.more, 7);
    close_pool(&pool);
}

static char dumped[20][512];
static int lines;

static void keep_line(void *arg, const char *text)
{
    assert_ptr_equal(arg, dumped);
    assert_true(lines < 20);
    (void)snprintf(dumped[lines++], sizeof dumped[0], "%s", text);
}

/* N18 I-14 */
static void dump_shows_state_and_call_site_when_items_are_leased(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .name = "100%s%n");
    rpool_item *a = fake_lease(pool), *b = NULL;
    assert_int_equal(rpool_acquire_at(pool, -1, &b, NULL, NULL), RPOOL_OK);
    make_idle(pool, 1);
    sim_advance_ms(2500);
    fake->create.ms = 100;
    rpool_item *c = fake_lease(pool), *none = NULL;
    assert_int_equal(rpool_acquire(pool, 10, &none, NULL), RPOOL_TIMEOUT);
    lines = 0;
    rpool_dump(pool, keep_line, dumped);
    assert_int_equal(lines, 5);
    assert_string_equal(
        dumped[0], "pool \"100%s%n\": 4 of 4: 0 idle, 3 leased, 0 checking, "
                   "1 creating, 0 closing; 0 waiting");
    char expected[200];
    (void)snprintf(expected, sizeof expected,
                   "slot 0: leased, item %llu, for 2508 ms",
                   (unsigned long long)rpool_number(a));
    assert_memory_equal(dumped[1], expected, strlen(expected));
    assert_non_null(strstr(dumped[1], "support_fake.c:"));
    assert_non_null(strstr(dumped[1], ", acquired in fake_lease at "));
    assert_null(strstr(dumped[2], "acquired"));
    assert_string_equal(dumped[4], "slot 3: creating");
    rpool_release(&a);
    rpool_release(&b);
    rpool_release(&c);
    sim_advance_ms(200);
    lines = 0;
    rpool_dump(pool, keep_line, dumped);
    assert_int_equal(lines, 5);
    assert_non_null(strstr(dumped[1], "slot 0: idle, item "));
    assert_non_null(strstr(dumped[1], ", for 200 ms"));
    rpool_dump(pool, NULL, NULL);
    rpool_dump(NULL, keep_line, dumped);
    rpool *copy = pool;
    close_pool(&pool);
    rpool_dump(copy, keep_line, dumped);
    assert_int_equal(lines, 5);
}

static void
names_are_returned_when_status_event_or_reason_is_known(void **state)
{
    (void)state;
    assert_string_equal(rpool_status_name(RPOOL_OK), "RPOOL_OK");
    assert_string_equal(rpool_status_name(RPOOL_FORKED), "RPOOL_FORKED");
    assert_string_equal(rpool_strerror(RPOOL_TIMEOUT), "deadline passed");
    assert_string_equal(rpool_event_name(RPOOL_EVENT_CREATED), "CREATED");
    assert_string_equal(rpool_event_name(RPOOL_EVENT_FREED), "FREED");
    assert_string_equal(rpool_reason_text(RPOOL_REASON_NONE), "");
    assert_string_equal(rpool_reason_text(RPOOL_REASON_HANGUP),
                        "closed by the peer");
    const int wrong[] = {-1, 99, 1 << 30};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(rpool_status_name((rpool_status)wrong[i]), "?");
        assert_string_equal(rpool_strerror((rpool_status)wrong[i]), "?");
        assert_string_equal(rpool_event_name((rpool_event_type)wrong[i]), "?");
        assert_string_equal(rpool_reason_text((rpool_reason)wrong[i]), "?");
    }
}

/* A caller whose ping failed waited in the queue for the new item. */
static void acquire_counts_as_waited_when_its_ping_failed(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1);
    make_idle(pool, 1);
    rpool_stats before = fake_stats(pool);
    sim_advance_ms(600);
    fake->check = (struct fake_step){.result = RPOOL_BAD, .times = 1};
    fake->create.ms = 300;
    rpool_item *item = fake_lease(pool);
    rpool_stats after = fake_stats(pool);
    assert_int_equal(after.waited - before.waited, 1);
    assert_int_equal(after.wait_us - before.wait_us, 300000);
    rpool_release(&item);
    close_pool(&pool);
}

static void expect_no_negative_time(void *arg, const char *line)
{
    (void)arg;
    assert_null(strstr(line, "for -"));
}

/* The coarse clock is behind the clock that stamps a new item. */
static void dump_shows_no_negative_time_when_item_is_new(void **state)
{
    struct fake *fake = *state;
    for (int i = 0; i < 8; i++) {
        rpool *pool = fake_open(fake, .max_size = 1, .min_size = 1);
        sim_settle();
        rpool_dump(pool, expect_no_negative_time, NULL);
        close_pool(&pool);
        fake->event_count = fake->done = 0;
        sim_advance_ms(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(
            statistics_count_each_lease_creation_and_refusal_when_they_happen),
        FAKE_TEST(timed_out_is_counted_once_when_acquire_gives_up_at_any_stage),
        cmocka_unit_test(statistics_add_up_when_read_at_any_moment),
        FAKE_TEST(
            statistics_fill_only_known_fields_when_callers_struct_differs),
        FAKE_TEST(dump_shows_state_and_call_site_when_items_are_leased),
        cmocka_unit_test(
            names_are_returned_when_status_event_or_reason_is_known),
        FAKE_TEST(acquire_counts_as_waited_when_its_ping_failed),
        FAKE_TEST(dump_shows_no_negative_time_when_item_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
