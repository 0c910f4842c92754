/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Names, SQLSTATEs, and what of a text may be shown. */
#include "pg/base/error.h"
#include "pg/base/sqlstate.h"
#include "pg/config/config.h"
#include "pg/config/secrets.h"
#include "pg/connect/explain.h"
#include "pg/session/failure.h"

#include <stdio.h>

#include "base/text.h"
#include "support.h"

/* ---- what libpq would say: these stand before its own ---- */

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

/* ---- names ---- */

static void status_name_and_text_exist_for_every_status(void **state)
{
    (void)state;
    for (int i = 0; i < PQP_STATUS_COUNT; i++) {
        assert_memory_equal(pqp_status_name((pqp_status)i), "PQP_", 4);
        assert_true(strlen(pqp_strerror((pqp_status)i)) > 3);
    }
    assert_string_equal(pqp_status_name(PQP_TIMEOUT), "PQP_TIMEOUT");
    assert_string_equal(pqp_strerror(PQP_TIMEOUT), "deadline passed");
}

static void
name_is_a_question_mark_when_status_or_event_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(pqp_status_name(PQP_STATUS_COUNT), "?");
    assert_string_equal(pqp_status_name((pqp_status)-1), "?");
    assert_string_equal(pqp_strerror(PQP_STATUS_COUNT), "?");
    assert_string_equal(pqp_strerror((pqp_status)-1), "?");
    assert_string_equal(pqp_event_name(PQP_EVENT_COUNT), "?");
    assert_string_equal(pqp_event_name((pqp_event_type)-1), "?");
}

static void event_name_is_returned_when_event_is_known(void **state)
{
    (void)state;
    assert_string_equal(pqp_event_name(PQP_EVENT_CREATED), "CREATED");
    assert_string_equal(pqp_event_name(PQP_EVENT_FREED), "FREED");
}

/* ---- SQLSTATE ---- */

static void sqlstate_class_is_found_when_sqlstate_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        unsigned class;
    } cases[] = {
        {"08000", PQP__LOST},
        {"08006", PQP__LOST},
        {"08P01", PQP__LOST},
        {"57P01", PQP__LOST},
        {"57P02", PQP__LOST},
        {"57P04", PQP__LOST},
        {"57P05", PQP__LOST},
        {"25P03", PQP__LOST},
        {"25006", PQP__READ_ONLY},
        {"40001", PQP__RETRY},
        {"40P01", PQP__RETRY},
        {"53300", PQP__BACKOFF},
        {"57P03", PQP__BACKOFF},
        {"28000", PQP__PERMANENT},
        {"28P01", PQP__PERMANENT},
        {"3D000", PQP__PERMANENT},
        {"0A000", PQP__PERMANENT},
        {"22023", PQP__PERMANENT},
        {"42501", PQP__PERMANENT},
        {"42601", PQP__PERMANENT},
        {"42602", PQP__PERMANENT},
        {"42704", PQP__PERMANENT},
        {"55P02", PQP__PERMANENT},
        {"00000", 0},
        {"23505", 0},
        {"25P02", 0},
        {"40002", 0},
        {"22012", 0},
        {"55000", 0},
        {"57014", 0},
        {"53200", 0},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        if (pqp__sqlstate_class(cases[i].sqlstate) != cases[i].class)
            fail_msg("%s", cases[i].sqlstate);
    }
}

static void sqlstate_class_is_ordinary_when_sqlstate_is_malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {NULL, "", "0", "4", "4000", "x", "%n"};
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(pqp__sqlstate_class(cases[i]), 0);
}

/* ---- pqp__fail ---- */

static void error_struct_is_filled_completely_when_a_call_fails(void **state)
{
    (void)state;
    pqp_error err;
    memset(&err, 0xEE, sizeof(err));
    assert_int_equal(pqp__fail(&err, PQP_BUSY, "%s %d", "one\ntwo", 3),
                     PQP_BUSY);
    assert_int_equal(err.status, PQP_BUSY);
    assert_int_equal(err.flags, 0);
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.message, "one two 3");
    assert_int_equal(pqp__fail(NULL, PQP_BUSY, "nobody listens"), PQP_BUSY);
}

/* N18 */
static void
percent_sign_is_plain_text_when_it_stands_in_an_argument(void **state)
{
    (void)state;
    pqp_error err;
    pqp__fail(&err, PQP_INVALID, "name %s", "%s%n%99999d");
    assert_string_equal(err.message, "name %s%n%99999d");
}

