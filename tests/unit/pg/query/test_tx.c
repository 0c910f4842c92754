/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Transactions without a good server: what is refused before anything is sent,
 * and sessions that fall silent.
 */
#include <pqpool/pqpool.h>

#include "harness.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "hostile.h"

static pqp_status count_run(void *arg, pqp_conn *conn, pqp_error *err)
{
    (void)conn;
    (void)err;
    ++*(int *)arg;
    return PQP_OK;
}

/* N01 */
static void transaction_calls_are_refused_when_argument_is_null(void **state)
{
    (void)state;
    int runs = 0;
    pqp_error err;
    assert_int_equal(pqp_begin(NULL, NULL, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "conn"));
    assert_int_equal(pqp_commit(NULL, &err), PQP_INVALID);
    assert_int_equal(pqp_rollback(NULL, &err), PQP_INVALID);
    assert_int_equal(pqp_begin(NULL, NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_commit(NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_rollback(NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_transact(NULL, 0, NULL, NULL, NULL, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "fn"));
    assert_int_equal(pqp_transact(NULL, 0, NULL, count_run, &runs, &err),
                     PQP_INVALID);
    assert_int_equal(err.status, PQP_INVALID);
    assert_int_equal(runs, 0);
}

/* N01 N05 */
static void
begin_and_transact_are_refused_when_tx_options_are_invalid(void **state)
{
    (void)state;
    const struct {
        pqp_tx tx;
        const char *named;
    } bad[] = {
        {{.size = 0}, "size"},
        {{.size = sizeof(pqp_tx), .isolation = (pqp_isolation)4}, "isolation"},
        {{.size = sizeof(pqp_tx), .max_attempts = -1}, "max_attempts"},
        {{.size = sizeof(pqp_tx), .backoff_ms = -1}, "backoff_ms"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pqp_error err;
        int runs = 0;
        assert_int_equal(pqp_begin(NULL, &bad[i].tx, &err), PQP_INVALID);
        assert_non_null(strstr(err.message, bad[i].named));
        assert_int_equal(
            pqp_transact(NULL, 0, &bad[i].tx, count_run, &runs, &err),
            PQP_INVALID);
        assert_non_null(strstr(err.message, bad[i].named));
        assert_int_equal(runs, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transaction_calls_are_refused_when_argument_is_null),
        cmocka_unit_test(
            begin_and_transact_are_refused_when_tx_options_are_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
