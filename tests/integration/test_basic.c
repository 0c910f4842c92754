/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Acquiring, using and releasing connections of a real server. */
#include "support_pg.h"

#include <stdlib.h>
#include <string.h>

/* A01 A02 */
static void
released_connection_is_leased_again_when_next_acquire_comes(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 5);
    pqp_conn *conn = borrow(pool);
    int pid = backend_of(conn);
    assert_string_equal(ask(conn, "SELECT 40 + 2"), "42");
    pqp_release(&conn);
    assert_null(conn);
    conn = borrow(pool);
    assert_int_equal(backend_of(conn), pid);
    pqp_release(&conn);
    assert_int_equal(stats_of(pool).created, 1);
    close_pool(&pool);
}

/* A05 A07 A29 */
static void
acquire_times_out_with_reason_when_all_connections_are_leased(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *held = borrow(pool), *conn = NULL;
    pqp_error err;
    int64_t start = now_ms();
    assert_int_equal(pqp_acquire(pool, 200, &conn, &err), PQP_TIMEOUT);
    int64_t took = now_ms() - start;
    assert_in_range(took, 200, 300);
    assert_null(conn);
    assert_int_equal(err.status, PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "1"));
    assert_true(strlen(err.message) > strlen("deadline passed"));
    pqp_release(&held);
    close_pool(&pool);
}

/* A09 */
static void
try_acquire_returns_busy_at_once_when_no_connection_is_idle(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .min_size = 1);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    pqp_conn *first = NULL, *second = NULL;
    assert_int_equal(pqp_try_acquire(pool, &first), PQP_OK);
    assert_int_equal(pqp_try_acquire(pool, &second), PQP_BUSY);
    assert_null(second);
    pqp_release(&first);
    close_pool(&pool);
}

static void
exec_returns_last_result_when_sql_has_several_statements(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1; SELECT 2; SELECT 3"), "3");
    pqp_release(&conn);
    close_pool(&pool);
}

/* I-17 */
static void result_stays_valid_when_lease_and_pool_are_gone(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    const char *values[] = {"kept"};
    PQP_AUTO_RESULT res = NULL;
    assert_int_equal(
        pqp_pool_exec_params(
            pool, SOON_MS,
            PQP_QUERY(.sql = "SELECT $1::text", .nparams = 1, .values = values),
            &res, NULL),
        PQP_OK);
    assert_int_equal(stats_of(pool).in_use, 0);
    close_pool(&pool);
    assert_string_equal(PQgetvalue(res, 0, 0), "kept");
}

/* I-15 I-16 */
static void no_connection_leaks_when_ten_thousand_statements_fail(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    for (int i = 0; i < 10000; i++) {
        pqp_error err;
        pqp_status status = pqp_pool_exec_params(
            pool, SOON_MS, PQP_QUERY(.sql = "SELECT 1/0"), NULL, &err);
        assert_int_equal(status, PQP_SERVER);
        assert_string_equal(err.sqlstate, "22012");
    }
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.acquired, 10000);
    assert_true(stats.created <= 2);
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

struct crowd {
    pqp_pool *pool;
    int failed;
};

static void *work(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < 100; i++) {
        PQP_AUTO_CONN conn = NULL;
        if (pqp_acquire(crowd->pool, SOON_MS, &conn, NULL) != PQP_OK ||
            pqp_exec(conn, "SELECT 1", NULL, NULL) != PQP_OK)
            crowd->failed++;
    }
    return NULL;
}

/* A03 */
static void
three_connections_serve_all_when_sixteen_threads_acquire(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 3);
    struct crowd crowds[16];
    pthread_t threads[16];
    for (int i = 0; i < 16; i++) {
        crowds[i] = (struct crowd){.pool = pool};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crowds[i]),
                         0);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].failed, 0);
    }
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.acquired, 1600);
    assert_in_range(stats.created, 1, 3);
    assert_in_range(count_backends(), 1, 3);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            released_connection_is_leased_again_when_next_acquire_comes),
        cmocka_unit_test(
            acquire_times_out_with_reason_when_all_connections_are_leased),
        cmocka_unit_test(
            try_acquire_returns_busy_at_once_when_no_connection_is_idle),
        cmocka_unit_test(
            exec_returns_last_result_when_sql_has_several_statements),
        cmocka_unit_test(result_stays_valid_when_lease_and_pool_are_gone),
        cmocka_unit_test(no_connection_leaks_when_ten_thousand_statements_fail),
        cmocka_unit_test(
            three_connections_serve_all_when_sixteen_threads_acquire),
    };
    return run_with_server(tests);
}