static void error_message_is_right_when_it_quotes_its_own_old_text(void **state)
{
    (void)state;
    pqp_error err;
    pqp__fail(&err, PQP_INVALID, "inner");
    pqp__fail(&err, PQP_CONNECT, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

static void error_is_success_when_cleared(void **state)
{
    (void)state;
    pqp_error err;
    memset(&err, 0xEE, sizeof(err));
    pqp__error_clear(&err);
    assert_int_equal(err.status, PQP_OK);
    assert_int_equal(err.flags, 0);
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.message, "");
    pqp__error_clear(NULL);
}

static void
message_is_cut_between_characters_and_marked_when_too_long(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char text[2000] = "";
        size_t used = shift;
        memset(text, 'x', shift);
        for (; used + 4 < sizeof(text); used += 4)
            memcpy(text + used, "\xF0\x9F\x90\x98", 4); /* an elephant */
        pqp_error err;
        pqp__fail(&err, PQP_SERVER, "%s", text);
        size_t length = strlen(err.message);
        assert_true(length > sizeof(err.message) - 5);
        assert_string_equal(err.message + length - 3, "...");
        assert_int_equal((length - 3 - shift) % 4, 0);
        assert_memory_equal(err.message, text, length - 3);
    }
}

/* ---- pqp__clean_text ---- */

static void text_becomes_one_line_of_valid_utf8_when_cleaned(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"plain %s", "plain %s"},
        {"two\n\tlines\r\n", "two lines"},
        {"\n\nleading", "leading"},
        {"\x1B[31mred", "[31mred"},
        {"a\x7F"
         "b",
         "a b"},
        {"a\xC2\x9B"
         "31m",
         "a 31m"}, /* C1: CSI */
        {"a\xC2\xA0"
         "b",
         "a\xC2\xA0"
         "b"}, /* no control */
        {"gr\xC3\xBC\xC3\x9F"
         "e",
         "gr\xC3\xBC\xC3\x9F"
         "e"},
        {"\xE2\x82\xAC", "\xE2\x82\xAC"},
        {"\xF0\x9F\x90\x98", "\xF0\x9F\x90\x98"},
        {"gr\xFC"
         "n",
         "gr?n"}, /* Latin-1 */
        {"cut\xE2\x82", "cut??"},
        {"\xC0\xAF", "??"}, /* overlong */
        {"\xE0\x80\xAF", "???"},
        {"\xF0\x80\x80\xAF", "????"},
        {"\xED\xA0\x80", "???"},      /* a surrogate */
        {"\xF4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xF8\x88", "??"},
        {"\x80", "?"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char to[64];
        pqp__clean_text(NULL, to, sizeof(to), cases[i].from);
        assert_string_equal(to, cases[i].to);
    }
}

static void cleaned_text_fits_when_its_buffer_is_tiny(void **state)
{
    (void)state;
    for (size_t size = 1; size < 12; size++) {
        char to[16];
        memset(to, '#', sizeof(to));
        pqp__clean_text(NULL, to, size,
                        "gr\xC3\xBC\xC3\x9F"
                        "e\n\xFF!");
        assert_true(strlen(to) < size);
        assert_int_equal(to[size], '#');
    }
}

static void cleaned_text_ends_with_dots_when_it_was_cut(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"hunter2"}};
    const struct config config = {.secrets = secrets, .secret_count = 1};
    static const struct {
        size_t size;
        const char *from, *to;
    } cases[] = {
        {9, "the last", "the last"},
        {8, "the last", "the..."}, /* no space before the mark */
        {7, "abcdef", "abcdef"},
        {6, "abcdef", "ab..."},
        {4, "abcdef", "..."},
        {3, "abcdef", "ab"}, /* no room for a mark */
        {11, "the hunter2 is", "the *** is"},
        {11, "the hunter2 is it", "the ***..."},
        {10, "the hunter2 is", "the..."}, /* all of a "***", or nothing */
        {8,
         "gr\xC3\xBC\xC3\x9F"
         "e",
         "gr\xC3\xBC\xC3\x9F"
         "e"},
        {7,
         "gr\xC3\xBC\xC3\x9F"
         "e",
         "gr..."},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char to[16];
        pqp__clean_text(&config, to, cases[i].size, cases[i].from);
        assert_string_equal(to, cases[i].to);
    }
}

/* Control bytes shrink to one space, and must not hide that a text was cut
 * before it was cleaned. */
static void cut_is_marked_when_cleaning_shrinks_the_text(void **state)
{
    (void)state;
    char text[2000];
    memset(text, '\n', sizeof(text));
    memcpy(text, "begin", 5);
    text[sizeof(text) - 1] = '\0';
    pqp_error err;
    pqp__fail(&err, PQP_SERVER, "%s end", text);
    assert_string_equal(err.message, "begin ...");
}

