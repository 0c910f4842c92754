/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Wiping: every byte, no more, and before the memory is given back. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "pg/internal.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "support.h"

static size_t wiped; /* bytes, by the last call */

/* Stands before OpenSSL's own, which does the work. */
void OPENSSL_cleanse(void *at, size_t size)
{
    void (*real)(void *, size_t);
    *(void **)&real = dlsym(RTLD_NEXT, "OPENSSL_cleanse");
    wiped = size;
    real(at, size);
}

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

static void a_text_is_wiped_to_its_end_before_it_is_freed(void **state)
{
    (void)state;
    wiped = 0;
    char *text = strdup("a secret");
    assert_non_null(text);
    pqp__wipe_free(text);
    assert_int_equal(wiped, strlen("a secret"));
}

static void wiping_nothing_is_a_no_op(void **state)
{
    (void)state;
    wiped = 99;
    pqp__wipe_free(NULL);
    assert_int_equal(wiped, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiping_clears_every_byte_and_no_more),
        cmocka_unit_test(a_text_is_wiped_to_its_end_before_it_is_freed),
        cmocka_unit_test(wiping_nothing_is_a_no_op),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
