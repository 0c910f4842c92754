/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Statements where no server is: what is refused before anything is sent.
 */
#include <pqpool/pqpool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "pg/internal.h"

#define NOT_A_RESULT ((PGresult *)(uintptr_t)1)

/* N01 */
static void null_is_refused_and_the_result_cleared(void **state)
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
    assert_int_equal(pqp_run(NULL, NULL, &res, &err), PQP_INVALID);
    assert_null(res);
    assert_non_null(strstr(err.message, "query"));
    res = NOT_A_RESULT;
    assert_int_equal(pqp_pool_run(NULL, 0, PQP_QUERY(.sql = ""), &res, &err),
                     PQP_INVALID);
    assert_null(res);
    assert_int_equal(err.status, PQP_INVALID);
    assert_int_equal(pqp_exec(NULL, "", NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_run(NULL, PQP_QUERY(), NULL, NULL), PQP_INVALID);
}

static const char *refusal_of(const pqp_query *query)
{
    static pqp_error err;
    assert_int_equal(pqp_run(NULL, query, NULL, &err), PQP_INVALID);
    return err.message;
}

/* N01 */
static void parameters_are_checked_before_the_connection(void **state)
{
    (void)state;
    const char *values[] = {"x"};
    const int formats[] = {1};
    assert_non_null(
        strstr(refusal_of(PQP_QUERY(.sql = "", .nparams = -1)), "nparams"));
    assert_non_null(
        strstr(refusal_of(PQP_QUERY(.sql = "", .nparams = 65536)), "65535"));
    assert_non_null(
        strstr(refusal_of(PQP_QUERY(.sql = "", .nparams = 1)), "values"));
    assert_non_null(
        strstr(refusal_of(PQP_QUERY(.sql = "", .nparams = 1, .values = values,
                                    .formats = formats)),
               "lengths"));
    assert_non_null(
        strstr(refusal_of(PQP_QUERY(.sql = "", .nparams = 1, .values = values)),
               "conn"));
}

/* N01 */
static void a_query_is_checked_before_the_acquire(void **state)
{
    (void)state;
    const pqp_query bad = {.size = 3, .sql = ""};
    pqp_error err;
    PGresult *res = NOT_A_RESULT;
    assert_int_equal(pqp_pool_run(NULL, 0, NULL, &res, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "query is NULL"));
    assert_null(res);
    assert_int_equal(pqp_pool_run(NULL, 0, &bad, NULL, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "size"));
    assert_int_equal(pqp_pool_run(NULL, 0, PQP_QUERY(), NULL, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "sql"));
    assert_int_equal(
        pqp_pool_run(NULL, 0, PQP_QUERY(.sql = "", .nparams = -1), NULL, &err),
        PQP_INVALID);
    assert_non_null(strstr(err.message, "nparams"));
}

struct sample {
    size_t size;
    int a, b;
};

/* N05 */
static void a_struct_of_another_size_is_copied_as_far_as_known(void **state)
{
    (void)state;
    struct {
        struct sample known;
        uint64_t more;
    } from = {.known = {.a = 1, .b = 2}};
    struct sample to;
    from.known.size = offsetof(struct sample, b);
    assert_int_equal(pqp__copy_sized(&to, sizeof to, &from), 0);
    assert_int_equal(to.a, 1);
    assert_int_equal(to.b, 0);
    from.known.size = sizeof from;
    assert_int_equal(pqp__copy_sized(&to, sizeof to, &from), 0);
    assert_int_equal(to.b, 2);
    from.more = 1;
    assert_int_equal(pqp__copy_sized(&to, sizeof to, &from), -1);
    from.known.size = SIZE_MAX;
    assert_int_equal(pqp__copy_sized(&to, sizeof to, &from), -1);
    from.known.size = sizeof from.known.size - 1;
    assert_int_equal(pqp__copy_sized(&to, sizeof to, &from), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_refused_and_the_result_cleared),
        cmocka_unit_test(parameters_are_checked_before_the_connection),
        cmocka_unit_test(a_query_is_checked_before_the_acquire),
        cmocka_unit_test(a_struct_of_another_size_is_copied_as_far_as_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
