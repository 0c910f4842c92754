/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Cleaning of a session at its release, against a scripted server. */
#include "support_session.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pg/base/socket.h"

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

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
