/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Opening: invalid arguments, failing system calls, and rpool_wait(). */
#include "support_caller.h"

#include <limits.h>
#include <string.h>

static void refuse(const rpool_provider *provider, const rpool_options *options,
                   const char *named)
{
    static int untouched;
    rpool *pool = (rpool *)(void *)&untouched;
    rpool_failure why = {0};
    assert_int_equal(rpool_open(&pool, provider, NULL, options, &why),
                     RPOOL_INVALID);
    assert_null(pool);
    if (strstr(why.message, named) == NULL)
        fail_msg("\"%s\" does not name %s", why.message, named);
    assert_int_equal(rpool_open(&pool, provider, NULL, options, NULL),
                     RPOOL_INVALID);
}

/* N02 N03 */
static void open_is_refused_when_an_option_is_invalid(void **state)
{
    struct fake *fake = *state;
    const rpool_provider *p = &fake->provider;
    refuse(p, RPOOL_OPTIONS(.max_size = -1), "max_size");
    refuse(p, RPOOL_OPTIONS(.max_size = 10001), "max_size");
    refuse(p, RPOOL_OPTIONS(.max_size = INT_MAX), "max_size");
    refuse(p, RPOOL_OPTIONS(.max_size = INT_MIN), "max_size");
    refuse(p, RPOOL_OPTIONS(.min_size = -1), "min_size");
    refuse(p, RPOOL_OPTIONS(.min_size = 11), "min_size");
    refuse(p, RPOOL_OPTIONS(.max_size = 2, .min_size = 4), "min_size");
    refuse(p, RPOOL_OPTIONS(.create_concurrency = -1), "create_concurrency");
    refuse(p, RPOOL_OPTIONS(.create_concurrency = 65), "create_concurrency");
    refuse(p, RPOOL_OPTIONS(.max_waiters = -2), "below");
    refuse(p, RPOOL_OPTIONS(.create_timeout_ms = -2), "below");
    refuse(p, RPOOL_OPTIONS(.idle_timeout_ms = -2), "below");
    refuse(p, RPOOL_OPTIONS(.max_lifetime_ms = INT_MIN), "below");
    refuse(p, RPOOL_OPTIONS(.max_uses = -2), "below");
    refuse(p, RPOOL_OPTIONS(.check_after_ms = -2), "below");
    refuse(p, RPOOL_OPTIONS(.keepalive_ms = -2), "below");
    refuse(p, RPOOL_OPTIONS(.leak_after_ms = -2), "below");
    refuse(p, RPOOL_OPTIONS(.create_retry_max_ms = -1), "create_retry_max_ms");
}

/* N01 N05 */
static void open_is_refused_when_provider_or_callback_is_missing(void **state)
{
    struct fake *fake = *state;
    rpool_provider p = fake->provider;
    refuse(NULL, NULL, "provider");
    p.create = NULL;
    refuse(&p, NULL, "provider");
    p = fake->provider;
    p.destroy = NULL;
    refuse(&p, NULL, "provider");
    p = fake->provider;
    rpool_failure why;
    assert_int_equal(rpool_open(NULL, &fake->provider, fake, NULL, &why),
                     RPOOL_INVALID);
    assert_non_null(strstr(why.message, "pool"));
    assert_int_equal(fake->done, 0);
}

/* The struct of a caller with a newer header. */
struct newer_provider {
    rpool_provider known;
    uint64_t more;
};
struct newer_options {
    rpool_options known;
    uint64_t more;
};

/* N05 */
static void open_is_refused_when_struct_size_is_invalid(void **state)
{
    struct fake *fake = *state;
    static const size_t sizes[] = {0, 8, sizeof(rpool_options) + 4, 4104,
                                   SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rpool_provider p = fake->provider;
        p.size = sizes[i];
        refuse(&p, NULL, "rpool_provider has an invalid size");
        rpool_options o = {.size = sizes[i], .max_size = 1};
        refuse(&fake->provider, &o, "rpool_options has an invalid size");
    }
    rpool_provider p = fake->provider;
    p.size = offsetof(rpool_provider, destroy);
    refuse(&p, NULL, "rpool_provider has an invalid size");
}

