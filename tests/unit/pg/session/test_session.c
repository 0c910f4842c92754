/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Sessions checked, cleaned and destroyed, against a scripted server: what is
 * sent, what may be answered, and what state of a session ends it unasked. */
#include "support_session.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"

/* ---- check ---- */

static void ping_is_one_empty_query(void **state)
{
    (void)state;
    begin("qezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(session->answers, 0);
    assert_int_equal(PQtransactionStatus(session->pg), PQTRANS_IDLE);
}

/* C08 */
static void unanswered_ping_fails_after_its_own_timeout(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    config->options.ping_timeout_ms = 30;
    int64_t began = clock_now();
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_true(clock_now() - began >= 30 * CLOCK_MS);
    assert_true(clock_now() - began < 5000 * CLOCK_MS);
}

static void callers_shorter_deadline_leaves_the_answer_outstanding(void **state)
{
    (void)state;
    begin("qpezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(10), RPOOL_AGAIN);
    assert_int_equal(check(10), RPOOL_AGAIN);
    assert_int_equal(session->answers, 1);
    mock_go_on(mock);
    assert_int_equal(check(60000), RPOOL_GOOD);
}

static void ping_timeout_runs_from_the_send_over_several_checks(void **state)
{
    (void)state;
    begin("qw", PQP_RESET_ROLLBACK);
    config->options.ping_timeout_ms = 60;
    int64_t began = clock_now();
    assert_int_equal(check(1), RPOOL_AGAIN);
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_true(clock_now() - began >= 60 * CLOCK_MS);
}

static void check_without_waiting_reads_what_is_there(void **state)
{
    (void)state;
    begin("qpezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check_at_once(), RPOOL_AGAIN);
    let_server_go_on();
    int answer = RPOOL_AGAIN;
    for (int i = 0; answer == RPOOL_AGAIN && i < 1000; i++) {
        answer = check_at_once(); /* the two messages may come apart */
        (void)pqp__wait_socket(PQsocket(session->pg), 0, -1, in_ms(1));
    }
    assert_int_equal(answer, RPOOL_GOOD);
}

static void answer_that_nobody_came_for_is_still_in_time(void **state)
{
    (void)state;
    begin("qpezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check_at_once(), RPOOL_AGAIN);
    let_server_go_on();
    char both[11]; /* EmptyQueryResponse and ReadyForQuery */
    while (recv(PQsocket(session->pg), both, sizeof both, MSG_PEEK) < 11)
        ;
    session->ping_deadline = clock_now() - 1;
    assert_int_equal(check(60000), RPOOL_GOOD);
}

/* C03 C04 T01 */
static void last_words_of_the_server_fail_the_check_in_silence(void **state)
{
    (void)state;
    begin("pT", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_int_equal(PQstatus(session->pg), CONNECTION_OK);
    stderr_catch();
    int answer = check(60000);
    size_t caught = stderr_caught();
    assert_int_equal(answer, RPOOL_BAD);
    assert_int_equal(caught, 0);
}

/* C03 */
static void last_words_read_by_the_borrower_break_the_session(void **state)
{
    (void)state;
    begin("pTw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    stderr_catch();
    int read = PQconsumeInput(session->pg);
    assert_null(PQnotifies(session->pg));
    size_t caught = stderr_caught();
    assert_int_equal(read, 1);
    assert_int_equal(caught, 0);
    assert_int_equal(PQstatus(session->pg), CONNECTION_OK);
    assert_int_equal(notices, 1);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void closed_connection_fails_the_check(void **state)
{
    (void)state;
    begin("p", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* C06 */
static void notify_and_notice_do_not_fail_the_check(void **state)
{
    (void)state;
    begin("paqnezw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_null(PQnotifies(session->pg));
    assert_int_equal(notices, 1);
}

/* P29: PgBouncer's console knows no empty statement. */
static void check_succeeds_when_ping_is_refused_at_rest(void **state)
{
    (void)state;
    static const char *const scripts[] = {"qrzw", "qbzw", "qnrzw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        assert_int_equal(check(60000), RPOOL_GOOD);
        assert_int_equal(session->answers, 0);
        assert_string_equal(PQerrorMessage(session->pg), "");
        tear_down(NULL);
    }
}

static void
check_fails_when_session_is_not_at_rest_after_refused_ping(void **state)
{
    (void)state;
    static const char *const scripts[] = {"qrtw", "qrfw", "qTzw", "qT", "qr"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        assert_int_equal(check(60000), RPOOL_BAD);
        tear_down(NULL);
    }
}

static void ping_answered_by_a_copy_fails_the_check(void **state)
{
    (void)state;
    begin("qhw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* C20 */
static void ping_answered_inside_a_transaction_fails_the_check(void **state)
{
    (void)state;
    begin("qetw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* Q11 */
static void garbage_fails_the_check(void **state)
{
    (void)state;
    begin("qgw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* ---- reset ---- */

/* D32 */
static void clean_session_is_reused_and_nothing_is_sent(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_int_equal(session->answers, 0);
}

/* D01 */
static void open_transaction_is_rolled_back_before_the_next_lease(void **state)
{
    (void)state;
    begin("qctqczw", PQP_RESET_ROLLBACK);
    borrower_runs("BEGIN");
    assert_int_equal(PQtransactionStatus(session->pg), PQTRANS_INTRANS);
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_true(mock_heard(mock, "ROLLBACK"));
    assert_false(mock_heard(mock, "DISCARD ALL"));
    assert_int_equal(PQtransactionStatus(session->pg), PQTRANS_IDLE);
}

/* D04 */
static void
rollback_that_is_not_answered_fails_after_the_ping_timeout(void **state)
{
    (void)state;
    begin("qctw", PQP_RESET_ROLLBACK);
    borrower_runs("BEGIN");
    config->options.ping_timeout_ms = 30;
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* D03 D26 */
static void refused_reset_fails_the_check(void **state)
{
    (void)state;
    begin("qrzw", PQP_RESET_DISCARD_ALL);
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_true(mock_heard(mock, "DISCARD ALL"));
}

static void rollback_and_discard_go_out_together(void **state)
{
    (void)state;
    begin("qctqxczqxczw", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(session->answers, 2);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(PQpipelineStatus(session->pg), PQ_PIPELINE_OFF);
    assert_false(PQisnonblocking(session->pg));
}

static void refusal_in_the_middle_of_both_fails_the_check(void **state)
{
    (void)state;
    begin("qctqxczqrzw", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

static void syncs_without_the_answers_before_them_fail_the_check(void **state)
{
    (void)state;
    begin("qctqzqzw", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* D12 */
static void server_lost_between_both_answers_fails_the_check(void **state)
{
    (void)state;
    begin("qctqxcz", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

static void reset_by_closing_asks_nothing(void **state)
{
    (void)state;
    begin("w", PQP_RESET_CLOSE);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* D10 */
static void unread_result_discards(void **state)
{
    (void)state;
    begin("qczw", PQP_RESET_ROLLBACK);
    assert_true(PQsendQuery(session->pg, "SELECT"));
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* D05 D07 */
static void open_copy_discards(void **state)
{
    (void)state;
    begin("qhw", PQP_RESET_DISCARD_ALL);
    borrower_runs("COPY a TO STDOUT");
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* D11 */
static void pipeline_mode_discards(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_true(PQenterPipelineMode(session->pg));
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void drop_notice(void *arg, const PGresult *res)
{
    (void)arg, (void)res;
}

static void drop_line(void *arg, const char *line)
{
    (void)arg, (void)line;
}

/* D30 */
static void what_the_borrower_set_in_libpq_is_restored(void **state)
{
    (void)state;
    begin("qnczw", PQP_RESET_ROLLBACK);
    PGconn *pg = session->pg;
    FILE *trace = tmpfile();
    assert_non_null(trace);
    PQsetErrorVerbosity(pg, PQERRORS_SQLSTATE);
    PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ALWAYS);
    PQsetNoticeReceiver(pg, drop_notice, NULL);
    PQnoticeProcessor processor = PQsetNoticeProcessor(pg, drop_line, NULL);
    PQtrace(pg, trace);
    assert_int_equal(PQsetnonblocking(pg, 1), 0);
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_int_equal(PQsetErrorVerbosity(pg, PQERRORS_DEFAULT),
                     PQERRORS_DEFAULT);
    assert_int_equal(PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ERRORS),
                     PQSHOW_CONTEXT_ERRORS);
    assert_false(PQisnonblocking(pg));
    assert_ptr_equal(PQsetNoticeProcessor(pg, NULL, NULL), processor);
    borrower_runs("SELECT");
    long traced = ftell(trace);
    (void)fclose(trace);
    assert_int_equal(traced, 0);
    assert_int_equal(notices, 1);
}

/* D32 */
static void session_that_was_not_touched_is_not_restored(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    PQsetErrorVerbosity(session->pg, PQERRORS_TERSE);
    session->touched = 0;
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_int_equal(PQsetErrorVerbosity(session->pg, PQERRORS_DEFAULT),
                     PQERRORS_TERSE);
}

static void session_is_touched_for_one_lease(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_false(session->touched);
}

/* D31 */
static void changed_encoding_discards(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    session->encoding++;
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void notifies_do_not_reach_the_next_borrower(void **state)
{
    (void)state;
    begin("paw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_true(PQconsumeInput(session->pg));
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_null(PQnotifies(session->pg));
}

/* ---- libpq's events ---- */

/* I-09 */
static void finished_connection_is_seen_and_not_touched_again(void **state)
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
static void reset_connection_is_seen_and_discarded(void **state)
{
    (void)state;
    begin(" sow", PQP_RESET_ROLLBACK);
    PQreset(session->pg);
    assert_int_equal(PQstatus(session->pg), CONNECTION_OK);
    assert_int_equal(mock_accepted(mock), 2);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* T11 I-18 */
static void results_outlive_the_session(void **state)
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
    (void)PQgetisnull(kept, 9, 9); /* each of these sends libpq's notice */
    (void)PQgetisnull(copy, 9, 9);
    (void)PQgetisnull(made, 9, 9);
    PQclear(made);
    PQclear(copy);
    PQclear(kept);
    assert_int_equal(stderr_caught(), 0);
    assert_int_equal(notices, 0);
}

static void detached_connection_lives_on_without_the_pool(void **state)
{
    (void)state;
    begin("qnczw", PQP_RESET_ROLLBACK);
    PGconn *pg = pqp__session_detach(session);
    session = NULL;
    stderr_catch(); /* libpq's own way with a notice */
    PGresult *res = PQexec(pg, "SELECT");
    ExecStatusType status = PQresultStatus(res);
    PQfinish(pg);
    PQclear(res);
    assert_true(stderr_caught() > 0);
    assert_int_equal(status, PGRES_COMMAND_OK);
    assert_int_equal(notices, 0);
}

/* ---- destroy ---- */

/* Nobody reads there: saying goodbye would never end. */
static void destroying_a_session_with_a_full_socket_does_not_block(void **state)
{
    (void)state;
    begin("p", PQP_RESET_ROLLBACK);
    static const char block[65536];
    while (send(PQsocket(session->pg), block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(PQtransactionStatus(session->pg), PQTRANS_IDLE);
    int64_t began = clock_now();
    pqp__session_destroy(config, session);
    session = NULL;
    assert_true(clock_now() - began < 1000 * CLOCK_MS);
}

static void destroying_an_unfinished_copy_does_not_block(void **state)
{
    (void)state;
    begin("qip", PQP_RESET_ROLLBACK);
    borrower_runs("COPY a FROM STDIN");
    static const char block[1 << 20];
    assert_int_equal(PQsetnonblocking(session->pg, 1), 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(PQputCopyData(session->pg, block, sizeof block), 1);
    assert_int_equal(reset(), RPOOL_DISCARD);
    int64_t began = clock_now();
    pqp__session_destroy(config, session);
    session = NULL;
    assert_true(clock_now() - began < 1000 * CLOCK_MS);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ping_is_one_empty_query),
        TEST(unanswered_ping_fails_after_its_own_timeout),
        TEST(callers_shorter_deadline_leaves_the_answer_outstanding),
        TEST(ping_timeout_runs_from_the_send_over_several_checks),
        TEST(check_without_waiting_reads_what_is_there),
        TEST(answer_that_nobody_came_for_is_still_in_time),
        TEST(last_words_of_the_server_fail_the_check_in_silence),
        TEST(last_words_read_by_the_borrower_break_the_session),
        TEST(closed_connection_fails_the_check),
        TEST(notify_and_notice_do_not_fail_the_check),
        cmocka_unit_test(check_succeeds_when_ping_is_refused_at_rest),
        cmocka_unit_test(
            check_fails_when_session_is_not_at_rest_after_refused_ping),
        TEST(ping_answered_by_a_copy_fails_the_check),
        TEST(ping_answered_inside_a_transaction_fails_the_check),
        TEST(garbage_fails_the_check),
        TEST(clean_session_is_reused_and_nothing_is_sent),
        TEST(open_transaction_is_rolled_back_before_the_next_lease),
        TEST(rollback_that_is_not_answered_fails_after_the_ping_timeout),
        TEST(refused_reset_fails_the_check),
        TEST(rollback_and_discard_go_out_together),
        TEST(refusal_in_the_middle_of_both_fails_the_check),
        TEST(syncs_without_the_answers_before_them_fail_the_check),
        TEST(server_lost_between_both_answers_fails_the_check),
        TEST(reset_by_closing_asks_nothing),
        TEST(unread_result_discards),
        TEST(open_copy_discards),
        TEST(pipeline_mode_discards),
        TEST(what_the_borrower_set_in_libpq_is_restored),
        TEST(session_that_was_not_touched_is_not_restored),
        TEST(session_is_touched_for_one_lease),
        TEST(changed_encoding_discards),
        TEST(notifies_do_not_reach_the_next_borrower),
        TEST(finished_connection_is_seen_and_not_touched_again),
        TEST(reset_connection_is_seen_and_discarded),
        TEST(results_outlive_the_session),
        TEST(detached_connection_lives_on_without_the_pool),
        TEST(destroying_a_session_with_a_full_socket_does_not_block),
        TEST(destroying_an_unfinished_copy_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
