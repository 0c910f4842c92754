/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Any bytes as a connection string.  libpq and pqpool must agree whether it is
 * valid, and no error may show a secret. */
#include "pg/base/openssl.h"
#include "pg/config/config.h"
#include "pg/config/conninfo.h"
#include "pg/config/secrets.h"

#include <string.h>

#include "fuzz.h"

static int count(void *arg, const char *keyword, const char *value,
                 pqp_error *err)
{
    (void)value;
    (void)err;
    CHECK(strncmp(keyword, "pool_", 5) == 0);
    ++*(int *)arg;
    return 0;
}

/* The scanner accepts every string that libpq accepts, and does not change it
 * if it has no keyword of pqpool. */
static void split(const char *conninfo)
{
    int ours = 0;
    pqp_error err = {.message = ""};
    char *rest = pqp__conninfo_split(conninfo, count, &ours, &err);
    PQconninfoOption *list = PQconninfoParse(conninfo, NULL);
    CHECK(rest || err.status == PQP_INVALID);
    CHECK(rest || !list);
    CHECK(!list || !ours);
    CHECK(!rest || ours || strcmp(rest, conninfo) == 0);
    CHECK(!rest || strlen(rest) <= strlen(conninfo));
    PQconninfoFree(list);
    pqp__wipe_free(rest);
}

/* Cleaning cannot produce a secret of letters and digits.  A secret without a
 * digit may be a plain word, and a plain word is shown. */
static void hide(const struct config *config, const char *conninfo)
{
    static char shown[4096];
    pqp__clean_text(config, shown, sizeof(shown), conninfo);
    for (int i = 0; i < config->secret_count; i++) {
        const char *secret = config->secrets[i];
        size_t length = strspn(secret, "abcdefghijklmnopqrstuvwxyz0123456789");
        CHECK(length < 4 || secret[length] || !strpbrk(secret, "0123456789") ||
              !strstr(shown, secret));
    }
}

static void make(const char *conninfo)
{
    struct config *config;
    pqp_error err;
    pqp_status status =
        pqp__config_make(&config, PQP_OPTIONS(.conninfo = conninfo), &err);
    CHECK(status == err.status);
    CHECK((status == PQP_OK) == (config != NULL));
    CHECK((status == PQP_OK) == (err.message[0] == '\0'));
    if (config)
        hide(config, conninfo);
    pqp__config_free(config);
    CHECK(pqp__conninfo_explain(conninfo, &err) == PQP_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *conninfo = malloc(size + 1);
    CHECK(conninfo);
    if (size > 0)
        memcpy(conninfo, data, size);
    conninfo[size] = '\0';
    split(conninfo);
    make(conninfo);
    free(conninfo);
    return 0;
}
