/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Checks of a session before a lease, against a scripted server. */
#include "support_session.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pg/base/socket.h"

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
        answer = check_at_once(); /* the two messages may come in two pieces */
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

/* P29: PgBouncer's console does not know empty statements. */
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
