/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bugs of the core that tools found, each as the shortest sequence of events
 * that shows it.  Each comment has the number in docs/bugs.md, the tool, and
 * the commit that fixed it.  Without that commit the test fails.
 */
#include "support_caller.h"

/* B1, ThreadSanitizer with the example bank and a server that restarts; "core:
 * unwatch only what still has its descriptor". */
static void
descriptor_stays_watched_when_another_item_reuses_its_number(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 2);
    for (int way = 0; way < 2; way++) {
        rpool_item *lost = fake_lease(pool), *next = NULL;
        struct fake_resource *r = fake_of(lost);
        int fd = r->fd;
        sim_fd_close(fd); /* libpq does this when it reads the end */
        next = fake_lease(pool);
        assert_int_equal(fake_of(next)->fd, fd);
        r->fd = sim_fd_open(); /* another descriptor, closed at its end */
        if (way == 0)
            rpool_discard(&lost);
        else
            fake_take(rpool_detach(&lost));
        rpool_release(&next);
        sim_settle();
        assert_true(sim_fd_watched(fd));
        sim_hang_up(fd);
        sim_settle();
        assert_int_equal(fake_closed_by(fake, RPOOL_REASON_HANGUP), way + 1);
    }
    close_pool(&pool);
}

/* 1, simulator, seeds 13 to 26 in one process; "core: a creation that succeeds
 * ends the pause". */
static void back_off_ends_when_another_creation_succeeds(void **state)
{
    struct fake *fake = *state;
    sim_random(1000); /* the longest back-off */
    rpool *pool = fake_open(fake, .max_size = 3);
    struct caller c[3];
    const int64_t takes[] = {20, 10, 20};
    for (int i = 0; i < 3; i++) {
        fake->create = (struct fake_step){
            .result = i == 1 ? FAKE_TRANSIENT : FAKE_OK, .ms = takes[i]};
        c[i] = (struct caller){
            .pool = pool, .timeout_ms = -1, .hold_ms = CALLER_KEEPS};
        caller_start(&c[i]);
    }
    assert_int_equal(fake->creating, 2);
    sim_advance_ms(10); /* the second creation fails: 100 ms of back-off */
    assert_int_equal(fake_count(fake, RPOOL_EVENT_CREATE_FAILED), 1);
    sim_advance_ms(10);
    assert_int_equal(caller_status(&c[0]), RPOOL_OK);
    sim_advance_ms(20);
    for (int i = 1; i < 3; i++)
        assert_int_equal(caller_status(&c[i]), RPOOL_OK);
    for (int i = 0; i < 3; i++)
        rpool_release(&c[i].item);
    close_pool(&pool);
}

/* 2, simulator, seed 78; "core: the cleaner looks once for each time due". */
static void
item_expires_when_it_was_checked_during_the_cleaners_scan(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(
        fake, .max_size = 2, .leak_after_ms = 1000, .max_lifetime_ms = 5000,
        .idle_timeout_ms = RPOOL_NEVER, .create_timeout_ms = 780);
    make_idle(pool, 2);
    rpool_item *leak = fake_lease(pool); /* the cleaner scans at 1000 */
    sim_advance_ms(600);
    fake->check.ms = 10000;
    struct caller c = {.pool = pool, .timeout_ms = 800};
    caller_start(&c); /* a worker and this caller check from 600 to 1400 */
    sim_advance_ms(800);
    assert_int_equal(caller_status(&c), RPOOL_TIMEOUT);
    assert_int_equal(fake_count(fake, RPOOL_EVENT_LEAK), 1);
    sim_advance_ms(3600);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 1);
    rpool_release(&leak);
    close_pool(&pool);
}

