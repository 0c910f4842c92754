/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Input is "secret=text".  The cleaned text must be one line of UTF-8 that
 * fits, and must not show the secret unless it is a plain word. */
#include "pg/base/error.h"
#include "pg/base/sqlstate.h"
#include "pg/config/config.h"
#include "pg/config/secrets.h"

#include <string.h>

#include "fuzz.h"

/* Checks code points, while the checked code works on bytes. */
static void check_line(const char *line)
{
    for (const unsigned char *p = (const unsigned char *)line; *p;) {
        unsigned length = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
        static const unsigned least[] = {0, 0x20, 0xA0, 0x800, 0x10000};
        unsigned point = *p & (length == 1 ? 0x7FU : 0x7FU >> length);
        for (unsigned i = 1; i < length; i++) {
            CHECK((p[i] & 0xC0) == 0x80);
            point = point << 6 | (p[i] & 0x3FU);
        }
        CHECK(point >= least[length] && point != 0x7F && point <= 0x10FFFF);
        CHECK(point < 0xD800 || point > 0xDFFF);
        p += length;
    }
}

static void clean(char *secret, const char *text, size_t size)
{
    struct config config = {.secrets = &secret, .secret_count = 1};
    /* exact size, so that AddressSanitizer sees an overflow */
    char *to = malloc(size);
    CHECK(to);
    pqp__clean_text(&config, to, size, text);
    CHECK(strlen(to) < size);
    check_line(to);
    /* A secret without a digit may be a plain word, and a plain word is shown.
     */
    size_t length = strspn(secret, "abcdefghijklmnopqrstuvwxyz0123456789");
    CHECK(length < 4 || secret[length] || !strpbrk(secret, "0123456789") ||
          !strstr(to, secret));
    free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *secret = malloc(size + 1);
    CHECK(secret);
    if (size > 0)
        memcpy(secret, data, size);
    secret[size] = '\0';
    char *text = strchr(secret, '=');
    if (text) {
        *text++ = '\0';
        clean(secret, text, 3 * size + 1);
        clean(secret, text, 1 + size / 3);
        pqp_error err;
        CHECK(pqp__fail(&err, PQP_SERVER, "%s", text) == PQP_SERVER);
        check_line(err.message);
        (void)pqp__sqlstate_class(text);
    }
    free(secret);
    return 0;
}
