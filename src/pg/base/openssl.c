/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The only file that calls OpenSSL.  No compiler removes its wipe as a store
 * that is never read.
 */
#include "pg/base/openssl.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Without an option OpenSSL would not initialise itself, and would register no
 * handler.  The option here adds nothing, where that of the error texts would
 * load 1.3 MB. */
void pqp__openssl_init(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_ATFORK, NULL);
}

void pqp__wipe(void *at, size_t size)
{
    assert(at || size == 0);
    OPENSSL_cleanse(at, size);
}

void pqp__wipe_free(char *text)
{
    if (text)
        pqp__wipe(text, strlen(text));
    free(text);
}
