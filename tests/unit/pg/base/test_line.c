/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Texts of the server and of libpq as one line of valid UTF-8. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "pg/base/error.h"
#include "pg/config/secrets.h"

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
        {8, "the last", "the..."}, /* no space before the dots */
        {7, "abcdef", "abcdef"},
        {6, "abcdef", "ab..."},
        {4, "abcdef", "..."},
        {3, "abcdef", "ab"}, /* no room for a mark */
        {11, "the hunter2 is", "the *** is"},
        {11, "the hunter2 is it", "the ***..."},
        {10, "the hunter2 is", "the..."}, /* a whole "***", or nothing */
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

/* Control bytes shrink to one space, which must not hide that the text was cut
 * before it was cleaned. */
static void
message_ends_with_dots_when_cleaning_shrinks_a_cut_text(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_one_line_of_valid_utf8_when_cleaned),
        cmocka_unit_test(cleaned_text_fits_when_its_buffer_is_tiny),
        cmocka_unit_test(cleaned_text_ends_with_dots_when_it_was_cut),
        cmocka_unit_test(
            message_ends_with_dots_when_cleaning_shrinks_a_cut_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
