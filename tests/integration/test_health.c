/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Connections that died while they were idle, and that no borrower may get. */
#include "support_pg.h"

#include <string.h>
#include <sys/socket.h>

enum { MANY = 5 };

/* Opens a pool with MANY idle connections. */
static pqp_pool *open_full(int pids[MANY], const pqp_options *options)
{
    pqp_pool *pool = open_pool_with(options);
    pqp_conn *conns[MANY];
    for (int i = 0; i < MANY; i++) {
        conns[i] = borrow(pool);
        pids[i] = backend_of(conns[i]);
    }
    for (int i = 0; i < MANY; i++)
        pqp_release(&conns[i]);
    return pool;
}

struct closed {
    pqp_pool *pool;
    uint64_t count;
};

static int has_closed(void *arg)
{
    const struct closed *closed = arg;
    return stats_of(closed->pool).closed >= closed->count;
}

/* C01 C03 C04 P03: the pool sees the close by the server, without a ping. */
static void
idle_connection_is_not_leased_when_its_backend_was_terminated(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .ping_after_ms = PQP_NEVER);
    for (unsigned i = 1; i <= 20; i++) {
        PQP_AUTO_CONN conn = borrow(pool);
        assert_string_equal(ask(conn, "SELECT 1"), "1");
        int pid = backend_of(conn);
        pqp_release(&conn);
        terminate_backend(pid);
        struct closed closed = {.pool = pool, .count = i};
        assert_true(becomes(has_closed, &closed));
        conn = borrow(pool);
        assert_int_not_equal(backend_of(conn), pid);
        assert_string_equal(ask(conn, "SELECT 1"), "1");
    }
    assert_int_equal(stats_of(pool).pinged, 0);
    close_pool(&pool);
}

/* C01: also if the backend ended just before the acquire. */
static void
ping_always_leases_no_dead_connection_when_backend_just_ended(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .ping_always = 1);
    for (int i = 0; i < 20; i++) {
        PQP_AUTO_CONN conn = borrow(pool);
        int pid = backend_of(conn);
        pqp_release(&conn);
        kill_backend(pid);
        conn = borrow(pool);
        assert_int_not_equal(backend_of(conn), pid);
        assert_string_equal(ask(conn, "SELECT 1"), "1");
    }
    close_pool(&pool);
}

/* C02 */
static void
acquire_gets_new_connection_when_all_idle_ones_are_dead(void **state)
{
    (void)state;
    int pids[MANY];
    pqp_pool *pool =
        open_full(pids, PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = MANY,
                                    .ping_always = 1));
    for (int i = 0; i < MANY; i++)
        kill_backend(pids[i]);
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    for (int i = 0; i < MANY; i++)
        assert_int_not_equal(backend_of(conn), pids[i]);
    pqp_release(&conn);
    close_pool(&pool);
}

/* C12 C23 */
static void min_size_is_restored_when_idle_connections_die(void **state)
{
    (void)state;
    int pids[MANY];
    pqp_pool *pool =
        open_full(pids, PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = MANY,
                                    .min_size = MANY));
    for (int i = 0; i < MANY; i++)
        terminate_backend(pids[i]);
    struct closed closed = {.pool = pool, .count = MANY};
    assert_true(becomes(has_closed, &closed));
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.total, MANY);
    assert_int_equal(stats.idle, MANY);
    assert_int_equal(count_backends(), MANY);
    close_pool(&pool);
}

/* C06 */
static void idle_connection_stays_usable_when_notifications_arrive(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    int pid = backend_of(conn);
    must_exec(conn, "LISTEN health");
    pqp_release(&conn);
    for (int i = 0; i < 100; i++)
        (void)beside("NOTIFY health");
    conn = borrow(pool);
    assert_int_equal(backend_of(conn), pid);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

/* C07 */
static void
ping_is_sent_only_when_connection_was_idle_for_ping_after_ms(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .ping_after_ms = 100);
    pqp_conn *conn = borrow(pool);
    pqp_release(&conn);
    conn = borrow(pool);
    pqp_release(&conn);
    assert_int_equal(stats_of(pool).pinged, 0);
    pause_ms(150);
    conn = borrow(pool);
    pqp_release(&conn);
    assert_int_equal(stats_of(pool).pinged, 1);
    close_pool(&pool);
}

