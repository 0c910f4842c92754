/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What one borrower leaves in a session, and what the next one finds. */
#include "support_pg.h"

#include <stdio.h>
#include <string.h>

enum next { SAME, NEW }; /* the session of the next lease */

struct fixture {
    pqp_pool *pool;
    pqp_conn *conn;
    int pid;
};

static struct fixture set_up(pqp_reset reset)
{
    struct fixture f = {.pool = open_pool(.max_size = 1, .reset = reset)};
    f.conn = borrow(f.pool);
    f.pid = backend_of(f.conn);
    return f;
}

static void hand_over(struct fixture *f, enum next next)
{
    pqp_release(&f->conn);
    f->conn = borrow(f->pool);
    assert_int_equal(backend_of(f->conn) == f->pid, next == SAME);
    assert_int_equal(PQtransactionStatus(pqp_pgconn(f->conn)), PQTRANS_IDLE);
    assert_string_equal(ask(f->conn, "SELECT 1"), "1");
}

static void tear_down(struct fixture *f)
{
    pqp_release(&f->conn);
    close_pool(&f->pool);
}

/* ---- transactions ---- */

/* D01 D33 */
static void transaction_is_rolled_back_when_lease_is_released(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN; CREATE TEMP TABLE left_over (n int)");
    hand_over(&f, SAME);
    assert_string_equal(ask(f.conn, "SELECT to_regclass('left_over') IS NULL"),
                        "t");
    tear_down(&f);
}

/* D02 */
static void
failed_transaction_is_rolled_back_when_lease_is_released(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN");
    assert_int_equal(pqp_exec(f.conn, "SELECT 1/0", NULL, NULL), PQP_SERVER);
    hand_over(&f, SAME);
    tear_down(&f);
}

/* D03 */
static void connection_is_closed_when_rollback_at_release_fails(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN");
    kill_backend(f.pid);
    hand_over(&f, NEW);
    pqp_stats stats = stats_of(f.pool);
    assert_int_equal(stats.closed, 1);
    assert_int_equal(stats.total, 1);
    tear_down(&f);
}

/* D04 D34 */
static void release_returns_at_once_when_server_is_paused(void **state)
{
    (void)state;
    need_server_ctl();
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN");
    assert_true(server_ctl("pause"));
    int64_t start = now_ms();
    pqp_release(&f.conn);
    int64_t released = now_ms();
    pqp_status status = pqp_acquire(f.pool, 200, &f.conn, NULL);
    int64_t acquired = now_ms();
    assert_true(server_ctl("resume"));
    assert_true(released - start < 100);
    assert_int_equal(status, PQP_TIMEOUT);
    assert_in_range(acquired - released, 200, 1000);
    f.conn = borrow(f.pool);
    assert_string_equal(ask(f.conn, "SELECT 1"), "1");
    tear_down(&f);
}

/* D35 */
static void
set_local_value_is_gone_when_transaction_was_rolled_back(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN; SET LOCAL statement_timeout = 1234;"
                      " SELECT lo_creat(-1)");
    hand_over(&f, SAME);
    assert_string_not_equal(ask(f.conn, "SHOW statement_timeout"), "1234ms");
    tear_down(&f);
}

/* ---- sessions that cannot be cleaned ---- */

/* D05 D07 */
static void connection_is_closed_when_released_during_copy(void **state)
{
    (void)state;
    static const char *const copies[] = {
        "COPY (SELECT generate_series(1, 1000000)) TO STDOUT",
        "COPY notes (body) FROM STDIN"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f = set_up(PQP_RESET_ROLLBACK);
        PQclear(PQexec(pqp_pgconn(f.conn), copies[i]));
        hand_over(&f, NEW);
        tear_down(&f);
    }
}

/* D08 */
static void connection_is_closed_when_released_after_failed_copy(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    PGconn *pg = pqp_pgconn(f.conn);
    PQclear(PQexec(pg, "COPY accounts FROM STDIN"));
    assert_int_equal(PQputCopyData(pg, "no number\n", 10), 1);
    hand_over(&f, NEW);
    tear_down(&f);
}

/* D09 */
static void connection_is_closed_when_released_with_unread_rows(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    PGconn *pg = pqp_pgconn(f.conn);
    assert_true(PQsendQuery(pg, "SELECT generate_series(1, 10000000)"));
    assert_true(PQsetSingleRowMode(pg));
    PQclear(PQgetResult(pg));
    int64_t start = now_ms();
    pqp_release(&f.conn);
    assert_true(now_ms() - start < 500);
    hand_over(&f, NEW);
    tear_down(&f);
}

/* D10 */
static void
connection_is_closed_when_released_with_an_unread_result(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    assert_true(PQsendQuery(pqp_pgconn(f.conn), "SELECT 1"));
    hand_over(&f, NEW);
    tear_down(&f);
}