/* N05 */
static void open_succeeds_when_structs_are_older_and_smaller(void **state)
{
    struct fake *fake = *state;
    rpool_provider p = fake->provider;
    p.size = offsetof(rpool_provider, check);
    rpool_options o = {.size = offsetof(rpool_options, max_waiters),
                       .max_size = 3,
                       /* after the end of the caller's struct */
                       .max_waiters = -2,
                       .check_always = 1};
    rpool *pool = NULL;
    assert_int_equal(rpool_open(&pool, &p, fake, &o, NULL), RPOOL_OK);
    assert_int_equal(fake_stats(pool).max_size, 3);

    for (int i = 0; i < 2; i++) {
        rpool_item *item = NULL;
        assert_int_equal(rpool_acquire(pool, -1, &item, NULL), RPOOL_OK);
        rpool_release(&item);
    }
    assert_int_equal(fake->checks, 0);
    assert_int_equal(fake->resets, 0);
    close_pool(&pool);
    assert_int_equal(fake->done, 0);
}

/* N05 */
static void
open_succeeds_when_structs_are_larger_and_unknown_fields_are_zero(void **state)
{
    struct fake *fake = *state;
    struct newer_provider p = {.known = fake->provider};
    p.known.size = sizeof p;
    struct newer_options o = {.known = {.size = sizeof o, .max_size = 3}};
    rpool *pool = NULL;
    assert_int_equal(rpool_open(&pool, &p.known, fake, &o.known, NULL),
                     RPOOL_OK);
    assert_int_equal(fake_stats(pool).max_size, 3);
    close_pool(&pool);
}

/* N05 */
static void open_is_refused_when_larger_structs_set_unknown_fields(void **state)
{
    struct fake *fake = *state;
    struct newer_provider p = {.known = fake->provider, .more = 1};
    p.known.size = sizeof p;
    refuse(&p.known, NULL, "rpool_provider has a field set");
    struct newer_options o = {.known = {.size = sizeof o}, .more = 1};
    refuse(&fake->provider, &o.known, "rpool_options has a field set");
}

static void close_and_forget(struct fake *fake, rpool **pool)
{
    close_pool(pool);
    fake->done = 0;
    fake->event_count = 0;
}

/* Lets the nth call fail in open, for every n.  Returns how often open failed.
 */
static int fail_each(struct fake *fake, enum sim_call call,
                     rpool_status expected)
{
    int threads = sim_thread("").live, fds = sim_fds_open();
    for (int n = 1;; n++) {
        rpool *pool = NULL;
        rpool_failure why = {0};
        sim_break(call, n, 1);
        rpool_status status = rpool_open(
            &pool, &fake->provider, fake,
            RPOOL_OPTIONS(.on_event = fake_on_event, .arg = fake), &why);
        sim_break(call, 1, 0);
        if (status == RPOOL_OK) {
            close_and_forget(fake, &pool);
            return n - 1;
        }
        assert_int_equal(status, expected);
        assert_null(pool);
        assert_true(why.message[0] != '\0');
        assert_int_equal(sim_thread("").live, threads);
        assert_int_equal(sim_fds_open(), fds);
        assert_int_equal(fake->done, 0);
        assert_int_equal(fake->event_count, 0);
    }
}

/* L03 L04 */
static void open_leaves_nothing_when_a_system_call_fails(void **state)
{
    struct fake *fake = *state;
    assert_int_equal(fail_each(fake, SIM_AT_FORK, RPOOL_SYSTEM), 1);
    assert_int_equal(fail_each(fake, SIM_WATCH_OPEN, RPOOL_SYSTEM), 1);
    assert_int_equal(fail_each(fake, SIM_STOP_OPEN, RPOOL_SYSTEM), 1);
    assert_int_equal(fail_each(fake, SIM_THREAD_START, RPOOL_SYSTEM), 2);
    /* A second pool needs another cell. */
    rpool *first = fake_open(fake, .max_size = 1);
    assert_int_equal(fail_each(fake, SIM_LOCK_INIT, RPOOL_NOMEM), 1);
    rpool *second = fake_open(fake, .max_size = 1);
    assert_int_equal(fail_each(fake, SIM_COND_INIT, RPOOL_NOMEM), 2);
    close_and_forget(fake, &first);
    close_and_forget(fake, &second);
}

/* N02: none means none, and all of them have a default. */
static void open_uses_defaults_when_options_are_null(void **state)
{
    struct fake *fake = *state;
    rpool *pool = NULL;
    rpool_failure why = {.message = "old"};
    assert_int_equal(rpool_open(&pool, &fake->provider, fake, NULL, &why),
                     RPOOL_OK);
    assert_string_equal(why.message, "");
    assert_int_equal(fake_stats(pool).max_size, 10);
    sim_settle();
    assert_int_equal(fake->creates, 0);
    close_pool(&pool);
    assert_null(pool);
    assert_int_equal(fake->done, 1);
}

