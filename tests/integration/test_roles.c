/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The rights of roles on the server, and what outlives a session. */
#include "support_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_admin.h"

/* P01: existing connections stay usable, and new ones come once there is room.
 */
static void
acquire_reports_53300_with_few_retries_when_server_is_full(void **state)
{
    (void)state;
    (void)admin("ALTER ROLE " GUEST " CONNECTION LIMIT 2");
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = guest_dsn(), .max_size = 4));
    pqp_conn *a = borrow(pool), *b = borrow(pool), *c = NULL;
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 500, &c, &err), PQP_TIMEOUT);
    assert_string_equal(err.sqlstate, "53300");
    assert_non_null(strstr(err.message, "too many connections"));
    assert_in_range(stats_of(pool).connect_failed, 1, 12);
    assert_string_equal(ask(a, "SELECT 1"), "1");
    pqp_release(&a);
    a = borrow(pool);
    assert_string_equal(ask(a, "SELECT 1"), "1");
    (void)admin("ALTER ROLE " GUEST " CONNECTION LIMIT -1");
    c = borrow(pool);
    pqp_release(&a);
    pqp_release(&b);
    pqp_release(&c);
    close_pool(&pool);
}

/* P21 */
static void open_sessions_go_on_when_role_loses_its_login_right(void **state)
{
    (void)state;
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = guest_dsn(), .max_size = 2));
    pqp_conn *old = borrow(pool), *new = NULL;
    int pid = backend_of(old);
    (void)admin("ALTER ROLE " GUEST " NOLOGIN");
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 200, &new, &err), PQP_TIMEOUT);
    assert_string_equal(err.sqlstate, "28000");
    assert_string_equal(ask(old, "SELECT 1"), "1");
    pqp_release(&old);
    old = borrow(pool);
    assert_int_equal(backend_of(old), pid);
    pqp_discard(&old);
    assert_int_equal(pqp_acquire(pool, SOON_MS, &new, &err), PQP_CONNECT);
    assert_string_equal(err.sqlstate, "28000");
    (void)admin("ALTER ROLE " GUEST " LOGIN");
    int64_t end = now_ms() + SOON_MS;
    while (pqp_acquire(pool, 100, &new, NULL) != PQP_OK && now_ms() < end)
        pause_ms(10);
    assert_non_null(new);
    pqp_release(&new);
    close_pool(&pool);
}

/* Restarts the server, because the setting needs it. */
static void allow_prepared_transactions(const char *number)
{
    char sql[80];
    (void)snprintf(sql, sizeof sql,
                   "ALTER SYSTEM SET max_prepared_transactions = %s", number);
    (void)admin(sql);
    assert_true(server_ctl("restart"));
}

static int prepared_transactions_end(void **state)
{
    (void)state;
    if (getenv("PQPOOL_SERVER_CTL") == NULL)
        return 0; /* the test was skipped */
    (void)admin("ALTER SYSTEM RESET max_prepared_transactions");
    return server_ctl("restart") ? 0 : -1;
}

/* D29: a prepared transaction belongs to the database, not to the session. */
static void prepared_transaction_remains_when_its_lease_ends(void **state)
{
    (void)state;
    need_server_ctl();
    allow_prepared_transactions("2");
    pqp_pool *pool = open_pool(.max_size = 1, .reset = PQP_RESET_DISCARD_ALL);
    pqp_conn *conn = borrow(pool);
    must_exec(conn, "BEGIN; CREATE TABLE d29 (n int)");
    must_exec(conn, "PREPARE TRANSACTION 'd29'");
    pqp_release(&conn);
    conn = borrow(pool);
    assert_string_equal(
        ask(conn, "SELECT count(*) FROM pg_prepared_xacts WHERE gid = 'd29'"),
        "1");
    must_exec(conn, "ROLLBACK PREPARED 'd29'");
    assert_string_equal(ask(conn, "SELECT count(*) FROM pg_prepared_xacts"),
                        "0");
    pqp_release(&conn);
    close_pool(&pool);
}

static int dblink_comes(void **state)
{
    (void)state;
    (void)admin("CREATE EXTENSION IF NOT EXISTS dblink");
    return 0;
}

static int dblink_goes(void **state)
{
    (void)state;
    (void)admin("DROP EXTENSION IF EXISTS dblink");
    return 0;
}

/* Connects the server to itself. */
static void connect_dblink(pqp_conn *conn)
{
    const PGconn *pg = pqp_pgconn(conn);
    const char *const values[] = {PQuser(pg), PQpass(pg)};
    pqp_error err;
    if (pqp_exec_params(conn,
                        PQP_QUERY(.sql =
                                      "SELECT dblink_connect('left', format("
                                      "'host=%s port=%s dbname=%s user=%s "
                                      "password=%s', host(inet_server_addr()), "
                                      "inet_server_port(), current_database(), "
                                      "$1::text, $2::text))",
                                  .nparams = 2, .values = values),
                        NULL, &err) != PQP_OK)
        fail_msg("dblink_connect: %s", err.message);
}

/* D24: only the end of the session closes such a connection. */
static void dblink_connection_ends_only_when_reset_is_close(void **state)
{
    (void)state;
    static const struct {
        pqp_reset reset;
        const char *left;
    } cases[] = {{PQP_RESET_DISCARD_ALL, "{left}"}, {PQP_RESET_CLOSE, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pqp_pool *pool = open_pool(.max_size = 1, .reset = cases[i].reset);
        pqp_conn *conn = borrow(pool);
        connect_dblink(conn);
        pqp_release(&conn);
        conn = borrow(pool);
        assert_string_equal(ask(conn, "SELECT dblink_get_connections()"),
                            cases[i].left);
        pqp_release(&conn);
        close_pool(&pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            acquire_reports_53300_with_few_retries_when_server_is_full,
            guest_comes, guest_goes),
        cmocka_unit_test_setup_teardown(
            open_sessions_go_on_when_role_loses_its_login_right, guest_comes,
            guest_goes),
        cmocka_unit_test_teardown(
            prepared_transaction_remains_when_its_lease_ends,
            prepared_transactions_end),
        cmocka_unit_test_setup_teardown(
            dblink_connection_ends_only_when_reset_is_close, dblink_comes,
            dblink_goes),
    };
    return run_with_server(tests);
}
