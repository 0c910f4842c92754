/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server stops and comes back.  These tests are skipped without a program
 * that controls the server.
 */
#include "support_pg.h"

#include <stdatomic.h>
#include <string.h>

struct load {
    pqp_pool *pool;
    atomic_int over, done, lost, odd;
};

/* Each statement succeeds or is lost; an acquire waits until the server is
 * back. */
static void *work(void *arg)
{
    struct load *load = arg;
    while (!atomic_load(&load->over)) {
        PQP_AUTO_CONN conn = NULL;
        if (pqp_acquire(load->pool, 3 * SOON_MS, &conn, NULL) != PQP_OK) {
            atomic_fetch_add(&load->odd, 1);
            continue;
        }
        pqp_status status = pqp_exec(conn, "SELECT 1", NULL, NULL);
        atomic_fetch_add(status == PQP_OK     ? &load->done
                         : status == PQP_LOST ? &load->lost
                                              : &load->odd,
                         1);
    }
    return NULL;
}

static int has_done_more(void *arg)
{
    struct load *load = arg;
    return atomic_load(&load->done) > 100;
}

/* Each connection may lose one statement that is running, and one more that was
 * sent before the server's end was seen. */
static void ride_out(const char *first, const char *second)
{
    enum { THREADS = 20, SIZE = 5 };
    struct load load = {.pool = open_pool(.max_size = SIZE, .min_size = SIZE)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &load), 0);
    int worked_before = becomes(has_done_more, &load);
    int told = server_ctl(first) && (second == NULL || server_ctl(second));
    atomic_store(&load.done, 0);
    int worked_after = becomes(has_done_more, &load);
    atomic_store(&load.over, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(worked_before);
    assert_true(told);
    assert_true(worked_after);
    assert_int_equal(atomic_load(&load.odd), 0);
    assert_in_range(atomic_load(&load.lost), 0, 4 * SIZE);
    assert_int_equal(pqp_pool_wait(load.pool, SOON_MS, NULL), PQP_OK);
    pqp_stats stats = stats_of(load.pool);
    assert_int_equal(stats.in_use, 0);
    assert_in_range(stats.total, 1, SIZE);
    assert_int_equal(count_backends(), stats.total);
    close_pool(&load.pool);
}

/* P08 */
static void acquires_succeed_when_server_restarts_under_load(void **state)
{
    (void)state;
    need_server_ctl();
    ride_out("restart", NULL);
}

/* P04 P07 P08 */
static void
acquires_succeed_when_server_is_killed_and_started_under_load(void **state)
{
    (void)state;
    need_server_ctl();
    ride_out("kill", "start");
}

/* P10 B04 A29 */
static void acquire_times_out_with_reason_when_server_is_down(void **state)
{
    (void)state;
    need_server_ctl();
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *conn = borrow(pool);
    pqp_release(&conn);
    assert_true(server_ctl("stop"));
    pqp_error err[3];
    pqp_status status[3];
    int64_t took[3];
    for (int i = 0; i < 3; i++) {
        int64_t start = now_ms();
        status[i] = pqp_acquire(pool, 300, &conn, &err[i]);
        took[i] = now_ms() - start;
    }
    uint64_t failed = stats_of(pool).connect_failed;
    int64_t back = server_ctl("start") ? now_ms() : 0;
    pqp_status then = pqp_acquire(pool, SOON_MS, &conn, NULL);
    int64_t recovered = now_ms();
    pqp_release(&conn);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(status[i], PQP_TIMEOUT);
        assert_in_range(took[i], 300, 500);
        assert_non_null(strstr(err[i].message, ": no connection within 3"));
        assert_non_null(strstr(err[i].message, " refused; "));
        assert_null(strstr(err[i].message, "Is the server running"));
    }
    assert_in_range(failed, 1, 20); /* P09 */
    assert_true(back != 0);
    assert_int_equal(then, PQP_OK);
    assert_true(recovered - back < 2000); /* B07 */
    close_pool(&pool);
}