static void secret_is_hidden_when_it_is_quoted_or_percent_encoded(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"p%/'\\x"}, (char[]){"hunter2"},
                       (char[]){"hunter22long"}, (char[]){""},
                       (char[]){"ab/ab"}};
    const struct config config = {.secrets = secrets,
                                  .secret_count = (int)LENGTH(secrets)};
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"nothing", "nothing"},
        {"the hunter2 is", "the *** is"},
        {"hunter2hunter2", "***"},
        {"hunter22long", "***"}, /* the longer one */
        {"%68unter%32", "***"},
        {"raw p%/'\\x.", "raw ***."},
        {"uri p%25%2F%27%5cx.", "uri ***."},
        {"uri %70%25/%27%5C%78.", "uri ***."},
        {"quoted 'p%/\\'\\\\x'", "quoted '***'"},
        {"sql 'p%/''\\\\x'", "sql '***'"},
        {"ab/ab/ab!", "***!"}, /* it overlaps itself */
        {"hunter", "hunter"},
        {"%68unte%7", "%68unte%7"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char to[64];
        pqp__clean_text(&config, to, sizeof(to), cases[i].from);
        assert_string_equal(to, cases[i].to);
    }
}

/* Hidden wherever it stands, "a" would be told by what is missing. */
static void secret_is_not_hidden_when_it_has_three_bytes_or_fewer(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"a"}, (char[]){"'%x"}, (char[]){"f0ur"}};
    const struct config config = {.secrets = secrets,
                                  .secret_count = (int)LENGTH(secrets)};
    char to[64];
    pqp__clean_text(&config, to, sizeof(to), "a table, '%x', %660ur");
    assert_string_equal(to, "a table, '%x', ***");
}

static void secret_is_hidden_when_random_text_surrounds_it(void **state)
{
    (void)state;
    char secret[] = "s3cr\xC3\xA9t\n%pw'";
    char *secrets[] = {secret};
    const struct config config = {.secrets = secrets, .secret_count = 1};
    const char *const pieces[] = {"s",  "s3",   "%", "%7", "\\",  "'",
                                  "\n", "\xC3", " ", "x",  secret};
    uint64_t seed = 20261123;
    for (int round = 0; round < 20000; round++) {
        char buffer[256], to[300];
        struct text text;
        text_init(&text, buffer, sizeof(buffer));
        for (size_t n = random_of(&seed, 12); n > 0; n--)
            text_add(&text, "%s", pieces[random_of(&seed, LENGTH(pieces))]);
        pqp__clean_text(&config, to, 1 + random_of(&seed, sizeof(to) - 1),
                        buffer);
        assert_hides(to, secret);
        assert_null(strchr(to, '\n'));
    }
}

/* ---- what the server and libpq say ---- */

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
    /* By its SQLSTATE where no severity came with it. */
    assert_int_equal(fail_with(NULL, "08006", "odd", NULL), PQP_LOST);
}

/* C16: one of postgres_fdw or dblink, about a server behind this one. */
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

static void libpq_hints_are_removed_when_they_are_indented_lines(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"refused", "refused"},
        {"one refused\n\tIs it running?\ntwo refused\n\tIs it?\n\tOr not?\n",
         "one refused\ntwo refused\n"},
        {"\tonly a hint", ""},
        {"a\ttab inside\n", "a\ttab inside\n"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char text[100];
        snprintf(text, sizeof text, "%s", cases[i].from);
        pqp__drop_hints(text);
        assert_string_equal(text, cases[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_name_and_text_exist_for_every_status),
        cmocka_unit_test(
            name_is_a_question_mark_when_status_or_event_is_unknown),
        cmocka_unit_test(event_name_is_returned_when_event_is_known),
        cmocka_unit_test(sqlstate_class_is_found_when_sqlstate_is_known),
        cmocka_unit_test(sqlstate_class_is_ordinary_when_sqlstate_is_malformed),
        cmocka_unit_test(error_struct_is_filled_completely_when_a_call_fails),
        cmocka_unit_test(
            percent_sign_is_plain_text_when_it_stands_in_an_argument),
        cmocka_unit_test(
            error_message_is_right_when_it_quotes_its_own_old_text),
        cmocka_unit_test(error_is_success_when_cleared),
        cmocka_unit_test(
            message_is_cut_between_characters_and_marked_when_too_long),
        cmocka_unit_test(text_becomes_one_line_of_valid_utf8_when_cleaned),
        cmocka_unit_test(cleaned_text_fits_when_its_buffer_is_tiny),
        cmocka_unit_test(cleaned_text_ends_with_dots_when_it_was_cut),
        cmocka_unit_test(cut_is_marked_when_cleaning_shrinks_the_text),
        cmocka_unit_test(secret_is_hidden_when_it_is_quoted_or_percent_encoded),
        cmocka_unit_test(secret_is_not_hidden_when_it_has_three_bytes_or_fewer),
        cmocka_unit_test(secret_is_hidden_when_random_text_surrounds_it),
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
        cmocka_unit_test(libpq_hints_are_removed_when_they_are_indented_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