/* 3, simulator, seed 190; "core: the cleaner looks once for each time due". */
static void
item_is_closed_after_keepalive_when_its_lifetime_ended_in_it(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(fake, .max_size = 1, .keepalive_ms = 1000,
                            .max_lifetime_ms = 1500, .create_timeout_ms = 2000,
                            .idle_timeout_ms = RPOOL_NEVER);
    make_idle(pool, 1);
    fake->check.ms = 10000; /* no answer from 1000 to 3000 */
    sim_advance_ms(2999);
    assert_int_equal(fake->destroyed, 0);
    sim_advance_ms(1);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_LIFETIME), 1);
    close_pool(&pool);
}

/* 4, simulator, seed 1372; "core: the cleaner looks once for each time due". */
static void
surplus_item_is_closed_when_it_arises_between_keepalives(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 3,
                            .keepalive_ms = 1000, .idle_timeout_ms = 1200);
    sim_advance_ms(1600); /* all items need a check again */
    rpool_item *item = NULL;
    assert_int_equal(rpool_try_acquire(pool, &item), RPOOL_BUSY);
    sim_settle();
    assert_int_equal(fake->created, 4);
    assert_int_equal(fake_closed_by(fake, RPOOL_REASON_IDLE), 1);
    assert_int_equal(fake->live, 3);
    close_pool(&pool);
}

/* 5, simulator, seed 40; "core: no keepalive without a check, or in a closed
 * pool". */
static void
item_is_not_kept_alive_when_its_pool_was_closed_during_a_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .keepalive_ms = 1000);
    make_idle(pool, 1);
    sim_advance_ms(900);
    fake->check.ms = 10000;
    struct caller c = {.pool = pool, .timeout_ms = 200};
    caller_start(&c);
    assert_int_equal(rpool_close(&pool, 10), RPOOL_TIMEOUT);
    sim_advance_ms(10);
    assert_int_equal(caller_status(&c), RPOOL_CLOSED);
    assert_int_equal(fake->checks, 1);
    assert_int_equal(fake->destroyed, 1);
    assert_int_equal(fake->done, 1);
}

/* 6, simulator, seed 121; "core: no keepalive without a check, or in a closed
 * pool". */
static void item_is_always_fit_when_provider_has_no_check(void **state)
{
    struct fake *fake = *state;
    fake->provider.check = NULL;
    fake->reset = (struct fake_step){.result = RPOOL_CHECK, .times = 1};
    rpool *pool = fake_open(fake, .max_size = 1, .keepalive_ms = 1000);
    make_idle(pool, 1);
    rpool_item *item = fake_lease(pool); /* no check reads its answer */
    rpool_release(&item);
    uint64_t wakes = sim_thread("watch").wakes;
    sim_advance_ms(100000);
    assert_in_range(sim_thread("watch").wakes - wakes, 0, 1);
    assert_int_equal(fake->created, 1);
    assert_int_equal(fake->live, 1);
    close_pool(&pool);
}

/* 7, simulator, seed 110401; "core: waiters are woken after the mutex; leaner
 * pair". */
static void
idle_items_are_not_replaced_again_when_old_item_stays_leased(void **state)
{
    struct fake *fake = *state;
    sim_random(0);
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 2,
                            .idle_timeout_ms = 1000, .max_lifetime_ms = 60000);
    rpool_item *old = fake_lease(pool);
    sim_advance_ms(70000); /* the idle item; both are replaced in advance */
    assert_int_equal(fake->created, 4);
    assert_int_equal(fake->live, 3);
    sim_advance_ms(40000);
    assert_int_equal(fake->created, 4);
    rpool_release(&old);
    sim_settle();
    assert_int_equal(fake->live, 2);
    close_pool(&pool);
}

/* 8, simulator, seed 152; "core: waiters are woken after the mutex; leaner
 * pair".  The close by the peer is read before the slot is empty, and applied
 * after that. */