/* U05 */
static void
closed_event_names_the_peer_when_server_restart_ended_the_lease(void **state)
{
    (void)state;
    need_server_ctl();
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 3, .on_event = record, .arg = &r);
    pqp_conn *used = borrow(pool), *open = borrow(pool);
    pqp_conn *unused = borrow(pool);
    pqp_error err;
    assert_int_equal(pqp_begin(open, NULL, NULL), PQP_OK);
    assert_true(server_ctl("restart"));
    assert_int_equal(pqp_exec(used, "SELECT 1", NULL, &err), PQP_LOST);
    assert_string_equal(err.message,
                        "terminating connection due to administrator command");
    assert_string_equal(err.sqlstate, "57P01");
    assert_int_equal(pqp_exec(used, "SELECT 1", NULL, &err), PQP_LOST);
    assert_string_equal(
        err.message,
        "the connection is unusable after an earlier failure: terminating "
        "connection due to administrator command");
    pqp_release(&used);
    pqp_release(&open);
    pqp_release(&unused);
    close_pool(&pool);
    assert_int_equal(count_of(&r, PQP_EVENT_CLOSED), 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(event_of(&r, PQP_EVENT_CLOSED, i).reason,
                            "closed by the peer");
}

/* P09 B05 */
static void connects_back_off_when_server_is_down(void **state)
{
    (void)state;
    need_server_ctl();
    pqp_pool *pool = open_pool(.max_size = 4, .min_size = 4);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    assert_true(server_ctl("stop"));
    uint64_t before = stats_of(pool).connect_failed;
    pause_ms(2000);
    uint64_t failed = stats_of(pool).connect_failed - before;
    assert_true(server_ctl("start"));
    assert_in_range(failed, 1, 15);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    assert_int_equal(stats_of(pool).total, 4);
    close_pool(&pool);
}

/* B18 */
static void pool_fills_later_when_opened_before_the_server_starts(void **state)
{
    (void)state;
    need_server_ctl();
    assert_true(server_ctl("stop"));
    pqp_pool *pool = NULL;
    pqp_status opened = pqp_pool_open(
        &pool, PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = 2, .min_size = 2),
        NULL);
    pqp_status waited = pqp_pool_wait(pool, 200, NULL);
    assert_true(server_ctl("start"));
    assert_int_equal(opened, PQP_OK);
    assert_int_equal(waited, PQP_TIMEOUT);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    assert_int_equal(stats_of(pool).idle, 2);
    close_pool(&pool);
}

static pqp_status transfer(void *arg, pqp_conn *conn, pqp_error *err)
{
    int *runs = arg;
    if (++*runs == 1 && !server_ctl("restart"))
        return PQP_SYSTEM;
    return pqp_exec(conn, "SELECT 1", NULL, err);
}

/* S10 */
static void
transact_retries_and_commits_when_server_restarts_during_it(void **state)
{
    (void)state;
    need_server_ctl();
    pqp_pool *pool = open_pool(.max_size = 1);
    int runs = 0;
    assert_int_equal(
        pqp_transact(pool, 3 * SOON_MS, NULL, transfer, &runs, NULL), PQP_OK);
    assert_int_equal(runs, 2);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acquires_succeed_when_server_restarts_under_load),
        cmocka_unit_test(
            acquires_succeed_when_server_is_killed_and_started_under_load),
        cmocka_unit_test(acquire_times_out_with_reason_when_server_is_down),
        cmocka_unit_test(
            closed_event_names_the_peer_when_server_restart_ended_the_lease),
        cmocka_unit_test(connects_back_off_when_server_is_down),
        cmocka_unit_test(pool_fills_later_when_opened_before_the_server_starts),
        cmocka_unit_test(
            transact_retries_and_commits_when_server_restarts_during_it),
    };
    return run_with_server(tests);
}
