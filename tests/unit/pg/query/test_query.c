/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Queries that the protocol or libpq cannot carry. */
#define _GNU_SOURCE /* memfd_create */
#include <pqpool/pqpool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *refusal_of(const pqp_query *query)
{
    static pqp_error err;
    assert_int_equal(pqp_exec_params(NULL, query, NULL, &err), PQP_INVALID);
    return err.message;
}

/* N01 */
static void
exec_params_reports_bad_parameters_when_conn_is_null_too(void **state)
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

enum {
    PIECE = 2 * 1024 * 1024,
    MOST = 0x3FFFFFFE /* the server's limit for the length word of a message */
};

/* A text of MOST - 4 bytes; all pieces except the last share the same memory.
 */
static char *long_text;

enum { MAPPED = (MOST / PIECE + 1) * PIECE };

static int map_long_text(void **state)
{
    (void)state;
    int fd = memfd_create("text", 0);
    long_text =
        mmap(NULL, MAPPED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(fd >= 0 && ftruncate(fd, PIECE) == 0);
    assert_ptr_not_equal(long_text, MAP_FAILED);
    for (size_t at = 0; at < MAPPED; at += PIECE) {
        int sharing = at + PIECE < MAPPED ? MAP_SHARED : MAP_PRIVATE;
        assert_ptr_equal(mmap(long_text + at, PIECE, PROT_READ | PROT_WRITE,
                              sharing | MAP_FIXED | MAP_POPULATE, fd, 0),
                         long_text + at);
    }
    memset(long_text, 'x', PIECE);
    memset(long_text + MAPPED - PIECE, 'x', PIECE); /* not shared */
    long_text[MOST - 4] = '\0';
    close(fd);
    return 0;
}

static int unmap_long_text(void **state)
{
    (void)state;
    return munmap(long_text, MAPPED);
}

/* A query of valid size is refused only for its NULL connection, which is
 * checked later. */
static void assert_fits(const pqp_query *query)
{
    assert_non_null(strstr(refusal_of(query), "conn is NULL"));
}

static void assert_too_long(const pqp_query *query, const char *what)
{
    const char *message = refusal_of(query);
    assert_non_null(strstr(message, what));
    assert_non_null(strstr(message, "too long"));
}

/* A Query message has 5 bytes beside the text. */
static void sql_is_refused_when_its_query_message_is_too_long(void **state)
{
    (void)state;
    const char *sql = long_text; /* MOST - 4 bytes */
    pqp_error err;
    assert_int_equal(pqp_exec(NULL, sql, NULL, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "sql is too long"));
    assert_non_null(strstr(err.message, "1073741822"));
    assert_int_equal(pqp_exec(NULL, sql + 1, NULL, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "conn is NULL"));
}

/* A Parse message has 8 bytes beside the text, and 4 for each type. */
static void sql_is_refused_when_its_parse_message_is_too_long(void **state)
{
    (void)state;
    const char *sql = long_text + 3; /* MOST - 7 bytes */
    const char *values[] = {NULL, NULL};
    const Oid types[] = {25, 25};
    pqp_query query = {
        .size = sizeof query, .sql = sql, .nparams = 2, .values = values};
    assert_too_long(&query, "sql");
    query.sql = sql + 1;
    assert_fits(&query);
    query.types = types;
    assert_too_long(&query, "sql");
    query.sql = sql + 1 + sizeof types;
    assert_fits(&query);
}

/* A Bind message has 14 bytes beside its parameters.  Each parameter adds its
 * length in 4 bytes and, with formats, its format in 2.  The bytes of a binary
 * parameter are not read. */
static void parameters_are_refused_when_their_message_is_too_long(void **state)
{
    (void)state;
    const char *values[] = {"x", NULL, "12345"};
    int lengths[] = {MOST - 14 - 3 * 6 - 5, INT_MAX, INT_MAX};
    const int formats[] = {1, 1, 0};
    const pqp_query query = {.size = sizeof query,
                             .sql = "",
                             .nparams = 3,
                             .values = values,
                             .lengths = lengths,
                             .formats = formats};
    pqp_error err;
    assert_fits(&query);
    values[2] = "123456";
    assert_too_long(&query, "parameters up to $3");
    assert_int_equal(pqp_pool_exec_params(NULL, 0, &query, NULL, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "parameters up to $3"));
    static const int too_long[] = {MOST, INT_MAX};
    for (size_t i = 0; i < 2; i++) {
        lengths[0] = too_long[i];
        assert_too_long(&query, "parameters up to $1");
    }
}

static void
binary_parameter_is_refused_when_its_length_is_negative(void **state)
{
    (void)state;
    const char *values[] = {"", "x"};
    int lengths[] = {0, -1};
    int formats[] = {1, 1};
    const pqp_query query = {.size = sizeof query,
                             .sql = "",
                             .nparams = 2,
                             .values = values,
                             .lengths = lengths,
                             .formats = formats};
    assert_non_null(strstr(refusal_of(&query), "$2 is negative"));
    lengths[1] = INT_MIN;
    assert_non_null(strstr(refusal_of(&query), "$2 is negative"));
    formats[1] = 0; /* the length of a text parameter is ignored */
    assert_fits(&query);
    formats[1] = 1;
    values[1] = NULL;
    assert_fits(&query);
}

/* Each is short, but their sum is too long. */
static void text_parameters_are_refused_when_their_sum_is_too_long(void **state)
{
    (void)state;
    enum { MANY = 65535, EACH = (MOST - 14) / MANY - 4 };
    const size_t rest = (MOST - 14) % MANY;
    const char *text = long_text + (MOST - 4) - (EACH + rest + 1);
    const char **values = calloc(MANY, sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < MANY; i++)
        values[i] = text + rest + 1;
    values[MANY - 1] = text + 1;
    const pqp_query query = {
        .size = sizeof query, .sql = "", .nparams = MANY, .values = values};
    assert_fits(&query);
    values[MANY - 1] = text;
    assert_too_long(&query, "parameters up to $65535");
    values[MANY - 1] = NULL;
    assert_fits(&query);
    free(values);
}

static void sql_and_parameters_are_refused_when_libpq_cannot_hold_both(void **s)
{
    (void)s;
    const char *sql = long_text + 4; /* MOST - 8 bytes */
    const char *values[] = {"x"};
    int lengths[] = {0x7FFFE000 - 24 - MOST - 14 - 6};
    const int formats[] = {1};
    const pqp_query query = {.size = sizeof query,
                             .sql = sql,
                             .nparams = 1,
                             .values = values,
                             .lengths = lengths,
                             .formats = formats};
    assert_fits(&query);
    lengths[0]++;
    assert_too_long(&query, "together");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            exec_params_reports_bad_parameters_when_conn_is_null_too),
        cmocka_unit_test(sql_is_refused_when_its_query_message_is_too_long),
        cmocka_unit_test(sql_is_refused_when_its_parse_message_is_too_long),
        cmocka_unit_test(parameters_are_refused_when_their_message_is_too_long),
        cmocka_unit_test(
            binary_parameter_is_refused_when_its_length_is_negative),
        cmocka_unit_test(
            text_parameters_are_refused_when_their_sum_is_too_long),
        cmocka_unit_test(
            sql_and_parameters_are_refused_when_libpq_cannot_hold_both),
    };
    return cmocka_run_group_tests(tests, map_long_text, unmap_long_text);
}
