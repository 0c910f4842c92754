/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What one borrower leaves behind, and what the next one finds.
 */
#include "support_pg.h"

#include <stdio.h>
#include <string.h>

enum next { SAME, NEW }; /* the next borrower's session */

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
static void an_open_transaction_is_rolled_back(void **state)
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
static void a_failed_transaction_is_rolled_back(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN");
    assert_int_equal(pqp_exec(f.conn, "SELECT 1/0", NULL, NULL), PQP_SERVER);
    hand_over(&f, SAME);
    tear_down(&f);
}

/* D03 */
static void a_rollback_that_fails_costs_the_connection(void **state)
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
static void release_does_not_wait_for_a_frozen_server(void **state)
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
static void what_is_set_in_a_transaction_ends_with_it(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    must_exec(f.conn, "BEGIN; SET LOCAL statement_timeout = 1234;"
                      " SELECT lo_creat(-1)");
    hand_over(&f, SAME);
    assert_string_not_equal(ask(f.conn, "SHOW statement_timeout"), "1234ms");
    tear_down(&f);
}

/* ---- what cannot be cleaned ---- */

/* D05 D07 */
static void an_open_copy_costs_the_connection(void **state)
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
static void a_copy_that_failed_on_the_server_costs_the_connection(void **state)
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
static void rows_not_read_cost_the_connection(void **state)
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
static void a_result_not_read_costs_the_connection(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_ROLLBACK);
    assert_true(PQsendQuery(pqp_pgconn(f.conn), "SELECT 1"));
    hand_over(&f, NEW);
    tear_down(&f);
}

/* D11 D12 */
static void a_pipeline_with_something_in_it_costs_the_connection(void **state)
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

/* ---- what DISCARD ALL cleans ---- */

/* D14 D15 */
static void discard_all_undoes_a_change_of_role(void **state)
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
static void discard_all_leaves_nothing_of_the_session(void **state)
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
static void discard_all_returns_to_the_values_of_the_start(void **state)
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
static void a_custom_setting_is_empty_afterwards_not_null(void **state)
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
static void discard_all_within_a_transaction_follows_a_rollback(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    must_exec(f.conn, "SET statement_timeout = 77777; BEGIN");
    hand_over(&f, SAME);
    assert_string_not_equal(ask(f.conn, "SHOW statement_timeout"), "77777ms");
    tear_down(&f);
}

/* D26 */
static void a_discard_all_that_fails_costs_the_connection(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_DISCARD_ALL);
    kill_backend(f.pid);
    hand_over(&f, NEW);
    tear_down(&f);
}

/* D25 */
static void with_reset_close_every_lease_has_a_new_session(void **state)
{
    (void)state;
    struct fixture f = set_up(PQP_RESET_CLOSE);
    must_exec(f.conn, "SELECT setseed(0.5)");
    hand_over(&f, NEW);
    assert_int_equal(stats_of(f.pool).created, 2);
    tear_down(&f);
}

/* D32 */
static void a_clean_session_is_not_asked_anything(void **state)
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
static void libpqs_own_settings_are_put_back(void **state)
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
static void the_client_encoding_is_put_back(void **state)
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
static void a_waiter_never_runs_on_an_unclean_session(void **state)
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
        cmocka_unit_test(an_open_transaction_is_rolled_back),
        cmocka_unit_test(a_failed_transaction_is_rolled_back),
        cmocka_unit_test(a_rollback_that_fails_costs_the_connection),
        cmocka_unit_test(release_does_not_wait_for_a_frozen_server),
        cmocka_unit_test(what_is_set_in_a_transaction_ends_with_it),
        cmocka_unit_test(an_open_copy_costs_the_connection),
        cmocka_unit_test(a_copy_that_failed_on_the_server_costs_the_connection),
        cmocka_unit_test(rows_not_read_cost_the_connection),
        cmocka_unit_test(a_result_not_read_costs_the_connection),
        cmocka_unit_test(a_pipeline_with_something_in_it_costs_the_connection),
        cmocka_unit_test(discard_all_undoes_a_change_of_role),
        cmocka_unit_test(discard_all_leaves_nothing_of_the_session),
        cmocka_unit_test(discard_all_returns_to_the_values_of_the_start),
        cmocka_unit_test(a_custom_setting_is_empty_afterwards_not_null),
        cmocka_unit_test(discard_all_within_a_transaction_follows_a_rollback),
        cmocka_unit_test(a_discard_all_that_fails_costs_the_connection),
        cmocka_unit_test(with_reset_close_every_lease_has_a_new_session),
        cmocka_unit_test(a_clean_session_is_not_asked_anything),
        cmocka_unit_test(libpqs_own_settings_are_put_back),
        cmocka_unit_test(the_client_encoding_is_put_back),
        cmocka_unit_test(a_waiter_never_runs_on_an_unclean_session),
    };
    return run_with_server(tests);
}