static void late_close_by_peer_is_ignored_when_its_item_has_left(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.depth = 3, .steps = 150});
        rpool *pool =
            fake_open(&fake, .max_size = 1, .min_size = 1, .max_uses = 1);
        rpool_item *item = fake_lease(pool);
        fake.create.ms = 10;
        sim_hang_up(fake_of(item)->fd);
        rpool_release(&item);
        sim_sleep_ms(15);
        assert_int_equal(fake.created, 2);
        assert_int_equal(fake.live, 1);
        close_pool(&pool);
        fake_end(&fake);
    }
}

/* 9, simulator, seed 170605; "core: a job passes the wake on; close waits its
 * time". */
static void creation_starts_at_once_when_destroys_are_slow_but_a_worker_is_idle(
    void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 5, .min_size = 2);
    rpool_item *a = fake_lease(pool), *b = fake_lease(pool);
    fake->create.ms = fake->destroy.ms = 10;
    rpool_discard(&a);
    struct caller c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
        caller_start(&c[i]);
    }
    rpool_release(&b);
    sim_advance_ms(1100);
    /* the cleaner and three workers */
    assert_int_equal(sim_thread("").live, 4);
    assert_int_equal(fake_stats(pool).idle, 3);
    fake->destroy.ms = 1000;
    sim_hang_up(fake->resources[1]->fd);
    sim_hang_up(fake->resources[2]->fd);
    sim_advance_ms(10);
    assert_int_equal(fake_stats(pool).closing, 2);
    assert_int_equal(fake_stats(pool).idle, 2);
    close_pool(&pool);
}

static int (*fake_check)(void *, void *, int64_t, int64_t);

/* The check of the second resource never gets an answer. */
static int mute_check(void *ctx, void *resource, int64_t idle_ms,
                      int64_t deadline)
{
    struct fake *fake = ctx;
    struct fake_resource *r = resource;
    fake->check.ms = r->number == 2 ? 1000000 : 0;
    return fake_check(ctx, resource, idle_ms, deadline);
}

/* 10, simulator, seed 48; "core: a job passes the wake on; close waits its
 * time". */
static void other_keepalives_go_on_when_one_item_never_answers(void **state)
{
    struct fake *fake = *state;
    fake_check = fake->provider.check;
    fake->provider.check = mute_check;
    rpool *pool = fake_open(fake, .max_size = 3, .keepalive_ms = 1000,
                            .create_timeout_ms = 100);
    make_idle(pool, 3);
    sim_advance_ms(1100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fake->resources[i]->checks, 1);
    sim_advance_ms(9900);
    for (int i = 0; i < 3; i++)
        assert_in_range(fake->resources[i]->checks, 9, 11);
    close_pool(&pool);
}

/* 11, relacy, case "a close that waits"; "core: a close does not wait for a
 * worker that never was".  The thread that starts the worker learns late that
 * it failed, and the close is waiting by then. */
static void close_does_not_wait_when_a_worker_could_not_be_started(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.depth = 3, .steps = 150});
        rpool *pool = fake_open(&fake, .max_size = 2);
        struct caller c[2];
        fake.create.ms = 10;
        for (int i = 0; i < 2; i++)
            c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
        caller_spawn(&c[0]);
        sim_sleep_ms(1);
        sim_break(SIM_THREAD_START, 1, 100);
        caller_spawn(&c[1]);
        sim_yield();
        close_pool(&pool);
        fake_end(&fake);
    }
}

static int told;

static void hold_up_who_tells(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    if (event->type != RPOOL_EVENT_LEAK)
        return;
    told++;
    sim_sleep_ms(50);
}

/* 12, simulator, seeds 356601 to 356700; "core: a job passes the wake on; close
 * waits its time".  The item is leased before its creator has looked at it, and
 * is a leak at once, because the coarse clock is behind.  A worker emitted the
 * event then; now it is always the cleaner. */