/* D11 D12 */
static void
connection_is_closed_when_released_with_an_unfinished_pipeline(void **state)
{
    (void)state;
    for (int aborted = 0; aborted < 2; aborted++) {
        struct fixture f = set_up(PQP_RESET_ROLLBACK);
        PGconn *pg = pqp_pgconn(f.conn);
        assert_true(PQenterPipelineMode(pg));
        assert_true(PQsendQueryParams(pg, aborted ? "SELECT 1/0" : "SELECT 1",
                                      0, NULL, NULL, NULL, NULL, 0));
        assert_true(PQpipelineSync(pg));
        if (aborted)
            PQclear(PQgetResult(pg));
        hand_over(&f, NEW);
        tear_down(&f);
    }
}

/* ---- effects of DISCARD ALL ---- */

/* D14 D15 */
static void role_is_restored_when_reset_is_discard_all(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_int_equal(
        pqp_pool_open(&f.pool,
                      PQP_OPTIONS(.conninfo = pg_admin_dsn(), .max_size = 1,
                                  .reset = PQP_RESET_DISCARD_ALL),
                      NULL),
        PQP_OK);
    f.conn = borrow(f.pool);
    f.pid = backend_of(f.conn);
    static const char *const changes[] = {"SET ROLE pqpool",
                                          "SET SESSION AUTHORIZATION pqpool"};
    for (size_t i = 0; i < 2; i++) {
        must_exec(f.conn, changes[i]);
        assert_string_equal(ask(f.conn, "SELECT current_user"), "pqpool");
        hand_over(&f, SAME);
        assert_string_equal(ask(f.conn, "SELECT current_user = session_user"),
                            "t");
        assert_string_not_equal(ask(f.conn, "SELECT session_user"), "pqpool");
    }
    tear_down(&f);
}

/* D16 D19 D20 D21 D22 */
static void session_state_is_gone_when_reset_is_discard_all(void **state)
{
    (void)state;
    static const struct {
        const char *leave, *look, *expect;
    } cases[] = {
        {"SET search_path = nowhere",
         "SELECT current_setting('search_path')"
         " = 'nowhere'",
         "f"},
        {"SET TimeZone = 'Asia/Tokyo'",
         "SELECT current_setting('TimeZone')"
         " = 'Asia/Tokyo'",
         "f"},
        {"SET default_transaction_read_only = on",
         "SHOW default_transaction_read_only", "off"},
        {"CREATE TEMP TABLE left_over (n int)",
         "SELECT to_regclass('left_over') IS NULL", "t"},
        {"SELECT pg_advisory_lock(4711)",
         "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
         " AND pid = pg_backend_pid()",
         "0"},
        {"PREPARE left_over AS SELECT 1",
         "SELECT count(*) FROM pg_prepared_statements", "0"},
        {"DECLARE left_over CURSOR WITH HOLD FOR SELECT 1",
         "SELECT count(*) FROM pg_cursors", "0"},
        {"LISTEN left_over", "SELECT count(*) FROM pg_listening_channels()",
         "0"},
    };
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    must_exec(f.conn, "SELECT 1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        must_exec(f.conn, cases[i].leave);
        assert_string_not_equal(ask(f.conn, cases[i].look), cases[i].expect);
        hand_over(&f, SAME);
        assert_string_equal(ask(f.conn, cases[i].look), cases[i].expect);
    }
    tear_down(&f);
}

/* D17 */
static void startup_settings_return_when_reset_is_discard_all(void **state)
{
    (void)state;
    pqp_pool *pool = NULL;
    assert_int_equal(
        pqp_pool_open(
            &pool,
            PQP_OPTIONS(.conninfo =
                            pg_dsn_with("options='-c statement_timeout=54321'"),
                        .max_size = 1, .reset = PQP_RESET_DISCARD_ALL),
            NULL),
        PQP_OK);
    PQP_AUTO_CONN conn = borrow(pool);
    must_exec(conn, "SET statement_timeout = 0");
    pqp_release(&conn);
    conn = borrow(pool);
    assert_string_equal(ask(conn, "SHOW statement_timeout"), "54321ms");
    pqp_release(&conn);
    close_pool(&pool);
}

/* D18 */
static void
custom_setting_is_empty_not_null_when_discard_all_reset_it(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    const char *look = "SELECT current_setting('app.tenant', true) IS NULL";
    assert_string_equal(ask(f.conn, look), "t");
    must_exec(f.conn, "SET app.tenant = 'x'");
    hand_over(&f, SAME);
    assert_string_equal(ask(f.conn, look), "f");
    assert_string_equal(ask(f.conn, "SELECT current_setting('app.tenant')"),
                        "");
    tear_down(&f);
}

/* D26 */
static void
discard_all_runs_after_rollback_when_released_in_a_transaction(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    must_exec(f.conn, "SET statement_timeout = 77777; BEGIN");
    hand_over(&f, SAME);
    assert_string_not_equal(ask(f.conn, "SHOW statement_timeout"), "77777ms");
    tear_down(&f);
}

