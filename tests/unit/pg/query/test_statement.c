/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Answers that belong to no statement, from a scripted server.  They are not
 * given to the borrower, and the session ends. */
#include "support_session.h"

#include <stdio.h>

#include "base/clock.h"
#include "pg/base/socket.h"
#include "pg/query/statement.h"

static PGresult *result; /* of the last statement() */
static pqp_error err;

static pqp_status statement(void)
{
    const pqp_query query = {.size = sizeof query, .sql = "SELECT mine"};
    PQclear(result);
    result = NULL;
    return pqp__statement(session, &query, 1, in_ms(60000), &result, &err);
}

static int end_test(void **state)
{
    PQclear(result);
    result = NULL;
    return tear_down(state);
}

/* ---- before a statement ---- */

static void
statement_is_not_sent_when_unsolicited_answer_or_close_came_before(void **state)
{
    (void)state;
    static const struct {
        const char *script, *sqlstate, *message;
    } cases[] = {
        {"puzw", "", "belongs to no statement"},
        {"pezw", "", "belongs to no statement"},
        {"pzw", "", "belongs to no statement"},
        {"przw", "", "belongs to no statement"},
        {"pTw", "57P01", "the server says no"},
        {"pT", "57P01", "the server says no"},
        {"p", "", "closed"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        begin(cases[i].script, PQP_RESET_ROLLBACK);
        let_server_go_on();
        assert_int_equal(statement(), PQP_LOST);
        assert_int_equal(err.status, PQP_LOST);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_true(err.flags & PQP_ERR_DISCARD);
        assert_null(result);
        assert_false(session->statement_sent);
        assert_false(mock_heard(mock, "SELECT mine"));
        assert_int_equal(reset(), RPOOL_DISCARD);
        end_test(NULL);
    }
}

static void statement_gets_its_own_answer_when_notices_came_before(void **state)
{
    (void)state;
    begin("pnamyquzw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_int_equal(statement(), PQP_OK);
    assert_true(session->statement_sent);
    assert_string_equal(PQgetvalue(result, 0, 0), "one");
    PGnotify *notify = PQnotifies(session->pg);
    assert_non_null(notify);
    PQfreemem(notify);
    assert_int_equal(reset(), RPOOL_REUSE);
}

/* ---- behind a statement ---- */

static void
session_is_discarded_when_one_statement_gets_two_answers(void **state)
{
    (void)state;
    begin("qJw", PQP_RESET_ROLLBACK);
    assert_int_equal(statement(), PQP_OK);
    assert_string_equal(PQcmdStatus(result), "SELECT 0");
    assert_true(session->broken);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void next_statement_is_lost_when_last_one_got_two_answers(void **state)
{
    (void)state;
    begin("qczpuzqczw", PQP_RESET_ROLLBACK);
    assert_int_equal(statement(), PQP_OK);
    let_server_go_on();
    assert_int_equal(statement(), PQP_LOST);
    assert_null(result);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* An error may follow the result, when a constraint is checked at the end. */
static void extended_query_is_lost_when_it_gets_two_results(void **state)
{
    (void)state;
    const pqp_query query = {.size = sizeof query, .sql = "SELECT"};
    begin("qxccz", PQP_RESET_ROLLBACK);
    assert_int_equal(
        pqp__statement(session, &query, 0, in_ms(60000), &result, &err),
        PQP_LOST);
    assert_null(result);
    assert_int_equal(reset(), RPOOL_DISCARD);
    end_test(NULL);
    begin("qxcrz", PQP_RESET_ROLLBACK);
    assert_int_equal(
        pqp__statement(session, &query, 0, in_ms(60000), &result, &err),
        PQP_SERVER);
    assert_string_equal(err.sqlstate, "42601");
}

/* ---- warnings of libpq about results ---- */

static void session_stays_usable_when_libpq_warns_about_a_result(void **state)
{
    (void)state;
    begin("qczqczw", PQP_RESET_ROLLBACK);
    assert_int_equal(statement(), PQP_OK);
    (void)PQgetisnull(result, 9, 9);
    assert_false(session->broken);
    assert_int_equal(reset(), RPOOL_REUSE);
}

static PGresult *older;

static void ask_for_a_row_in_vain(void *arg, const pqp_event *event)
{
    (void)arg;
    notices += event->type == PQP_EVENT_NOTICE;
    (void)PQgetisnull(older, 9, 9);
}

/* The listener is called while the statement is running. */
static void
session_stays_usable_when_libpq_warns_inside_the_listener(void **state)
{
    (void)state;
    begin("qczqnczw", PQP_RESET_ROLLBACK);
    assert_int_equal(statement(), PQP_OK);
    older = result;
    result = NULL;
    config->options.on_event = ask_for_a_row_in_vain;
    assert_int_equal(statement(), PQP_OK);
    assert_int_equal(notices, 1);
    assert_int_equal(reset(), RPOOL_REUSE);
    PQclear(older);
}

/* ---- through a pool ---- */

static pqp_pool *open_on(const char *scripts)
{
    char conninfo[128];
    pqp_pool *pool = NULL;
    mock = mock_start(scripts);
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%d user=u sslmode=disable gssencmode=disable",
             mock_port(mock));
    assert_int_equal(
        pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = conninfo, .max_size = 1,
                                  .ping_after_ms = PQP_NEVER,
                                  .connect_retry_max_ms = 1),
                      NULL),
        PQP_OK);
    return pool;
}

static pqp_conn *borrow(pqp_pool *pool)
{
    pqp_conn *conn = NULL;
    assert_int_equal(pqp_acquire(pool, 60000, &conn, NULL), PQP_OK);
    return conn;
}

/* Without using the lease through pqpool. */
static void let_server_go_on_with(const pqp_conn *conn)
{
    const struct session *leased = rpool_resource((const rpool_item *)conn);
    mock_go_on(mock);
    assert_int_equal(
        pqp__wait_socket(PQsocket(leased->pg), 0, -1, in_ms(60000)), 1);
}

static void close_and_stop(pqp_pool *pool)
{
    assert_int_equal(pqp_pool_close(&pool, 60000), PQP_OK);
    mock_stop(mock);
}

/* The rest of the answer, which comes later, does not reach the borrower
 * either. */
static void
pgconn_is_closed_when_an_unsolicited_answer_came_before_its_use(void **state)
{
    (void)state;
    pqp_pool *pool = open_on("sopupczw");
    pqp_conn *conn = borrow(pool);
    let_server_go_on_with(conn);
    PGconn *pg = pqp_pgconn(conn);
    assert_non_null(pg);
    mock_go_on(mock);
    PGresult *res = PQexec(pg, "SELECT");
    assert_int_equal(PQresultStatus(res), PGRES_FATAL_ERROR);
    assert_int_equal(PQstatus(pg), CONNECTION_BAD);
    PQclear(res);
    pqp_release(&conn);
    pqp_stats stats = {.size = sizeof stats};
    assert_int_equal(pqp_pool_stats(pool, &stats), PQP_OK);
    assert_int_equal(stats.idle, 0);
    close_and_stop(pool);
}

static void notification_is_kept_when_borrower_takes_the_pgconn(void **state)
{
    (void)state;
    pqp_pool *pool = open_on("sopaw");
    pqp_conn *conn = borrow(pool);
    let_server_go_on_with(conn);
    PGnotify *notify = PQnotifies(pqp_pgconn(conn));
    assert_non_null(notify);
    PQfreemem(notify);
    pqp_release(&conn);
    close_and_stop(pool);
}

/* Releases an unused lease.  Then the server goes on, and its message stays
 * unread. */
static void leave_unread(pqp_pool *pool)
{
    pqp_conn *conn = borrow(pool);
    const struct session *leased = rpool_resource((rpool_item *)conn);
    int fd = PQsocket(leased->pg);
    pqp_release(&conn);
    mock_go_on(mock);
    assert_int_equal(pqp__wait_socket(fd, 0, -1, in_ms(60000)), 1);
}

/* C01: if the connection had already ended, another one runs the statement. */
static void pool_exec_uses_another_connection_when_first_had_ended(void **state)
{
    (void)state;
    static const char *const scripts[] = {"sopTw soqxczw", "sopuzw soqxczw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        pqp_pool *pool = open_on(scripts[i]);
        leave_unread(pool);
        assert_int_equal(pqp_pool_exec_params(pool, 60000,
                                              PQP_QUERY(.sql = "SELECT"), NULL,
                                              &err),
                         PQP_OK);
        assert_int_equal(mock_accepted(mock), 2);
        close_and_stop(pool);
    }
}

/* The core looks at an item that was idle for two ticks of its clock. */
static void
acquire_uses_another_connection_when_server_ended_the_idle_one(void **state)
{
    (void)state;
    static const char *const scripts[] = {"sopTw soqczw", "sopuzw soqczw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        pqp_pool *pool = open_on(scripts[i]);
        leave_unread(pool);
        for (int64_t idle = clock_coarse() + 4 * CLOCK_COARSE_TICK;
             clock_coarse() < idle;)
            ;
        pqp_conn *conn = borrow(pool);
        assert_int_equal(mock_accepted(mock), 2);
        assert_int_equal(pqp_exec(conn, "SELECT", NULL, NULL), PQP_OK);
        pqp_release(&conn);
        close_and_stop(pool);
    }
}

/* It was sent, and the server may have run it. */
static void
pool_exec_does_not_resend_when_connection_is_lost_after_sending(void **state)
{
    (void)state;
    pqp_pool *pool = open_on("soqT soqxczw");
    assert_int_equal(pqp_pool_exec_params(
                         pool, 60000, PQP_QUERY(.sql = "SELECT"), NULL, &err),
                     PQP_LOST);
    assert_string_equal(err.sqlstate, "57P01");
    assert_int_equal(mock_accepted(mock), 1);
    close_and_stop(pool);
}

/* A05: the call gives up after some connections, long before its deadline. */
static void pool_exec_gives_up_when_each_connection_has_ended(void **state)
{
    (void)state;
    pqp_pool *pool = open_on("soT");
    assert_int_equal(pqp_pool_exec_params(
                         pool, 60000, PQP_QUERY(.sql = "SELECT"), NULL, &err),
                     PQP_LOST);
    close_and_stop(pool);
}

static void
commit_is_not_in_doubt_when_server_ended_session_before_it(void **state)
{
    (void)state;
    pqp_pool *pool = open_on("soqctpTw");
    pqp_conn *conn = borrow(pool);
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    let_server_go_on_with(conn);
    assert_int_equal(pqp_commit(conn, &err), PQP_LOST);
    assert_string_equal(err.sqlstate, "57P01");
    assert_false(err.flags & PQP_ERR_IN_DOUBT);
    assert_false(mock_heard(mock, "COMMIT"));
    pqp_release(&conn);
    close_and_stop(pool);
}

#define TEST(name) cmocka_unit_test_teardown(name, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            statement_is_not_sent_when_unsolicited_answer_or_close_came_before),
        TEST(statement_gets_its_own_answer_when_notices_came_before),
        TEST(session_is_discarded_when_one_statement_gets_two_answers),
        TEST(next_statement_is_lost_when_last_one_got_two_answers),
        TEST(extended_query_is_lost_when_it_gets_two_results),
        TEST(session_stays_usable_when_libpq_warns_about_a_result),
        TEST(session_stays_usable_when_libpq_warns_inside_the_listener),
        cmocka_unit_test(
            pgconn_is_closed_when_an_unsolicited_answer_came_before_its_use),
        cmocka_unit_test(notification_is_kept_when_borrower_takes_the_pgconn),
        cmocka_unit_test(
            pool_exec_uses_another_connection_when_first_had_ended),
        cmocka_unit_test(
            acquire_uses_another_connection_when_server_ended_the_idle_one),
        cmocka_unit_test(
            pool_exec_does_not_resend_when_connection_is_lost_after_sending),
        cmocka_unit_test(pool_exec_gives_up_when_each_connection_has_ended),
        cmocka_unit_test(
            commit_is_not_in_doubt_when_server_ended_session_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
