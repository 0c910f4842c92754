/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Statements: parameters, errors, deadlines, and statements that are refused.
 */
#include "support_pg.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_admin.h"

struct fixture {
    pqp_pool *pool;
    pqp_conn *conn;
    int pid;
};

static struct fixture set_up(void)
{
    struct fixture f = {.pool = open_pool(.max_size = 1)};
    f.conn = borrow(f.pool);
    f.pid = backend_of(f.conn);
    return f;
}

/* Ends the lease, and checks whether the next one has the same session. */
static void tear_down(struct fixture *f, int same)
{
    pqp_release(&f->conn);
    f->conn = borrow(f->pool);
    assert_int_equal(backend_of(f->conn) == f->pid, same);
    assert_string_equal(ask(f->conn, "SELECT 1"), "1");
    pqp_release(&f->conn);
    close_pool(&f->pool);
}

static void text_parameters_return_unchanged_when_selected(void **state)
{
    (void)state;
    struct fixture f = set_up();
    const char *values[] = {"20", "22"};
    PQP_AUTO_RESULT res = NULL;
    assert_int_equal(
        pqp_exec_params(f.conn,
                        PQP_QUERY(.sql = "SELECT $1::int + $2::int",
                                  .nparams = 2, .values = values),
                        &res, NULL),
        PQP_OK);
    assert_string_equal(PQgetvalue(res, 0, 0), "42");
    tear_down(&f, 1);
}

/* N15 */
static void null_and_empty_binary_parameters_differ_when_sent(void **state)
{
    (void)state;
    struct fixture f = set_up();
    const char *values[] = {NULL, ""};
    const int lengths[] = {0, 0}, formats[] = {0, 1};
    PQP_AUTO_RESULT res = NULL;
    assert_int_equal(
        pqp_exec_params(f.conn,
                        PQP_QUERY(.sql = "SELECT $1::text IS NULL,"
                                         " octet_length($2::bytea)",
                                  .nparams = 2, .values = values,
                                  .lengths = lengths, .formats = formats),
                        &res, NULL),
        PQP_OK);
    assert_string_equal(PQgetvalue(res, 0, 0), "t");
    assert_string_equal(PQgetvalue(res, 0, 1), "0");
    tear_down(&f, 1);
}

static void result_is_binary_when_result_format_is_1(void **state)
{
    (void)state;
    struct fixture f = set_up();
    PQP_AUTO_RESULT res = NULL;
    assert_int_equal(pqp_exec_params(f.conn,
                                     PQP_QUERY(.sql = "SELECT 258::int4",
                                               .result_format = 1),
                                     &res, NULL),
                     PQP_OK);
    assert_int_equal(PQgetlength(res, 0, 0), 4);
    assert_memory_equal(PQgetvalue(res, 0, 0), "\0\0\1\2", 4);
    tear_down(&f, 1);
}

/* N12 */
static void
empty_sql_succeeds_but_call_is_refused_when_sql_is_null(void **state)
{
    (void)state;
    struct fixture f = set_up();
    static const char *const empty[] = {"", "  ", ";;", "-- nothing"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        PQP_AUTO_RESULT res = NULL;
        assert_int_equal(pqp_exec(f.conn, empty[i], &res, NULL), PQP_OK);
        assert_int_equal(PQresultStatus(res), PGRES_EMPTY_QUERY);
    }
    PGresult *res = (PGresult *)(uintptr_t)1;
    assert_int_equal(pqp_exec(f.conn, NULL, &res, NULL), PQP_INVALID);
    assert_null(res);
    assert_int_equal(pqp_exec_params(f.conn, PQP_QUERY(.sql = ""), NULL, NULL),
                     PQP_OK);
    tear_down(&f, 1);
}

/* N13 */
static void
exec_params_fails_with_42601_when_sql_has_several_statements(void **state)
{
    (void)state;
    struct fixture f = set_up();
    pqp_error err;
    assert_int_equal(pqp_exec_params(f.conn,
                                     PQP_QUERY(.sql = "SELECT 1; SELECT 2"),
                                     NULL, &err),
                     PQP_SERVER);
    assert_string_equal(err.sqlstate, "42601");
    tear_down(&f, 1);
}

