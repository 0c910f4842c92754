/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Text into a buffer of fixed size. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void what_fits_is_there(void **state)
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

static void what_does_not_fit_is_cut_off(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 12; size++) {
        char buffer[13];
        memset(buffer, '#', sizeof buffer);
        struct text text;
        text_init(&text, buffer, size);
        for (int i = 0; i < 10; i++)
            text_add(&text, "%s", "abc");
        assert_int_equal(strlen(buffer), size - 1);
        assert_memory_equal(buffer, "abcabcabcabc", size - 1);
        assert_int_equal(buffer[size], '#');
        assert_int_equal(text.used, size - 1);
    }
}

/* N18 */
static void what_is_given_is_no_format(void **state)
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
        cmocka_unit_test(what_fits_is_there),
        cmocka_unit_test(what_does_not_fit_is_cut_off),
        cmocka_unit_test(what_is_given_is_no_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
