/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Wiping memory.  test_config.c checks that texts are wiped before they are
 * freed. */
#include "pg/base/openssl.h"

#include "support.h"

static void wipe_clears_exactly_the_bytes_when_given_a_range(void **state)
{
    (void)state;
    unsigned char bytes[64];
    memset(bytes, 'x', sizeof(bytes));
    pqp__wipe(bytes + 1, sizeof(bytes) - 2);
    assert_int_equal(bytes[0], 'x');
    assert_int_equal(bytes[63], 'x');
    for (size_t i = 1; i < 63; i++)
        assert_int_not_equal(bytes[i], 'x');
}

static void wipe_does_nothing_when_there_are_no_bytes_or_no_text(void **state)
{
    (void)state;
    char byte = 'x';
    pqp__wipe(&byte, 0);
    assert_int_equal(byte, 'x');
    pqp__wipe_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wipe_clears_exactly_the_bytes_when_given_a_range),
        cmocka_unit_test(wipe_does_nothing_when_there_are_no_bytes_or_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
