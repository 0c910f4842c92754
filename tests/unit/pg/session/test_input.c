/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Input of a session that no statement asked for, from a scripted server: which
 * input ends the session, before a lease and at its end. */
#include "support_session.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "pg/base/socket.h"
#include "pg/session/check.h"

static int look(void)
{
    return pqp__session_look(config, session);
}

/* After the script's 'p': whole or partial answers, a FATAL error, or the
 * close. */
static const char *const unfit[] = {
    "pT", "pTw", "pezw", "pczw", "przw", "pbw",  "pxw", "pXw",
    "pz", "pew", "puzw", "pMw",  "pncw", "pazw", "phw", "p",
};

/* What any server may send at any time. */
static const char *const harmless[] = {"pnw", "paw",  "pmw",
                                       "pyw", "pYVw", "panyw"};

/* Returns the first result that is not `fit`, however many pieces the input
 * has. */
static int judgement(int (*judge)(void), int fit)
{
    int answer;
    while ((answer = judge()) == fit) {
        session->touched = 1;
        int ready =
            pqp__wait_socket(PQsocket(session->pg), 0, -1, in_ms(60000));
        assert_int_equal(ready, 1);
    }
    return answer;
}

/* ---- look ---- */

static void look_accepts_session_when_no_input_came(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_int_equal(look(), RPOOL_GOOD);
    assert_int_equal(session->pending_syncs, 0);
    assert_int_equal(PQtransactionStatus(session->pg), PQTRANS_IDLE);
}

/* C03 C04 */
static void
look_rejects_session_when_unsolicited_answer_or_close_came(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(unfit); i++) {
        begin(unfit[i], PQP_RESET_ROLLBACK);
        let_server_go_on();
        stderr_catch();
        int answer = judgement(look, RPOOL_GOOD);
        size_t caught = stderr_caught();
        assert_int_equal(answer, RPOOL_BAD);
        assert_int_equal(caught, 0);
        assert_int_equal(look(), RPOOL_BAD);
        tear_down(NULL);
    }
}

/* C06 */
static void
look_accepts_session_when_only_notices_and_reports_came(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(harmless); i++) {
        begin(harmless[i], PQP_RESET_ROLLBACK);
        let_server_go_on();
        assert_int_equal(look(), RPOOL_GOOD);
        assert_null(PQnotifies(session->pg));
        tear_down(NULL);
    }
}

static void look_accepts_session_when_ping_answer_came(void **state)
{
    (void)state;
    begin("qpezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check_at_once(), RPOOL_AGAIN);
    assert_int_equal(look(), RPOOL_AGAIN);
    let_server_go_on();
    int answer = judgement(look, RPOOL_AGAIN);
    assert_int_equal(answer, RPOOL_GOOD);
    assert_int_equal(session->pending_syncs, 0);
}

static void look_rejects_session_when_ping_deadline_passed(void **state)
{
    (void)state;
    begin("qw", PQP_RESET_ROLLBACK);
    assert_int_equal(check_at_once(), RPOOL_AGAIN);
    session->ping_deadline = clock_now() - 1;
    assert_int_equal(look(), RPOOL_BAD);
}

/* Also if the server sends nothing. */
static void
look_rejects_session_when_its_standby_refused_another_session(void **state)
{
    (void)state;
    begin("qyezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(look(), RPOOL_GOOD);
    atomic_store(&config->address_marks[session->mark_index],
                 session->connect_began + 1);
    assert_int_equal(look(), RPOOL_BAD);
}

static void look_rejects_session_when_borrower_finished_or_shut_it(void **state)
{
    (void)state;
    begin("w", PQP_RESET_ROLLBACK);
    assert_int_equal(shutdown(PQsocket(session->pg), SHUT_RDWR), 0);
    assert_int_equal(look(), RPOOL_BAD);
    PQfinish(session->pg);
    assert_int_equal(look(), RPOOL_BAD);
}

/* ---- the end of a lease ---- */

static void reset_discards_when_unsolicited_answer_or_close_came(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(unfit); i++) {
        begin(unfit[i], PQP_RESET_ROLLBACK);
        let_server_go_on();
        stderr_catch();
        int answer = judgement(reset, RPOOL_REUSE);
        size_t caught = stderr_caught();
        assert_int_equal(answer, RPOOL_DISCARD);
        assert_int_equal(caught, 0);
        tear_down(NULL);
    }
}

static void reset_reuses_when_only_notices_and_reports_came(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(harmless); i++) {
        begin(harmless[i], PQP_RESET_ROLLBACK);
        let_server_go_on();
        assert_int_equal(reset(), RPOOL_REUSE);
        assert_null(PQnotifies(session->pg));
        tear_down(NULL);
    }
}

/* Otherwise it would be taken for the answer to the ROLLBACK. */
static void
rollback_is_not_sent_when_unsolicited_answer_came_in_transaction(void **state)
{
    (void)state;
    begin("qctpcw", PQP_RESET_ROLLBACK);
    borrower_runs("BEGIN");
    let_server_go_on();
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_false(mock_heard(mock, "ROLLBACK"));
}

static void drop_notice(void *arg, const PGresult *res)
{
    (void)arg, (void)res;
}

/* The receiver is replaced before the rest is read. */
static void
reset_discards_unsolicited_answer_when_borrower_set_a_notice_receiver(
    void **state)
{
    (void)state;
    begin("puzw", PQP_RESET_ROLLBACK);
    (void)PQsetNoticeReceiver(session->pg, drop_notice, NULL);
    let_server_go_on();
    assert_int_equal(judgement(reset, RPOOL_REUSE), RPOOL_DISCARD);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(look_accepts_session_when_no_input_came),
        cmocka_unit_test(
            look_rejects_session_when_unsolicited_answer_or_close_came),
        cmocka_unit_test(
            look_accepts_session_when_only_notices_and_reports_came),
        TEST(look_accepts_session_when_ping_answer_came),
        TEST(look_rejects_session_when_ping_deadline_passed),
        TEST(look_rejects_session_when_its_standby_refused_another_session),
        TEST(look_rejects_session_when_borrower_finished_or_shut_it),
        cmocka_unit_test(reset_discards_when_unsolicited_answer_or_close_came),
        cmocka_unit_test(reset_reuses_when_only_notices_and_reports_came),
        TEST(rollback_is_not_sent_when_unsolicited_answer_came_in_transaction),
        TEST(
            reset_discards_unsolicited_answer_when_borrower_set_a_notice_receiver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