static void close_without_deadline_waits_when_listener_is_running(void **state)
{
    (void)state;
    told = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        fake.create.ms = 7;
        fake.hook = hold_up_who_tells;
        rpool *pool = fake_open(&fake, .max_size = 1, .leak_after_ms = 1);
        struct caller c[4];
        for (int i = 0; i < 4; i++) {
            c[i] = (struct caller){
                .pool = pool, .start_ms = i > 0 ? 7 : 0, .hold_ms = 20};
            caller_spawn(&c[i]);
        }
        sim_sleep_ms(30);
        close_pool(&pool);
        assert_int_equal(fake.done, 1);
        fake_end(&fake);
    }
    assert_true(told > 0);
}

/* 13, found while the test of 2 was written; "core: what is due as it comes
 * back wakes a worker". */
static void
due_work_is_done_at_once_when_item_returns_from_its_check(void **state)
{
    struct fake *fake = *state;
    for (int expires = 0; expires < 2; expires++) {
        int64_t began = sim_now_ms();
        rpool *pool = fake_open(
            fake, .max_size = 1, .keepalive_ms = expires ? RPOOL_NEVER : 1000,
            .idle_timeout_ms = expires ? 1000 : RPOOL_NEVER);
        make_idle(pool, 1);
        sim_advance_ms(990);
        fake->check = (struct fake_step){.ms = 10000, .times = 1};
        fake->checks = 0;
        struct caller c = {.pool = pool, .timeout_ms = 15};
        caller_start(&c); /* it checks from 990 to 1005 */
        sim_advance_ms(15);
        assert_int_equal(caller_status(&c), RPOOL_TIMEOUT);
        assert_int_equal(sim_now_ms() - began, 1005);
        assert_int_equal(fake->checks, expires ? 1 : 2);
        assert_int_equal(fake_closed_by(fake, RPOOL_REASON_IDLE), expires);
        assert_int_equal(fake->live, 1 - expires);
        close_pool(&pool);
        fake->done = 0;
        fake->event_count = 0;
    }
}

/* 17, reading; "core: a thread notes its own id".  A worker is started and
 * joined before its starter runs again. */
static void
worker_is_joined_safely_when_it_ends_before_its_starter_continues(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fake fake;
        fake_begin(&fake, seed);
        sim_search(&(struct sim_search){.depth = 3, .steps = 150});
        rpool *pool = fake_open(&fake, .max_size = 4, .create_concurrency = 4);
        struct caller c[4];
        for (int i = 0; i < 4; i++) {
            c[i] = (struct caller){.pool = pool, .timeout_ms = -1};
            caller_spawn(&c[i]);
        }
        sim_yield();
        close_pool(&pool);
        fake_end(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(descriptor_stays_watched_when_another_item_reuses_its_number),
        FAKE_TEST(back_off_ends_when_another_creation_succeeds),
        FAKE_TEST(item_expires_when_it_was_checked_during_the_cleaners_scan),
        FAKE_TEST(item_is_closed_after_keepalive_when_its_lifetime_ended_in_it),
        FAKE_TEST(surplus_item_is_closed_when_it_arises_between_keepalives),
        FAKE_TEST(
            item_is_not_kept_alive_when_its_pool_was_closed_during_a_check),
        FAKE_TEST(item_is_always_fit_when_provider_has_no_check),
        FAKE_TEST(idle_items_are_not_replaced_again_when_old_item_stays_leased),
        cmocka_unit_test(late_close_by_peer_is_ignored_when_its_item_has_left),
        FAKE_TEST(
            creation_starts_at_once_when_destroys_are_slow_but_a_worker_is_idle),
        FAKE_TEST(other_keepalives_go_on_when_one_item_never_answers),
        cmocka_unit_test(
            close_does_not_wait_when_a_worker_could_not_be_started),
        cmocka_unit_test(close_without_deadline_waits_when_listener_is_running),
        FAKE_TEST(due_work_is_done_at_once_when_item_returns_from_its_check),
        cmocka_unit_test(
            worker_is_joined_safely_when_it_ends_before_its_starter_continues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
