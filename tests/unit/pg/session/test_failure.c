/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Errors of the server and of libpq as a pqp_error. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "pg/base/error.h"
#include "pg/session/failure.h"

/* ---- fakes, which stand before the functions of libpq ---- */

static const char *result_sqlstate, *result_severity, *result_message;
static const char *libpq_text = "";

char *PQresultErrorField(const PGresult *res, int code)
{
    (void)res;
    const char *field = code == PG_DIAG_SQLSTATE ? result_sqlstate
                        : code == PG_DIAG_SEVERITY_NONLOCALIZED
                            ? result_severity
                        : code == PG_DIAG_MESSAGE_PRIMARY ? result_message
                                                          : NULL;
    return (char *)(uintptr_t)field;
}

char *PQresultErrorMessage(const PGresult *res)
{
    (void)res;
    return (char *)(uintptr_t)libpq_text;
}

char *PQerrorMessage(const PGconn *pg)
{
    (void)pg;
    return (char *)(uintptr_t)libpq_text;
}

static pqp_status fail_with(const char *severity, const char *sqlstate,
                            const char *message, pqp_error *err)
{
    result_severity = severity;
    result_sqlstate = sqlstate;
    result_message = message;
    return pqp__fail_result(err, NULL, NULL);
}

/* ---- tests ---- */

static void error_has_sqlstate_and_message_when_server_reports_one(void **state)
{
    (void)state;
    pqp_error err;
    assert_int_equal(fail_with("ERROR", "23505", "duplicate key", &err),
                     PQP_SERVER);
    assert_int_equal(err.status, PQP_SERVER);
    assert_int_equal(err.flags, 0);
    assert_string_equal(err.sqlstate, "23505");
    assert_string_equal(err.message, "duplicate key");
}

static void error_has_retry_flag_when_serialization_failed(void **state)
{
    (void)state;
    pqp_error err;
    assert_int_equal(fail_with("ERROR", "40001", "could not", &err),
                     PQP_SERVER);
    assert_int_equal(err.flags, PQP_ERR_RETRY);
    assert_int_equal(fail_with("ERROR", "40P01", "deadlock", &err), PQP_SERVER);
    assert_int_equal(err.flags, PQP_ERR_RETRY);
}

static void status_is_lost_when_error_ends_the_session(void **state)
{
    (void)state;
    pqp_error err;
    assert_int_equal(fail_with("FATAL", "57P01", "terminating", &err),
                     PQP_LOST);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    assert_string_equal(err.sqlstate, "57P01");
    /* By its severity alone. */
    assert_int_equal(fail_with("FATAL", "40001", "odd", &err), PQP_LOST);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    assert_int_equal(fail_with("PANIC", NULL, "odd", NULL), PQP_LOST);
    /* Lost by the SQLSTATE, when no severity came. */
    assert_int_equal(fail_with(NULL, "08006", "odd", NULL), PQP_LOST);
}

/* C16: postgres_fdw or dblink report this about another server. */
static void
status_is_not_lost_when_a_statement_raises_a_connection_sqlstate(void **state)
{
    (void)state;
    static const char *const cases[] = {"08006", "57P01", "57P02", "57P05"};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        pqp_error err;
        assert_int_equal(fail_with("ERROR", cases[i], "remote", &err),
                         PQP_SERVER);
        assert_int_equal(err.flags, 0);
        assert_string_equal(err.sqlstate, cases[i]);
    }
}

/* T09 */
static void status_is_server_error_when_result_has_no_fields(void **state)
{
    (void)state;
    pqp_error err;
    libpq_text = "";
    assert_int_equal(fail_with(NULL, NULL, NULL, &err), PQP_SERVER);
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.message, "error without a message");
    libpq_text = "libpq's own\n";
    fail_with(NULL, NULL, NULL, &err);
    assert_string_equal(err.message, "libpq's own");
    fail_with("ERROR", NULL, "", &err);
    assert_string_equal(err.message, "error without a message");
}

static void sqlstate_is_empty_when_server_sends_a_malformed_one(void **state)
{
    (void)state;
    static const char *const cases[] = {"",       "4",     "4000", "400011",
                                        "4000\n", "%s%n%", "abcde"};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        pqp_error err;
        fail_with("ERROR", cases[i], "odd", &err);
        assert_string_equal(err.sqlstate, "");
    }
}

static void
lost_message_is_first_line_of_libpq_text_when_connection_is_lost(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"hunter2"}, (char[]){"two\nlines"}};
    const struct config config = {.secrets = secrets, .secret_count = 2};
    static const char unknown[] =
        "the connection ended, and libpq does not say why";
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"server closed hunter2\n\tThis probably means\n", "server closed ***"},
        {"could not receive data: reset\ninvalid socket\n",
         "could not receive data: reset"},
        {"FATAL:  terminating\nserver closed\n\tThis probably means\n",
         "FATAL:  terminating"},
        {"a two\nlines b\nc", "a *** b"},
        {"invalid socket\n", unknown},
        {"", unknown},
    };
    const PGconn *pg = (const PGconn *)(const void *)&config;
    pqp_error err;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        libpq_text = cases[i].text;
        assert_int_equal(pqp__fail_lost(&err, &config, pg), PQP_LOST);
        assert_int_equal(err.status, PQP_LOST);
        assert_int_equal(err.flags, PQP_ERR_DISCARD);
        assert_string_equal(err.message, cases[i].message);
    }
    assert_int_equal(pqp__fail_lost(&err, &config, NULL), PQP_LOST);
    assert_string_equal(err.message, unknown);
    assert_int_equal(pqp__fail_lost(NULL, &config, pg), PQP_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            error_has_sqlstate_and_message_when_server_reports_one),
        cmocka_unit_test(error_has_retry_flag_when_serialization_failed),
        cmocka_unit_test(status_is_lost_when_error_ends_the_session),
        cmocka_unit_test(
            status_is_not_lost_when_a_statement_raises_a_connection_sqlstate),
        cmocka_unit_test(status_is_server_error_when_result_has_no_fields),
        cmocka_unit_test(sqlstate_is_empty_when_server_sends_a_malformed_one),
        cmocka_unit_test(
            lost_message_is_first_line_of_libpq_text_when_connection_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