static void ping_always_pings_when_connection_was_just_released(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .ping_always = 1);
    pqp_conn *conn = borrow(pool);
    pqp_release(&conn);
    uint64_t before = stats_of(pool).pinged;
    for (int i = 0; i < 10; i++) {
        conn = borrow(pool);
        assert_int_equal(PQtransactionStatus(pqp_pgconn(conn)), PQTRANS_IDLE);
        pqp_release(&conn);
    }
    assert_int_equal(stats_of(pool).pinged - before, 10);
    close_pool(&pool);
}

/* C08 P26 */
static void
connection_is_closed_after_ping_timeout_when_ping_gets_no_answer(void **state)
{
    (void)state;
    need_server_ctl();
    pqp_pool *pool =
        open_pool(.max_size = 1, .ping_always = 1, .ping_timeout_ms = 200);
    pqp_conn *conn = borrow(pool);
    int pid = backend_of(conn);
    pqp_release(&conn);
    assert_true(server_ctl("pause"));
    int64_t start = now_ms();
    pqp_status status = pqp_acquire(pool, 600, &conn, NULL);
    int64_t took = now_ms() - start;
    uint64_t closed = stats_of(pool).closed;
    assert_true(server_ctl("resume"));
    assert_int_equal(status, PQP_TIMEOUT);
    assert_in_range(took, 600, 900);
    assert_int_equal(closed, 1);
    conn = borrow(pool);
    assert_int_not_equal(backend_of(conn), pid);
    pqp_release(&conn);
    close_pool(&pool);
}

static void
connection_stays_when_deadline_of_acquire_ends_its_ping(void **state)
{
    (void)state;
    need_server_ctl();
    pqp_pool *pool =
        open_pool(.max_size = 1, .ping_always = 1, .ping_timeout_ms = SOON_MS);
    pqp_conn *conn = borrow(pool);
    int pid = backend_of(conn);
    pqp_release(&conn);
    assert_true(server_ctl("pause"));
    pqp_status status = pqp_acquire(pool, 50, &conn, NULL);
    assert_true(server_ctl("resume"));
    assert_int_equal(status, PQP_TIMEOUT);
    conn = borrow(pool);
    assert_int_equal(backend_of(conn), pid);
    pqp_release(&conn);
    close_pool(&pool);
}

/* C10 C20 */
static void
lease_starts_outside_transaction_when_last_one_failed_in_one(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .ping_always = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    must_exec(conn, "BEGIN");
    assert_int_equal(pqp_exec(conn, "SELECT 1/0", NULL, NULL), PQP_SERVER);
    pqp_release(&conn);
    conn = borrow(pool);
    assert_int_equal(PQtransactionStatus(pqp_pgconn(conn)), PQTRANS_IDLE);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

/* C14 */
static void connection_is_replaced_when_it_broke_during_its_lease(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .min_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    int pid = backend_of(conn);
    assert_int_equal(shutdown(PQsocket(pqp_pgconn(conn)), SHUT_RDWR), 0);
    assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, NULL), PQP_LOST);
    pqp_release(&conn);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    conn = borrow(pool);
    assert_int_not_equal(backend_of(conn), pid);
    assert_int_equal(stats_of(pool).total, 1);
    pqp_release(&conn);
    close_pool(&pool);
}

/* C16 */
static void
connection_is_kept_when_a_statement_raises_an_ordinary_error(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    static const char *const states[] = {"57014", "40001", "40P01", "23505",
                                         "53200"};
    PQP_AUTO_CONN conn = borrow(pool);
    int pid = backend_of(conn);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        char sql[] = "DO $$BEGIN RAISE SQLSTATE 'XXXXX'; END$$";
        memcpy(strstr(sql, "XXXXX"), states[i], 5);
        pqp_error err;
        assert_int_equal(pqp_exec(conn, sql, NULL, &err), PQP_SERVER);
        assert_string_equal(err.sqlstate, states[i]);
        assert_int_equal(err.flags & PQP_ERR_DISCARD, 0);
        pqp_release(&conn);
        conn = borrow(pool);
        assert_int_equal(backend_of(conn), pid);
    }
    pqp_release(&conn);
    close_pool(&pool);
}

