/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Statements without a server: what is refused before anything is sent. */
#define _GNU_SOURCE /* memfd_create */
#include <pqpool/pqpool.h>

#include "harness.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOT_A_RESULT ((PGresult *)(uintptr_t)1)

/* N01 */
static void
exec_is_refused_and_result_cleared_when_an_argument_is_null(void **state)
{
    (void)state;
    pqp_error err;
    PGresult *res = NOT_A_RESULT;
    assert_int_equal(pqp_exec(NULL, "SELECT 1", &res, &err), PQP_INVALID);
    assert_null(res);
    assert_non_null(strstr(err.message, "conn"));
    res = NOT_A_RESULT;
    assert_int_equal(pqp_exec(NULL, NULL, &res, &err), PQP_INVALID);
    assert_null(res);
    assert_non_null(strstr(err.message, "sql"));
    res = NOT_A_RESULT;
    assert_int_equal(pqp_exec_params(NULL, NULL, &res, &err), PQP_INVALID);
    assert_null(res);
    assert_non_null(strstr(err.message, "query"));
    res = NOT_A_RESULT;
    assert_int_equal(
        pqp_pool_exec_params(NULL, 0, PQP_QUERY(.sql = ""), &res, &err),
        PQP_INVALID);
    assert_null(res);
    assert_int_equal(err.status, PQP_INVALID);
    assert_int_equal(pqp_exec(NULL, "", NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_exec_params(NULL, PQP_QUERY(), NULL, NULL),
                     PQP_INVALID);
}

/* N01 */
static void
pool_exec_params_reports_bad_query_when_pool_is_null_too(void **state)
{
    (void)state;
    const pqp_query bad = {.size = 3, .sql = ""};
    pqp_error err;
    PGresult *res = NOT_A_RESULT;
    assert_int_equal(pqp_pool_exec_params(NULL, 0, NULL, &res, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "query is NULL"));
    assert_null(res);
    assert_int_equal(pqp_pool_exec_params(NULL, 0, &bad, NULL, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "size"));
    assert_int_equal(pqp_pool_exec_params(NULL, 0, PQP_QUERY(), NULL, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "sql"));
    assert_int_equal(pqp_pool_exec_params(NULL, 0,
                                          PQP_QUERY(.sql = "", .nparams = -1),
                                          NULL, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "nparams"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            exec_is_refused_and_result_cleared_when_an_argument_is_null),
        cmocka_unit_test(
            pool_exec_params_reports_bad_query_when_pool_is_null_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
