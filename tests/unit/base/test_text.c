/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Text into a buffer of fixed size. */
#include "base/text.h"

#include "harness.h"

#include <string.h>

static void text_is_complete_when_it_fits_the_buffer(void **state)
{
    (void)state;
    char buffer[16];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    assert_string_equal(buffer, "");
    text_add(&text, "%d", 42);
    text_add(&text, "%s", "");
    text_add(&text, " is %s", "it");
    assert_string_equal(buffer, "42 is it");
    assert_int_equal(text.used, 8);
}

static void text_ends_with_dots_when_it_was_cut_and_dots_fit(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 12; size++) {
        char buffer[13];
        memset(buffer, '#', sizeof buffer);
        struct text text;
        text_init(&text, buffer, size);
        for (int i = 0; i < 10; i++)
            text_add(&text, "%s", "abc");
        size_t dots = size > 3 ? 3 : 0;
        assert_int_equal(strlen(buffer), size - 1);
        assert_memory_equal(buffer, "abcabcabcabc", size - 1 - dots);
        assert_string_equal(buffer + size - 1 - dots, dots ? "..." : "");
        assert_int_equal(buffer[size], '#');
        assert_int_equal(text.used, size - 1);
    }
}

static void text_is_not_marked_when_it_fits_exactly(void **state)
{
    (void)state;
    char buffer[7];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_add(&text, "%s", "abc");
    text_add(&text, "%s", "def");
    text_add(&text, "%s", "");
    assert_string_equal(buffer, "abcdef");
    text_add(&text, "%s", "g");
    assert_string_equal(buffer, "abc...");
    text_add(&text, "%s", "h"); /* nothing is added after a cut */
    assert_string_equal(buffer, "abc...");
}

static void text_is_cut_between_characters_when_too_long(void **state)
{
    (void)state;
    static const char *const cut[] = {"...", "x...", "xx...", "xxx..."};
    for (size_t shift = 0; shift < 4; shift++) {
        char buffer[11];
        struct text text;
        text_init(&text, buffer, sizeof buffer);
        text_add(&text, "%.*s%s", (int)shift, "xxx",
                 "\xF0\x9F\x90\x98\xF0\x9F\x90\x98\xF0\x9F\x90\x98");
        assert_string_equal(buffer + text.used - 3, "...");
        assert_int_equal((text.used - 3 - shift) % 4, 0);
        assert_memory_equal(buffer, cut[shift], shift);
    }
}

static void text_piece_is_cut_alone_when_it_exceeds_its_own_limit(void **state)
{
    (void)state;
    char buffer[40];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_add_at_most(&text, 6, "abcdef");
    text_add(&text, "|");
    text_add_at_most(&text, 6, "abcdefg");
    text_add(&text, "|");
    text_add_at_most(&text, 8, "ab\xE2\x82\xAC\xE2\x82\xACz");
    text_add(&text, "|");
    text_add_at_most(&text, 2, "abc");
    text_add(&text, "|end");
    assert_string_equal(buffer, "abcdef|abc...|ab\xE2\x82\xAC...||end");
}

/* N18 */
static void
text_argument_is_not_a_format_when_it_has_percent_signs(void **state)
{
    (void)state;
    char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_add(&text, "%s", "100% %n %s");
    assert_string_equal(buffer, "100% %n %s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_complete_when_it_fits_the_buffer),
        cmocka_unit_test(text_ends_with_dots_when_it_was_cut_and_dots_fit),
        cmocka_unit_test(text_is_not_marked_when_it_fits_exactly),
        cmocka_unit_test(text_is_cut_between_characters_when_too_long),
        cmocka_unit_test(text_piece_is_cut_alone_when_it_exceeds_its_own_limit),
        cmocka_unit_test(
            text_argument_is_not_a_format_when_it_has_percent_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
