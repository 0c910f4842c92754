/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Wiping.  That texts are wiped before they are freed is seen by
 * test_config.c. */
#include "pg/internal.h"

#include "support.h"

static void wiping_clears_every_byte_and_no_more(void **state)
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

static void wiping_no_bytes_and_no_text_is_a_no_op(void **state)
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
        cmocka_unit_test(wiping_clears_every_byte_and_no_more),
        cmocka_unit_test(wiping_no_bytes_and_no_text_is_a_no_op),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
