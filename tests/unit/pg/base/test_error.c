/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Names, SQLSTATEs, and what may be shown of a text. */
#include "pg/base/error.h"
#include "pg/base/sqlstate.h"
#include "pg/config/config.h"
#include "pg/config/secrets.h"
#include "pg/connect/explain.h"
#include "pg/session/failure.h"

#include <stdio.h>

#include "base/text.h"
#include "support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_struct_is_filled_completely_when_a_call_fails),
        cmocka_unit_test(
            percent_sign_is_plain_text_when_it_stands_in_an_argument),
        cmocka_unit_test(
            error_message_is_right_when_it_quotes_its_own_old_text),
        cmocka_unit_test(error_is_success_when_cleared),
        cmocka_unit_test(
            message_is_cut_between_characters_and_marked_when_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
