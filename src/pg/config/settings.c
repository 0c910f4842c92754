/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The settings of a connection: libpq merges the user's parameters, the service
 * file and the environment.  pqp_pool_open() and the worker that connects call;
 * there is no lock.
 */
#include "pg/config/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pg/base/openssl.h"

/* ---- the arrays for libpq ---- */

static int is_secret(const struct config *config, const char *value)
{
    for (int i = 0; i < config->secret_count; i++) {
        if (config->secrets[i] == value)
            return 1;
    }
    return 0;
}

int pqp__keywords_make(struct keywords *keywords, const struct config *config,
                       int more, int without_secrets)
{
    size_t room = (size_t)config->parameter_count + (size_t)more + 1;
    *keywords = (struct keywords){
        .keywords = calloc(room, sizeof *keywords->keywords),
        .values = calloc(room, sizeof *keywords->values),
        .room = config->parameter_count + more,
    };
    if (!keywords->keywords || !keywords->values)
        return -1;

    for (int i = 0; i < config->parameter_count; i++) {
        const struct parameter *p = &config->parameters[i];
        int hide = without_secrets && *p->value && is_secret(config, p->value);
        pqp__keywords_add(keywords, p->keyword, hide ? "-" : p->value);
    }
    return 0;
}

void pqp__keywords_add(struct keywords *keywords, const char *keyword,
                       const char *value)
{
    assert(keyword && value && keywords->count < keywords->room);

    keywords->keywords[keywords->count] = keyword;
    keywords->values[keywords->count++] = value;
}

void pqp__keywords_free(struct keywords *keywords)
{
    free(keywords->keywords);
    free(keywords->values);
}

/* ---- all settings ---- */

/* Replaces each secret by "-": the caller learns that it is set, and no more.
 */
static void hide_secrets(PQconninfoOption *settings)
{
    for (; settings && settings->keyword; settings++) {
        if (settings->dispchar[0] != '*' || !settings->val || !*settings->val)
            continue;

        pqp__wipe(settings->val, strlen(settings->val));
        settings->val[0] = '-';
    }
}

/* Only libpq knows how to merge.  A connection with an invalid sslmode has
 * merged its settings and failed after that: it has read no password file,
 * resolved no name and made no socket.  The password "-" keeps those of the
 * environment and of the service file out of the copy. */
PQconninfoOption *pqp__settings(const struct config *config)
{
    PQconninfoOption *settings = NULL;
    struct keywords k;

    if (pqp__keywords_make(&k, config, 2, 1) == 0) {
        pqp__keywords_add(&k, "password", "-");
        pqp__keywords_add(&k, "sslmode", "?");
        PGconn *pg = PQconnectStartParams(k.keywords, k.values, 0);
        settings = PQconninfo(pg);
        hide_secrets(settings);
        PQfinish(pg);
    }
    pqp__keywords_free(&k);
    return settings;
}

const char *pqp__setting(const PQconninfoOption *settings, const char *keyword)
{
    assert(settings && keyword);

    for (; settings->keyword; settings++) {
        if (strcmp(settings->keyword, keyword) == 0)
            return settings->val ? settings->val : "";
    }
    return "";
}

int pqp__settings_refused(const struct config *config, int count)
{
    /* With these parameters libpq resolves no name, makes no socket and reads
     * no password file, and the user who runs the process does not matter. */
    static const char *const fixed[][2] = {
        {"host", "-"},     {"hostaddr", "-"}, {"port", "1"},
        {"password", "-"}, {"user", "-"},
    };
    enum { FIXED = sizeof fixed / sizeof fixed[0] };
    const struct config first = {.parameters = config->parameters,
                                 .parameter_count = count,
                                 .secrets = config->secrets,
                                 .secret_count = config->secret_count};
    assert(count <= config->parameter_count);

    struct keywords k;
    int refused = 0;
    if (pqp__keywords_make(&k, &first, FIXED, 1) == 0) {
        for (int i = 0; i < FIXED; i++)
            pqp__keywords_add(&k, fixed[i][0], fixed[i][1]);
        refused = PQpingParams(k.keywords, k.values, 0) == PQPING_NO_ATTEMPT;
    }
    pqp__keywords_free(&k);
    return refused;
}

enum role pqp__role_named(const char *wanted)
{
    static const char *const names[] = {
        [ROLE_ANY] = "any",
        [ROLE_READ_WRITE] = "read-write",
        [ROLE_READ_ONLY] = "read-only",
        [ROLE_PRIMARY] = "primary",
        [ROLE_STANDBY] = "standby",
        [ROLE_PREFER_STANDBY] = "prefer-standby",
    };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(wanted, names[i]) == 0)
            return (enum role)i;
    return ROLE_ANY;
}