static void
query_is_refused_before_sending_when_its_parameters_are_invalid(void **state)
{
    (void)state;
    struct fixture f = set_up();
    const char *values[] = {"x"};
    const int formats[] = {1};
    const pqp_query bad[] = {
        {.size = sizeof(pqp_query), .sql = "", .nparams = -1},
        {.size = sizeof(pqp_query), .sql = "", .nparams = 65536},
        {.size = sizeof(pqp_query), .sql = "SELECT $1", .nparams = 1},
        {.size = sizeof(pqp_query),
         .sql = "SELECT $1",
         .nparams = 1,
         .values = values,
         .formats = formats},
        {.size = 3, .sql = ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pqp_exec_params(f.conn, &bad[i], NULL, NULL),
                         PQP_INVALID);
    tear_down(&f, 1);
}

/* The server would end the session after such a message. */
static void lease_stays_usable_when_a_parameter_is_too_long(void **state)
{
    (void)state;
    struct fixture f = set_up();
    const char *values[] = {"x"};
    const int formats[] = {1};
    static const int bad[] = {INT_MAX, 1 << 30, -1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        PGresult *res = NULL;
        pqp_error err;
        assert_int_equal(
            pqp_exec_params(f.conn,
                            PQP_QUERY(.sql = "SELECT $1::bytea", .nparams = 1,
                                      .values = values, .lengths = &bad[i],
                                      .formats = formats),
                            &res, &err),
            PQP_INVALID);
        assert_null(res);
        assert_int_equal(err.flags, 0);
        assert_string_equal(ask(f.conn, "SELECT 1"), "1");
    }
    tear_down(&f, 1);
}

static void query_succeeds_when_it_has_65535_parameters(void **state)
{
    (void)state;
    struct fixture f = set_up();
    enum { MANY = 65535 };
    const char **values = calloc(MANY, sizeof *values);
    char *sql = malloc(MANY * 8 + 64);
    assert_non_null(values);
    assert_non_null(sql);
    size_t used = (size_t)snprintf(sql, 64, "SELECT cardinality(ARRAY[");
    for (int i = 1; i <= MANY; i++)
        used += (size_t)snprintf(sql + used, 32, "$%d%s", i,
                                 i < MANY ? "," : "]::text[])");
    PQP_AUTO_RESULT res = NULL;
    pqp_status status = pqp_exec_params(
        f.conn, PQP_QUERY(.sql = sql, .nparams = MANY, .values = values), &res,
        NULL);
    free(sql);
    free(values);
    assert_int_equal(status, PQP_OK);
    assert_string_equal(PQgetvalue(res, 0, 0), "65535");
    tear_down(&f, 1);
}

/* C15 */
static void
result_and_connection_are_kept_when_server_reports_an_error(void **state)
{
    (void)state;
    struct fixture f = set_up();
    must_exec(f.conn, "CREATE TEMP TABLE t (n int CONSTRAINT small CHECK"
                      " (n < 10))");
    PQP_AUTO_RESULT res = NULL;
    pqp_error err;
    assert_int_equal(pqp_exec(f.conn, "INSERT INTO t VALUES (11)", &res, &err),
                     PQP_SERVER);
    assert_string_equal(err.sqlstate, "23514");
    assert_int_equal(err.flags, 0);
    assert_string_equal(PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME),
                        "small");
    assert_int_equal(pqp_exec(f.conn, "SELECT * FROM nowhere", NULL, &err),
                     PQP_SERVER);
    assert_string_equal(err.sqlstate, "42P01");
    tear_down(&f, 1);
}

/* C16 P18 */
static void
connection_is_kept_when_statement_timeout_of_the_server_fires(void **state)
{
    (void)state;
    struct fixture f = set_up();
    pqp_error err;
    must_exec(f.conn, "SET statement_timeout = 50");
    assert_int_equal(pqp_exec(f.conn, "SELECT pg_sleep(10)", NULL, &err),
                     PQP_SERVER);
    assert_string_equal(err.sqlstate, "57014");
    must_exec(f.conn, "RESET statement_timeout");
    tear_down(&f, 1);
}

/* P17 */
static void connection_is_kept_when_server_disk_is_full(void **state)
{
    (void)state;
    struct fixture f = set_up();
    pqp_error err;
    assert_int_equal(pqp_exec(f.conn,
                              "DO $$BEGIN RAISE SQLSTATE '53100'; END$$", NULL,
                              &err),
                     PQP_SERVER);
    assert_string_equal(err.sqlstate, "53100");
    assert_int_equal(err.flags, 0);
    tear_down(&f, 1);
}