/* B18 */
static void wait_returns_when_min_size_items_exist(void **state)
{
    struct fake *fake = *state;
    fake->create.ms = 100;
    rpool *pool = fake_open(fake, .max_size = 8, .min_size = 3);
    assert_int_equal(sim_now_ms(), 0); /* open does not wait */
    rpool_failure why;
    assert_int_equal(rpool_wait(pool, 50, &why), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms(), 50);
    assert_string_equal(why.message,
                        "pool \"rpool\": 0 of min_size 3 items are ready: "
                        "2 of 8 items exist (2 being created); 0 waiting");
    assert_int_equal(rpool_wait(pool, 1000, &why), RPOOL_OK);
    assert_int_equal(sim_now_ms(), 200);
    assert_int_equal(fake_stats(pool).idle, 3);
    rpool_item *item = fake_lease(pool); /* a leased item counts */
    assert_int_equal(rpool_wait(pool, 0, NULL), RPOOL_OK);
    rpool_release(&item);
    close_pool(&pool);
}

/* B18 */
static void wait_times_out_when_no_creation_succeeds(void **state)
{
    struct fake *fake = *state;
    fake->create.result = FAKE_TRANSIENT;
    rpool *pool = fake_open(fake, .max_size = 2, .min_size = 1);
    rpool_failure why;
    assert_int_equal(rpool_wait(pool, 3000, &why), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms(), 3000);
    assert_non_null(strstr(why.message, "fake transient failure"));
    close_pool(&pool);
    assert_int_equal(sim_now_ms(), 3000);
    assert_int_equal(fake->done, 1);
}

/* B20 */
static void wait_fails_when_creation_fails_permanently(void **state)
{
    struct fake *fake = *state;
    fake->create = (struct fake_step){.result = FAKE_PERMANENT, .ms = 20};
    rpool *pool = fake_open(fake, .max_size = 2, .min_size = 1);
    rpool_failure why;
    assert_int_equal(rpool_wait(pool, -1, &why), RPOOL_CREATE);
    assert_int_equal(sim_now_ms(), 20);
    assert_true(why.permanent);
    assert_string_equal(why.code, "28P01");
    close_pool(&pool);
}

struct waiting {
    rpool *pool;
    rpool_status status;
    int64_t at_ms;
};

static void wait_long(void *arg)
{
    struct waiting *w = arg;
    w->status = rpool_wait(w->pool, -1, NULL);
    w->at_ms = sim_now_ms();
}

/* F04 */
static void wait_returns_closed_when_pool_is_closed(void **state)
{
    struct fake *fake = *state;
    fake->create.ms = 1000;
    rpool *pool = fake_open(fake, .max_size = 2, .min_size = 1);
    struct waiting w = {.pool = pool};
    int id = sim_spawn(wait_long, &w);
    sim_advance_ms(10);
    close_pool(&pool);
    sim_join(id);
    assert_int_equal(w.status, RPOOL_CLOSED);
    assert_int_equal(w.at_ms, 10);
    assert_int_equal(rpool_wait(NULL, 0, NULL), RPOOL_INVALID);
    assert_int_equal(rpool_wait(w.pool, 0, NULL), RPOOL_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(open_is_refused_when_an_option_is_invalid),
        FAKE_TEST(open_is_refused_when_provider_or_callback_is_missing),
        FAKE_TEST(open_leaves_nothing_when_a_system_call_fails),
        FAKE_TEST(open_is_refused_when_struct_size_is_invalid),
        FAKE_TEST(open_succeeds_when_structs_are_older_and_smaller),
        FAKE_TEST(
            open_succeeds_when_structs_are_larger_and_unknown_fields_are_zero),
        FAKE_TEST(open_is_refused_when_larger_structs_set_unknown_fields),
        FAKE_TEST(open_uses_defaults_when_options_are_null),
        FAKE_TEST(wait_returns_when_min_size_items_exist),
        FAKE_TEST(wait_times_out_when_no_creation_succeeds),
        FAKE_TEST(wait_fails_when_creation_fails_permanently),
        FAKE_TEST(wait_returns_closed_when_pool_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
