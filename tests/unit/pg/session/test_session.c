/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Sessions checked, cleaned and destroyed, against a scripted server: what is
 * sent, what may be answered, and what state of a session ends it unasked. */
#include "support_session.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pg/base/socket.h"

/* ---- check ---- */

static void check_sends_one_empty_query_when_session_is_good(void **state)
{
    (void)state;
    begin("qezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(session->pending_syncs, 0);
    assert_int_equal(PQtransactionStatus(session->pg), PQTRANS_IDLE);
}

/* C08 */
static void
check_fails_after_ping_timeout_when_ping_gets_no_answer(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    config->options.ping_timeout_ms = 30;
    int64_t began = clock_now();
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_true(clock_now() - began >= 30 * CLOCK_MS);
    assert_true(clock_now() - began < 5000 * CLOCK_MS);
}

static void
check_returns_again_when_caller_deadline_precedes_ping_timeout(void **state)
{
    (void)state;
    begin("qpezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(10), RPOOL_AGAIN);
    assert_int_equal(check(10), RPOOL_AGAIN);
    assert_int_equal(session->pending_syncs, 1);
    mock_go_on(mock);
    assert_int_equal(check(60000), RPOOL_GOOD);
}

static void
ping_timeout_counts_from_the_send_when_check_is_repeated(void **state)
{
    (void)state;
    begin("qw", PQP_RESET_ROLLBACK);
    config->options.ping_timeout_ms = 60;
    int64_t began = clock_now();
    assert_int_equal(check(1), RPOOL_AGAIN);
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_true(clock_now() - began >= 60 * CLOCK_MS);
}

static void check_without_waiting_succeeds_when_answer_is_there(void **state)
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

static void
check_succeeds_when_answer_came_in_time_but_is_read_late(void **state)
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
static void check_fails_silently_when_server_sent_fatal_and_closed(void **state)
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
static void
reset_discards_when_borrower_read_the_servers_fatal_error(void **state)
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

static void check_fails_when_server_closed_the_connection(void **state)
{
    (void)state;
    begin("p", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* C06 */
static void check_succeeds_when_notification_and_notice_came(void **state)
{
    (void)state;
    begin("paqnezw", PQP_RESET_ROLLBACK);
    let_server_go_on();
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_null(PQnotifies(session->pg));
    assert_int_equal(notices, 1);
}

/* P29: PgBouncer's console knows no empty statement. */
static void
check_succeeds_when_ping_gets_an_error_but_session_is_idle(void **state)
{
    (void)state;
    static const char *const scripts[] = {"qrzw", "qbzw", "qnrzw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        assert_int_equal(check(60000), RPOOL_GOOD);
        assert_int_equal(session->pending_syncs, 0);
        assert_string_equal(PQerrorMessage(session->pg), "");
        tear_down(NULL);
    }
}

static void
check_fails_when_ping_gets_an_error_and_session_is_not_idle(void **state)
{
    (void)state;
    static const char *const scripts[] = {"qrtw", "qrfw", "qTzw", "qT", "qr"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        assert_int_equal(check(60000), RPOOL_BAD);
        tear_down(NULL);
    }
}

static void check_fails_when_ping_is_answered_by_copy(void **state)
{
    (void)state;
    begin("qhw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* C20 */
static void check_fails_when_ping_answer_says_in_transaction(void **state)
{
    (void)state;
    begin("qetw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* Q11 */
static void check_fails_when_server_sends_garbage(void **state)
{
    (void)state;
    begin("qgw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* ---- reset ---- */

/* D32 */
static void reset_sends_nothing_when_session_is_clean(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_int_equal(session->pending_syncs, 0);
}

/* D01 */
static void transaction_is_rolled_back_when_session_is_reset(void **state)
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
check_fails_after_ping_timeout_when_rollback_gets_no_answer(void **state)
{
    (void)state;
    begin("qctw", PQP_RESET_ROLLBACK);
    borrower_runs("BEGIN");
    config->options.ping_timeout_ms = 30;
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* D03 D26 */
static void check_fails_when_server_refused_discard_all(void **state)
{
    (void)state;
    begin("qrzw", PQP_RESET_DISCARD_ALL);
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_true(mock_heard(mock, "DISCARD ALL"));
}

static void
rollback_and_discard_all_are_sent_together_when_both_are_needed(void **state)
{
    (void)state;
    begin("qctqxczqxczw", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(session->pending_syncs, 2);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(PQpipelineStatus(session->pg), PQ_PIPELINE_OFF);
    assert_false(PQisnonblocking(session->pg));
}

static void check_fails_when_discard_all_after_rollback_is_refused(void **state)
{
    (void)state;
    begin("qctqxczqrzw", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

static void check_fails_when_reset_answers_lack_command_completion(void **state)
{
    (void)state;
    begin("qctqzqzw", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* D12 */
static void
check_fails_when_connection_closes_between_reset_answers(void **state)
{
    (void)state;
    begin("qctqxcz", PQP_RESET_DISCARD_ALL);
    borrower_runs("BEGIN");
    assert_int_equal(reset(), RPOOL_CHECK);
    assert_int_equal(check(60000), RPOOL_BAD);
}

static void reset_discards_without_sending_when_reset_is_close(void **state)
{
    (void)state;
    begin("w", PQP_RESET_CLOSE);
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* D10 */
static void reset_discards_when_a_result_is_unread(void **state)
{
    (void)state;
    begin("qczw", PQP_RESET_ROLLBACK);
    assert_true(PQsendQuery(session->pg, "SELECT"));
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* D05 D07 */
static void reset_discards_when_copy_is_open(void **state)
{
    (void)state;
    begin("qhw", PQP_RESET_DISCARD_ALL);
    borrower_runs("COPY a TO STDOUT");
    assert_int_equal(reset(), RPOOL_DISCARD);
}

/* D11 */
static void reset_discards_when_pipeline_mode_is_on(void **state)
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
static void
reset_restores_libpq_settings_when_borrower_changed_them(void **state)
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
static void
reset_restores_nothing_when_borrower_never_took_the_pgconn(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    PQsetErrorVerbosity(session->pg, PQERRORS_TERSE);
    session->touched = 0;
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_int_equal(PQsetErrorVerbosity(session->pg, PQERRORS_DEFAULT),
                     PQERRORS_TERSE);
}

static void touched_flag_is_cleared_when_session_is_reset(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_int_equal(reset(), RPOOL_REUSE);
    assert_false(session->touched);
}

/* D31 */
static void reset_discards_when_client_encoding_changed(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    session->encoding++;
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void notifications_are_dropped_when_session_is_reset(void **state)
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
    (void)PQgetisnull(kept, 9, 9); /* each of these sends libpq's notice */
    (void)PQgetisnull(copy, 9, 9);
    (void)PQgetisnull(made, 9, 9);
    PQclear(made);
    PQclear(copy);
    PQclear(kept);
    assert_int_equal(stderr_caught(), 0);
    assert_int_equal(notices, 0);
}

static void detached_connection_works_when_session_is_gone(void **state)
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
static void destroy_does_not_block_when_socket_buffer_is_full(void **state)
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

static void destroy_does_not_block_when_copy_is_unfinished(void **state)
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
        TEST(check_sends_one_empty_query_when_session_is_good),
        TEST(check_fails_after_ping_timeout_when_ping_gets_no_answer),
        TEST(check_returns_again_when_caller_deadline_precedes_ping_timeout),
        TEST(ping_timeout_counts_from_the_send_when_check_is_repeated),
        TEST(check_without_waiting_succeeds_when_answer_is_there),
        TEST(check_succeeds_when_answer_came_in_time_but_is_read_late),
        TEST(check_fails_silently_when_server_sent_fatal_and_closed),
        TEST(reset_discards_when_borrower_read_the_servers_fatal_error),
        TEST(check_fails_when_server_closed_the_connection),
        TEST(check_succeeds_when_notification_and_notice_came),
        cmocka_unit_test(
            check_succeeds_when_ping_gets_an_error_but_session_is_idle),
        cmocka_unit_test(
            check_fails_when_ping_gets_an_error_and_session_is_not_idle),
        TEST(check_fails_when_ping_is_answered_by_copy),
        TEST(check_fails_when_ping_answer_says_in_transaction),
        TEST(check_fails_when_server_sends_garbage),
        TEST(reset_sends_nothing_when_session_is_clean),
        TEST(transaction_is_rolled_back_when_session_is_reset),
        TEST(check_fails_after_ping_timeout_when_rollback_gets_no_answer),
        TEST(check_fails_when_server_refused_discard_all),
        TEST(rollback_and_discard_all_are_sent_together_when_both_are_needed),
        TEST(check_fails_when_discard_all_after_rollback_is_refused),
        TEST(check_fails_when_reset_answers_lack_command_completion),
        TEST(check_fails_when_connection_closes_between_reset_answers),
        TEST(reset_discards_without_sending_when_reset_is_close),
        TEST(reset_discards_when_a_result_is_unread),
        TEST(reset_discards_when_copy_is_open),
        TEST(reset_discards_when_pipeline_mode_is_on),
        TEST(reset_restores_libpq_settings_when_borrower_changed_them),
        TEST(reset_restores_nothing_when_borrower_never_took_the_pgconn),
        TEST(touched_flag_is_cleared_when_session_is_reset),
        TEST(reset_discards_when_client_encoding_changed),
        TEST(notifications_are_dropped_when_session_is_reset),
        TEST(session_is_discarded_when_borrower_called_PQfinish),
        TEST(session_is_discarded_when_borrower_called_PQreset),
        TEST(results_are_usable_when_session_is_destroyed),
        TEST(detached_connection_works_when_session_is_gone),
        TEST(destroy_does_not_block_when_socket_buffer_is_full),
        TEST(destroy_does_not_block_when_copy_is_unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
