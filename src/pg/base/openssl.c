/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The one file that knows OpenSSL.  Its wipe is the one that no compiler takes
 * away as a store that nobody reads.
 */
#include "pg/base/openssl.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void pqp__openssl_init(void)
{
    /* With no option at all it would do nothing at all; this one does nothing
     * more, where the texts of its errors would take 1.3 MB. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_ATFORK, NULL);
}

void pqp__wipe(void *at, size_t size)
{
    OPENSSL_cleanse(at, size);
}

void pqp__wipe_free(char *text)
{
    if (text)
        pqp__wipe(text, strlen(text));
    free(text);
}
