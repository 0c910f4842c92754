/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What a release cleans, against a scripted server. */
#include <pqpool/pqpool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support_mock.h"

enum { SOON_MS = 5000 };

static pqp_pool *open_on_mock(struct mock **mock, const char *script,
                              pqp_reset how)
{
    char conninfo[128];
    pqp_pool *pool = NULL;
    *mock = mock_start(script);
    assert_non_null(*mock);
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d user=x dbname=x sslmode=disable",
                   mock_port(*mock));
    assert_int_equal(
        pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = conninfo, .max_size = 1,
                                  .reset = how, .ping_after_ms = PQP_NEVER),
                      NULL),
        PQP_OK);
    return pool;
}

static pqp_conn *lease(pqp_pool *pool)
{
    pqp_conn *conn = NULL;
    assert_int_equal(pqp_acquire(pool, SOON_MS, &conn, NULL), PQP_OK);
    return conn;
}

static void
release_restores_libpq_settings_only_when_pgconn_was_taken(void **state)
{
    (void)state;
    struct mock *mock;
    pqp_pool *pool = open_on_mock(&mock, "sow", PQP_RESET_ROLLBACK);
    pqp_conn *conn = lease(pool);
    PGconn *pg = pqp_pgconn(conn);
    (void)PQsetErrorVerbosity(pg, PQERRORS_TERSE);
    pqp_release(&conn);
    conn = lease(pool);
    assert_int_equal(PQsetErrorVerbosity(pg, PQERRORS_TERSE), PQERRORS_DEFAULT);
    pqp_release(&conn);
    assert_int_equal(PQsetErrorVerbosity(pg, PQERRORS_TERSE), PQERRORS_TERSE);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    mock_stop(mock);
}

static void discard_all_is_sent_when_lease_was_unused(void **state)
{
    (void)state;
    struct mock *mock;
    pqp_pool *pool = open_on_mock(&mock, "soqczw", PQP_RESET_DISCARD_ALL);
    pqp_conn *conn = lease(pool);
    pqp_release(&conn);
    conn = lease(pool); /* after its answer */
    assert_true(mock_heard(mock, "DISCARD ALL"));
    pqp_discard(&conn);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    mock_stop(mock);
}

static void
connection_is_closed_when_an_unused_lease_ends_with_reset_close(void **state)
{
    (void)state;
    struct mock *mock;
    pqp_pool *pool = open_on_mock(&mock, "sow", PQP_RESET_CLOSE);
    pqp_conn *conn = lease(pool);
    pqp_release(&conn);
    conn = lease(pool);
    assert_int_equal(mock_accepted(mock), 2);
    pqp_release(&conn);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    mock_stop(mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            release_restores_libpq_settings_only_when_pgconn_was_taken),
        cmocka_unit_test(discard_all_is_sent_when_lease_was_unused),
        cmocka_unit_test(
            connection_is_closed_when_an_unused_lease_ends_with_reset_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
