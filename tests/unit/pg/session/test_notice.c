/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What libpq says beside results, against a scripted server: the error that it
 * keeps, notices, and its word on a message that answers nothing. */
#include "support_session.h"

#include <sys/socket.h>

#include "base/clock.h"

/* ---- the error that libpq keeps ---- */

static void error_of_a_borrower_is_not_there_for_the_next(void **state)
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

/* What was not asked for shifts all answers by one. */
static void answer_that_nobody_asked_for_fails_the_check(void **state)
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

static void answer_too_many_behind_the_pings_fails_the_check(void **state)
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

static void answer_too_many_is_seen_at_release_if_it_was_read(void **state)
{
    (void)state;
    begin("pczw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_true(PQconsumeInput(session->pg));
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* libpq warns of a row that is not there, without an SQLSTATE. */
static void warning_of_libpq_to_the_borrower_breaks_nothing(void **state)
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

static void notices_of_a_detached_connection_go_to_its_processor(void **state)
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

static void receiver_that_the_borrower_set_is_detached_with_it(void **state)
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

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(error_of_a_borrower_is_not_there_for_the_next),
        cmocka_unit_test(answer_that_nobody_asked_for_fails_the_check),
        TEST(answer_too_many_behind_the_pings_fails_the_check),
        TEST(answer_too_many_is_seen_at_release_if_it_was_read),
        TEST(warning_of_libpq_to_the_borrower_breaks_nothing),
        TEST(notices_of_a_detached_connection_go_to_its_processor),
        TEST(receiver_that_the_borrower_set_is_detached_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