static void
connection_is_closed_when_a_statement_exceeds_its_deadline(void **state)
{
    (void)state;
    struct fixture f = set_up();
    pqp_error err;
    int64_t start = now_ms();
    PGresult *res = NULL;
    assert_int_equal(pqp_exec_params(f.conn,
                                     PQP_QUERY(.sql = "SELECT pg_sleep(3)",
                                               .timeout_ms = 100),
                                     &res, &err),
                     PQP_TIMEOUT);
    assert_in_range(now_ms() - start, 100, 1000);
    assert_null(res);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    assert_int_equal(pqp_exec(f.conn, "SELECT 1", NULL, &err), PQP_LOST);
    tear_down(&f, 0);
}

static void dawdle(void *arg, const pqp_event *event)
{
    (void)arg;
    if (event->type == PQP_EVENT_NOTICE)
        pause_ms(1);
}

/* The notices come faster than the listener takes them, so the socket is never
 * quiet. */
static void statement_times_out_when_server_keeps_sending_notices(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = dawdle);
    pqp_conn *conn = borrow(pool);
    pqp_error err;
    int64_t start = now_ms();
    assert_int_equal(
        pqp_exec_params(
            conn,
            PQP_QUERY(.sql = "DO $$BEGIN FOR i IN 1..2000 LOOP RAISE NOTICE"
                             " '%', repeat('x', 1000); END LOOP; END$$",
                      .timeout_ms = 200),
            NULL, &err),
        PQP_TIMEOUT);
    assert_in_range(now_ms() - start, 200, 1000);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    pqp_release(&conn);
    close_pool(&pool);
}

static void
connection_is_kept_when_statements_meet_their_deadlines(void **state)
{
    (void)state;
    struct fixture f = set_up();
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            pqp_exec_params(f.conn,
                            PQP_QUERY(.sql = "SELECT repeat('x', 100000)",
                                      .timeout_ms = SOON_MS),
                            NULL, NULL),
            PQP_OK);
    tear_down(&f, 1);
}

/* A paused server reads nothing: a blocking send would not return. */
static void
statement_times_out_when_paused_server_does_not_read_its_parameter(void **state)
{
    (void)state;
    need_server_ctl();
    struct fixture f = set_up();
    enum { HUGE = 64 * 1024 * 1024 };
    char *value = malloc(HUGE + 1);
    assert_non_null(value);
    memset(value, 'x', HUGE);
    value[HUGE] = '\0';
    const char *values[] = {value};
    pqp_error err;
    assert_true(server_ctl("pause"));
    int64_t start = now_ms();
    pqp_status status =
        pqp_exec_params(f.conn,
                        PQP_QUERY(.sql = "SELECT length($1)", .nparams = 1,
                                  .values = values, .timeout_ms = 500),
                        NULL, &err);
    int64_t took = now_ms() - start;
    pqp_release(&f.conn);
    assert_true(server_ctl("resume"));
    free(value);
    assert_int_equal(status, PQP_TIMEOUT);
    assert_in_range(took, 500, 3000);
    f.conn = borrow(f.pool);
    assert_int_not_equal(backend_of(f.conn), f.pid);
    pqp_release(&f.conn);
    close_pool(&f.pool);
}

static void parameter_returns_unchanged_when_it_has_16_megabytes(void **state)
{
    (void)state;
    struct fixture f = set_up();
    enum { BIG = 16 * 1024 * 1024 };
    char *value = malloc(BIG + 1);
    assert_non_null(value);
    for (int i = 0; i < BIG; i++)
        value[i] = (char)('a' + i % 23);
    value[BIG] = '\0';
    const char *values[] = {value};
    PQP_AUTO_RESULT res = NULL;
    pqp_status status = pqp_exec_params(
        f.conn,
        PQP_QUERY(.sql = "SELECT $1::text", .nparams = 1, .values = values),
        &res, NULL);
    int equal = status == PQP_OK && strcmp(PQgetvalue(res, 0, 0), value) == 0;
    free(value);
    assert_true(equal);
    tear_down(&f, 1);
}

/* D05 D07 */
static void exec_returns_unsupported_and_discards_when_sql_is_copy(void **state)
{
    (void)state;
    static const char *const copies[] = {"COPY (SELECT 1) TO STDOUT",
                                         "CREATE TEMP TABLE c (n int);"
                                         " COPY c FROM STDIN"};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        struct fixture f = set_up();
        pqp_error err;
        PGresult *res = NULL;
        assert_int_equal(pqp_exec(f.conn, copies[i], &res, &err),
                         PQP_UNSUPPORTED);
        assert_null(res);
        assert_int_equal(err.flags, PQP_ERR_DISCARD);
        tear_down(&f, 0);
    }
}

