/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What libpq reports beside results, from a scripted server: the error text
 * that it keeps, notices, and its warning about an unexpected message. */
#include "support_session.h"

#include <sys/socket.h>

#include "base/clock.h"

/* ---- the error that libpq keeps ---- */

static void libpq_error_text_is_cleared_when_lease_is_released(void **state)
{
    (void)state;
    begin("qrzqrzqrzw", PQP_RESET_ROLLBACK);
    borrower_runs("SELECT");
    assert_non_null(strstr(PQerrorMessage(session->pg), "not like this"));
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_string_equal(PQerrorMessage(session->pg), "");
    session->touched = 1;
    borrower_runs("SELECT");
    assert_int_equal(PQsetnonblocking(session->pg, 1), 0);
    assert_true(PQsendQuery(session->pg, "SELECT"));
    PQclear(PQgetResult(session->pg));
    assert_null(PQgetResult(session->pg));
    assert_non_null(strstr(PQerrorMessage(session->pg), "not like this"));
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_string_equal(PQerrorMessage(session->pg), "");
}

/* ---- messages that answer nothing ---- */

/* An unsolicited answer shifts all later answers by one. */
static void check_fails_when_an_unsolicited_answer_came(void **state)
{
    (void)state;
    static const char *const scripts[] = {"pezqezw", "pczqezw", "przqezw",
                                          "pxqezw", "pXqezw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        let_server_go_on();
        stderr_catch();
        int answer = check(60000);
        size_t caught = stderr_caught();
        assert_int_equal(answer, RPOOL_BAD);
        assert_int_equal(caught, 0);
        tear_down(NULL);
    }
}

static void check_fails_when_a_second_answer_follows_the_ping(void **state)
{
    (void)state;
    begin("qpezezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check_at_once(), RPOOL_AGAIN);
    let_server_go_on();
    char all[22];
    while (recv(PQsocket(session->pg), all, sizeof all, MSG_PEEK) < 22)
        ;
    assert_int_equal(check(60000), RPOOL_BAD);
}

static void
reset_discards_when_borrower_had_read_an_unsolicited_answer(void **state)
{
    (void)state;
    begin("pczw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_true(PQconsumeInput(session->pg));
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* libpq warns of a missing row, without an SQLSTATE. */
static void session_stays_usable_when_libpq_warns_the_borrower(void **state)
{
    (void)state;
    begin("qczqezw", PQP_RESET_ROLLBACK);
    PGresult *res = PQexec(session->pg, "SELECT");
    assert_int_equal(reset(), RPOOL_REUSE);
    (void)PQgetisnull(res, 9, 9);
    assert_int_equal(check(60000), RPOOL_GOOD);
    (void)PQgetisnull(res, 9, 9);
    PQclear(res);
    assert_false(session->broken);
}

/* ---- detached ---- */

static void count_line(void *arg, const char *line)
{
    (void)line;
    ++*(int *)arg;
}

static void count_result(void *arg, const PGresult *res)
{
    (void)res;
    ++*(int *)arg;
}

static void
notice_goes_to_new_processor_when_connection_is_detached(void **state)
{
    (void)state;
    begin("qnczw", PQP_RESET_ROLLBACK);
    int lines = 0;
    PGconn *pg = pqp__session_detach(session);
    session = NULL;
    (void)PQsetNoticeProcessor(pg, count_line, &lines);
    PQclear(PQexec(pg, "SELECT"));
    PQfinish(pg);
    assert_int_equal(lines, 1);
}

static void
notice_receiver_of_borrower_stays_when_connection_is_detached(void **state)
{
    (void)state;
    begin("qnczw", PQP_RESET_ROLLBACK);
    int results = 0;
    (void)PQsetNoticeReceiver(session->pg, count_result, &results);
    PGconn *pg = pqp__session_detach(session);
    session = NULL;
    PQclear(PQexec(pg, "SELECT"));
    PQfinish(pg);
    assert_int_equal(results, 1);
}

/* I-09 */
static void session_is_discarded_when_borrower_called_PQfinish(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    PQfinish(session->pg);
    assert_null(session->pg);
    assert_int_equal(pqp__session_fd(config, session), -1);
    assert_int_equal(check_at_once(), RPOOL_BAD);
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_null(pqp__session_detach(session));
    session = NULL;
}

/* I-10 */
static void session_is_discarded_when_borrower_called_PQreset(void **state)
{
    (void)state;
    begin(" sow", PQP_RESET_ROLLBACK);
    PQreset(session->pg);
    assert_int_equal(PQstatus(session->pg), CONNECTION_OK);
    assert_int_equal(mock_accepted(mock), 2);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* T11 I-18 */
static void results_are_usable_when_session_is_destroyed(void **state)
{
    (void)state;
    begin("qczw", PQP_RESET_ROLLBACK);
    PGresult *kept = PQexec(session->pg, "SELECT");
    PGresult *copy = PQcopyResult(
        kept, PG_COPYRES_NOTICEHOOKS | PG_COPYRES_EVENTS | PG_COPYRES_TUPLES);
    PGresult *made = PQmakeEmptyPGresult(session->pg, PGRES_TUPLES_OK);
    pqp__session_destroy(config, session);
    session = NULL;
    stderr_catch();
    /* each of these calls emits a notice of libpq */
    (void)PQgetisnull(kept, 9, 9);
    (void)PQgetisnull(copy, 9, 9);
    (void)PQgetisnull(made, 9, 9);
    PQclear(made);
    PQclear(copy);
    PQclear(kept);
    assert_int_equal(stderr_caught(), 0);
    assert_int_equal(notices, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(session_is_discarded_when_borrower_called_PQfinish),
        TEST(session_is_discarded_when_borrower_called_PQreset),
        TEST(results_are_usable_when_session_is_destroyed),
        TEST(libpq_error_text_is_cleared_when_lease_is_released),
        cmocka_unit_test(check_fails_when_an_unsolicited_answer_came),
        TEST(check_fails_when_a_second_answer_follows_the_ping),
        TEST(reset_discards_when_borrower_had_read_an_unsolicited_answer),
        TEST(session_stays_usable_when_libpq_warns_the_borrower),
        TEST(notice_goes_to_new_processor_when_connection_is_detached),
        TEST(notice_receiver_of_borrower_stays_when_connection_is_detached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
