/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Sessions are checked, reset and destroyed, against a scripted server: what is
 * sent, what may be answered, and which states end the session without a
 * message. */
#include "support_session.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pg/base/socket.h"

static void detached_connection_works_when_session_is_gone(void **state)
{
    (void)state;
    begin("qnczw", PQP_RESET_ROLLBACK);
    PGconn *pg = pqp__session_detach(session);
    session = NULL;
    stderr_catch(); /* libpq prints notices by itself */
    PGresult *res = PQexec(pg, "SELECT");
    ExecStatusType status = PQresultStatus(res);
    PQfinish(pg);
    PQclear(res);
    assert_true(stderr_caught() > 0);
    assert_int_equal(status, PGRES_COMMAND_OK);
    assert_int_equal(notices, 0);
}

/* ---- destroy ---- */

/* The peer does not read, so a closing message would never be sent. */
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
        TEST(detached_connection_works_when_session_is_gone),
        TEST(destroy_does_not_block_when_socket_buffer_is_full),
        TEST(destroy_does_not_block_when_copy_is_unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