/* C16: the SQLSTATE comes from the statement, not from this connection. */
static void session_is_kept_when_sql_raises_a_connection_sqlstate(void **state)
{
    (void)state;
    struct fixture f = set_up();
    static const char *const raise[] = {
        "DO $$BEGIN RAISE SQLSTATE '08006'; END$$",
        "DO $$BEGIN RAISE SQLSTATE '57P01'; END$$"};
    for (size_t i = 0; i < sizeof raise / sizeof *raise; i++) {
        pqp_error err;
        assert_int_equal(pqp_exec(f.conn, raise[i], NULL, &err), PQP_SERVER);
        assert_int_equal(err.flags, 0);
    }
    tear_down(&f, 1);
}

/* C16 P03 */
static void exec_returns_lost_when_backend_is_terminated_during_it(void **state)
{
    (void)state;
    struct fixture f = set_up();
    pqp_error err;
    PGresult *res = NULL;
    assert_int_equal(pqp_exec(f.conn,
                              "SELECT pg_terminate_backend(pg_backend_pid())",
                              &res, &err),
                     PQP_LOST);
    assert_null(res);
    assert_string_equal(err.sqlstate, "57P01");
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    tear_down(&f, 0);
}

/* P06 */
static void
exec_returns_lost_when_idle_in_transaction_timeout_fired(void **state)
{
    (void)state;
    struct fixture f = set_up();
    must_exec(f.conn, "SET idle_in_transaction_session_timeout = 20; BEGIN");
    assert_true(becomes(backend_is_gone, &f.pid));
    pqp_error err;
    assert_int_equal(pqp_exec(f.conn, "SELECT 1", NULL, &err), PQP_LOST);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    tear_down(&f, 0);
}

static void exec_is_refused_when_borrower_has_a_libpq_command_open(void **state)
{
    (void)state;
    struct fixture f = set_up();
    PGconn *pg = pqp_pgconn(f.conn);
    assert_true(PQsendQuery(pg, "SELECT 7"));
    assert_int_equal(pqp_exec(f.conn, "SELECT 1", NULL, NULL), PQP_INVALID);
    PGresult *res = PQgetResult(pg);
    assert_string_equal(PQgetvalue(res, 0, 0), "7");
    PQclear(res);
    assert_null(PQgetResult(pg));
    assert_true(PQenterPipelineMode(pg));
    assert_int_equal(pqp_exec(f.conn, "SELECT 1", NULL, NULL), PQP_INVALID);
    assert_true(PQexitPipelineMode(pg));
    assert_string_equal(ask(f.conn, "SELECT 1"), "1");
    tear_down(&f, 1);
}

static void nonblocking_flag_is_unchanged_when_exec_returns(void **state)
{
    (void)state;
    struct fixture f = set_up();
    PGconn *pg = pqp_pgconn(f.conn);
    for (int flag = 0; flag < 2; flag++) {
        assert_int_equal(PQsetnonblocking(pg, flag), 0);
        assert_int_equal(pqp_exec(f.conn, "SELECT 1", NULL, NULL), PQP_OK);
        assert_int_equal(PQisnonblocking(pg), flag);
        assert_int_equal(pqp_exec(f.conn, "SELECT 1/0", NULL, NULL),
                         PQP_SERVER);
        assert_int_equal(PQisnonblocking(pg), flag);
    }
    tear_down(&f, 1);
}

static void is_refused_to_write(pqp_conn *conn)
{
    pqp_error err;
    assert_int_equal(
        pqp_exec(conn, "INSERT INTO notes (body) VALUES ('')", NULL, &err),
        PQP_SERVER);
    assert_string_equal(err.sqlstate, "25006");
}

static int server_writes_again(void **state)
{
    (void)state;
    (void)admin("ALTER SYSTEM RESET default_transaction_read_only");
    (void)admin("SELECT pg_reload_conf()");
    return 0;
}

static int is_read_only(void *conn)
{
    return strcmp(ask(conn, "SHOW default_transaction_read_only"), "on") == 0;
}

/* P11: one session was refused a write, the next statement of another session
 * confirms it, and a third, idle session is closed too. */