/* C18 */
static void connections_are_kept_when_borrowers_send_invalid_sql(void **state)
{
    (void)state;
    int pids[MANY];
    pqp_pool *pool =
        open_full(pids, PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = MANY));
    for (int i = 0; i < 20; i++) {
        PQP_AUTO_CONN conn = borrow(pool);
        assert_int_equal(pqp_exec(conn, "no SQL at all", NULL, NULL),
                         PQP_SERVER);
    }
    assert_int_equal(stats_of(pool).closed, 0);
    close_pool(&pool);
}

/* C19 */
static void acquire_fails_with_3D000_when_database_does_not_exist(void **state)
{
    (void)state;
    pqp_pool *pool = NULL;
    assert_int_equal(
        pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = pg_dsn_with("dbname=nowhere"),
                                  .max_size = 1),
                      NULL),
        PQP_OK);
    pqp_conn *conn = NULL;
    pqp_error err;
    int64_t start = now_ms();
    assert_int_equal(pqp_acquire(pool, SOON_MS, &conn, &err), PQP_CONNECT);
    assert_true(now_ms() - start < SOON_MS / 2);
    assert_string_equal(err.sqlstate, "3D000");
    assert_int_equal(stats_of(pool).total, 0);
    close_pool(&pool);
}

static int has_pinged(void *pool)
{
    return stats_of(pool).pinged >= 3;
}

/* C22 */
static void keepalive_pings_connection_when_it_is_idle(void **state)
{
    (void)state;
    pqp_pool *pool =
        open_pool(.max_size = 1, .min_size = 1, .keepalive_ms = 30);
    assert_true(becomes(has_pinged, pool));
    assert_int_equal(stats_of(pool).created, 1);
    close_pool(&pool);
}

static int has_one_backend(void *arg)
{
    (void)arg;
    return count_backends() == 1;
}

static int has_one_connection(void *pool)
{
    return stats_of(pool).total == 1;
}

/* C23 */
static void backend_ends_when_its_connection_is_discarded(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *stays = borrow(pool), *goes = borrow(pool);
    assert_int_equal(count_backends(), 2);
    pqp_discard(&goes);
    assert_null(goes);
    assert_true(becomes(has_one_backend, NULL));
    assert_true(becomes(has_one_connection, pool));
    pqp_release(&stays);
    close_pool(&pool);
}

/* P05 */
static void
acquire_gets_working_connection_when_idle_session_timeout_fired(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    int pid = backend_of(conn);
    must_exec(conn, "SET idle_session_timeout = 20");
    pqp_release(&conn);
    struct closed closed = {.pool = pool, .count = 1};
    assert_true(becomes(has_closed, &closed));
    conn = borrow(pool);
    assert_int_not_equal(backend_of(conn), pid);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            idle_connection_is_not_leased_when_its_backend_was_terminated),
        cmocka_unit_test(
            ping_always_leases_no_dead_connection_when_backend_just_ended),
        cmocka_unit_test(
            acquire_gets_new_connection_when_all_idle_ones_are_dead),
        cmocka_unit_test(min_size_is_restored_when_idle_connections_die),
        cmocka_unit_test(
            idle_connection_stays_usable_when_notifications_arrive),
        cmocka_unit_test(
            ping_is_sent_only_when_connection_was_idle_for_ping_after_ms),
        cmocka_unit_test(ping_always_pings_when_connection_was_just_released),
        cmocka_unit_test(
            connection_is_closed_after_ping_timeout_when_ping_gets_no_answer),
        cmocka_unit_test(
            connection_stays_when_deadline_of_acquire_ends_its_ping),
        cmocka_unit_test(
            lease_starts_outside_transaction_when_last_one_failed_in_one),
        cmocka_unit_test(connection_is_replaced_when_it_broke_during_its_lease),
        cmocka_unit_test(
            connection_is_kept_when_a_statement_raises_an_ordinary_error),
        cmocka_unit_test(connections_are_kept_when_borrowers_send_invalid_sql),
        cmocka_unit_test(acquire_fails_with_3D000_when_database_does_not_exist),
        cmocka_unit_test(keepalive_pings_connection_when_it_is_idle),
        cmocka_unit_test(backend_ends_when_its_connection_is_discarded),
        cmocka_unit_test(
            acquire_gets_working_connection_when_idle_session_timeout_fired),
    };
    return run_with_server(tests);
}