/* D26 */
static void connection_is_closed_when_discard_all_fails(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    kill_backend(f.pid);
    hand_over(&f, NEW);
    tear_down(&f);
}

/* D25 */
static void each_lease_has_new_session_when_reset_is_close(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_CLOSE);
    must_exec(f.conn, "SELECT setseed(0.5)");
    hand_over(&f, NEW);
    assert_int_equal(stats_of(f.pool).created, 2);
    tear_down(&f);
}

/* D32 */
static void release_sends_nothing_when_session_is_clean(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "SET app.tenant = 'stays'");
    for (int i = 0; i < 100; i++)
        hand_over(&f, SAME);
    assert_string_equal(ask(f.conn, "SHOW app.tenant"), "stays");
    assert_int_equal(stats_of(f.pool).pinged, 0);
    tear_down(&f);
}

/* ---- libpq's own leftovers ---- */

static void count_notice(void *arg, const PGresult *res)
{
    (void)res;
    ++*(int *)arg;
}

/* D30 */
static void libpq_settings_are_restored_when_lease_is_released(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    PGconn *pg = pqp_pgconn(f.conn);
    int notices = 0;
    assert_int_equal(PQsetnonblocking(pg, 1), 0);
    (void)PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    (void)PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ALWAYS);
    (void)PQsetNoticeReceiver(pg, count_notice, &notices);
    must_exec(f.conn, "LISTEN here; NOTIFY here");
    hand_over(&f, SAME);
    pg = pqp_pgconn(f.conn);
    assert_int_equal(PQisnonblocking(pg), 0);
    assert_int_equal(PQsetErrorVerbosity(pg, PQERRORS_DEFAULT),
                     PQERRORS_DEFAULT);
    assert_int_equal(PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ERRORS),
                     PQSHOW_CONTEXT_ERRORS);
    assert_null(PQnotifies(pg));
    must_exec(f.conn, "DO $$BEGIN RAISE NOTICE 'hello'; END$$");
    assert_int_equal(notices, 0);
    tear_down(&f);
}

/* D31 */
static void client_encoding_is_restored_when_borrower_changed_it(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    int encoding = PQclientEncoding(pqp_pgconn(f.conn));
    assert_int_equal(PQsetClientEncoding(pqp_pgconn(f.conn), "SJIS"), 0);
    pqp_release(&f.conn);
    f.conn = borrow(f.pool);
    assert_int_equal(PQclientEncoding(pqp_pgconn(f.conn)), encoding);
    assert_string_not_equal(ask(f.conn, "SHOW client_encoding"), "SJIS");
    tear_down(&f);
}

/* D33 */
static void
next_lease_is_clean_when_last_borrower_left_a_transaction(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    for (int i = 0; i < 200; i++) {
        must_exec(f.conn, "BEGIN; SET app.tenant = 'mine'");
        hand_over(&f, SAME);
        assert_string_equal(ask(f.conn,
                                "SELECT coalesce(current_setting('app.tenant',"
                                " true), '')"),
                            "");
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transaction_is_rolled_back_when_lease_is_released),
        cmocka_unit_test(
            failed_transaction_is_rolled_back_when_lease_is_released),
        cmocka_unit_test(connection_is_closed_when_rollback_at_release_fails),
        cmocka_unit_test(release_returns_at_once_when_server_is_paused),
        cmocka_unit_test(
            set_local_value_is_gone_when_transaction_was_rolled_back),
        cmocka_unit_test(connection_is_closed_when_released_during_copy),
        cmocka_unit_test(connection_is_closed_when_released_after_failed_copy),
        cmocka_unit_test(connection_is_closed_when_released_with_unread_rows),
        cmocka_unit_test(
            connection_is_closed_when_released_with_an_unread_result),
        cmocka_unit_test(
            connection_is_closed_when_released_with_an_unfinished_pipeline),
        cmocka_unit_test(role_is_restored_when_reset_is_discard_all),
        cmocka_unit_test(session_state_is_gone_when_reset_is_discard_all),
        cmocka_unit_test(startup_settings_return_when_reset_is_discard_all),
        cmocka_unit_test(
            custom_setting_is_empty_not_null_when_discard_all_reset_it),
        cmocka_unit_test(
            discard_all_runs_after_rollback_when_released_in_a_transaction),
        cmocka_unit_test(connection_is_closed_when_discard_all_fails),
        cmocka_unit_test(each_lease_has_new_session_when_reset_is_close),
        cmocka_unit_test(release_sends_nothing_when_session_is_clean),
        cmocka_unit_test(libpq_settings_are_restored_when_lease_is_released),
        cmocka_unit_test(client_encoding_is_restored_when_borrower_changed_it),
        cmocka_unit_test(
            next_lease_is_clean_when_last_borrower_left_a_transaction),
    };
    return run_with_server(tests);
}