static void pool_is_recycled_when_server_became_read_only(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 3);
    pqp_conn *conns[3];
    int pids[3];
    for (int i = 0; i < 3; i++) {
        conns[i] = borrow(pool);
        pids[i] = backend_of(conns[i]);
    }
    (void)admin("ALTER SYSTEM SET default_transaction_read_only = on");
    (void)admin("SELECT pg_reload_conf()");
    for (int i = 0; i < 3; i++)
        assert_true(becomes(is_read_only, conns[i]));
    pqp_release(&conns[2]);
    is_refused_to_write(conns[0]);
    assert_true(backend_lives(pids[2]));
    must_exec(conns[1], "SELECT 1");
    assert_true(becomes(backend_is_gone, &pids[2]));
    for (int i = 0; i < 2; i++) {
        pqp_release(&conns[i]);
        assert_true(becomes(backend_is_gone, &pids[i]));
    }
    close_pool(&pool);
}

/* The borrower keeps its session until its release, and no other session is
 * closed. */
static void
only_own_session_is_closed_when_borrower_set_it_read_only(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *conn = borrow(pool), *other = borrow(pool);
    int pid = backend_of(conn), other_pid = backend_of(other);
    must_exec(conn, "SET default_transaction_read_only = on");
    is_refused_to_write(conn);
    must_exec(conn, "SELECT 1");
    pqp_release(&conn);
    assert_true(becomes(backend_is_gone, &pid));
    must_exec(other, "SELECT 1");
    must_exec(other, "SET default_transaction_read_only = on; SELECT 1");
    pqp_release(&other);
    other = borrow(pool);
    assert_int_equal(backend_of(other), other_pid);
    pqp_release(&other);
    close_pool(&pool);
}

static void
session_is_kept_when_write_failed_in_a_read_only_transaction(void **state)
{
    (void)state;
    struct fixture f = set_up();
    must_exec(f.conn, "BEGIN READ ONLY");
    is_refused_to_write(f.conn);
    tear_down(&f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_parameters_return_unchanged_when_selected),
        cmocka_unit_test(null_and_empty_binary_parameters_differ_when_sent),
        cmocka_unit_test(result_is_binary_when_result_format_is_1),
        cmocka_unit_test(
            empty_sql_succeeds_but_call_is_refused_when_sql_is_null),
        cmocka_unit_test(
            exec_params_fails_with_42601_when_sql_has_several_statements),
        cmocka_unit_test(
            query_is_refused_before_sending_when_its_parameters_are_invalid),
        cmocka_unit_test(lease_stays_usable_when_a_parameter_is_too_long),
        cmocka_unit_test(query_succeeds_when_it_has_65535_parameters),
        cmocka_unit_test(
            result_and_connection_are_kept_when_server_reports_an_error),
        cmocka_unit_test(
            connection_is_kept_when_statement_timeout_of_the_server_fires),
        cmocka_unit_test(connection_is_kept_when_server_disk_is_full),
        cmocka_unit_test(
            connection_is_closed_when_a_statement_exceeds_its_deadline),
        cmocka_unit_test(statement_times_out_when_server_keeps_sending_notices),
        cmocka_unit_test(
            connection_is_kept_when_statements_meet_their_deadlines),
        cmocka_unit_test(
            statement_times_out_when_paused_server_does_not_read_its_parameter),
        cmocka_unit_test(parameter_returns_unchanged_when_it_has_16_megabytes),
        cmocka_unit_test(
            exec_returns_unsupported_and_discards_when_sql_is_copy),
        cmocka_unit_test(session_is_kept_when_sql_raises_a_connection_sqlstate),
        cmocka_unit_test(
            exec_returns_lost_when_backend_is_terminated_during_it),
        cmocka_unit_test(
            exec_returns_lost_when_idle_in_transaction_timeout_fired),
        cmocka_unit_test(
            exec_is_refused_when_borrower_has_a_libpq_command_open),
        cmocka_unit_test(nonblocking_flag_is_unchanged_when_exec_returns),
        cmocka_unit_test_teardown(pool_is_recycled_when_server_became_read_only,
                                  server_writes_again),
        cmocka_unit_test(
            only_own_session_is_closed_when_borrower_set_it_read_only),
        cmocka_unit_test(
            session_is_kept_when_write_failed_in_a_read_only_transaction),
    };
    return run_with_server(tests);
}
