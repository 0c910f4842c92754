/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the failure of a connect means: whether trying again helps, and of
 * several hosts which reason each of them had.  No state, no lock.
 */
#include "pg/connect/connect.h"

#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

/* ---- one attempt ---- */

/* The failures for which libpq has no code, and which no further attempt mends,
 * by a part of the text that libpq 14 to 17 have in common.
 * tests/unit/pg/connect/test_explain.c provokes them with the libpq that is
 * installed, and names those that only one version of libpq knows. */
static const char *const libpq_texts[] = {
    /* TLS is required, and cannot be had. */
    "does not support SSL, but SSL was required",
    "SSL protocol version",
    "alert protocol version",
    "alert handshake failure",
    "alert insufficient security",
    "alert no application protocol",
    "ALPN protocol",
    /* One of the two does not trust the other. */
    "certificate verify failed",
    "server certificate for",
    "host name from server certificate",
    "host name must be specified",
    "SSL certificate",
    "alert unknown ca",
    "alert bad certificate",
    "alert unsupported certificate",
    "alert certificate",
    "requirepeer",
    /* A file of ours. */
    "certificate file",
    "private key file",
    "private SSL key",
    "SSL engine",
    "root certificate paths",
    /* How to authenticate. */
    "channel binding",
    "authentication method",
    "authentication not supported",
    "SASL authentication mechanisms are supported",
    "over a non-SSL connection",
    "GSSAPI encryption required",
    "GSSAPI encryption, but it was required",
    "No Kerberos credentials",
    "No credentials cache",
    /* An address that is none. */
    "Unix-domain socket path",
};

/* A pooler has one SQLSTATE, 08P01, for whatever it refuses, and also for a
 * server that is away: these are PgBouncer's texts of what stays refused. */
static const char *const pooler_texts[] = {
    "unsupported startup parameter",
    "no such database",
    "no such user",
    "a database is required",
    "authentication failed",
    "auth failed",
    "login rejected",
    "SSL required",
    "TLS connection required",
    "TLS client certificate required",
    "bouncer config error",
};

static int holds_one_of(const char *text, const char *const *texts,
                        size_t count)
{
    while (count > 0 && !strstr(text, texts[count - 1]))
        count--;
    return count > 0;
}
#define HOLDS_ONE_OF(text, texts)                                              \
    holds_one_of((text), (texts), sizeof(texts) / sizeof(texts)[0])

int pqp__is_final(const char *sqlstate, const char *text)
{
    if (*sqlstate == '\0')
        return HOLDS_ONE_OF(text, libpq_texts);
    if (strcmp(sqlstate, "08P01") == 0)
        return HOLDS_ONE_OF(text, pooler_texts);
    return (pqp__sqlstate_class(sqlstate) & PQP__PERMANENT) != 0;
}

/* ---- all of them ---- */

static int is_final_at(const struct targets *targets, const struct target *of)
{
    for (int i = 0; i < targets->count; i++) {
        const struct target *t = &targets->at[i];
        if (t->host == of->host && t->family == of->family && !t->why.permanent)
            return 0;
    }
    return 1;
}

/* The addresses of one family may be of several servers, and each of them must
 * have refused us for good.  The IPv4 and the IPv6 address of a name are mostly
 * of the same server, which listens on one of them: it is enough if one family
 * did. */
static int is_final_host(const struct targets *targets, int host)
{
    for (int i = 0; i < targets->count; i++) {
        if (targets->at[i].host == host &&
            is_final_at(targets, &targets->at[i]))
            return 1;
    }
    return 0;
}

static int are_final(const struct targets *targets)
{
    for (int i = 0; i < targets->count; i++) {
        if (!is_final_host(targets, targets->at[i].host))
            return 0;
    }
    return targets->count > 0;
}

/* The SQLSTATE of the last failure that has one, and if there is one of a
 * failure that may pass, the last of these: it says what to wait for. */
static const rpool_failure *find_code(const struct targets *targets)
{
    static const rpool_failure none;
    const rpool_failure *found = &none;
    for (int i = 0; i < targets->count; i++) {
        const rpool_failure *why = &targets->at[i].why;
        if (*why->code &&
            (!*found->code || found->permanent || !why->permanent))
            found = why;
    }
    return found;
}

/* Bytes of all reasons in a list, if none has more than `most` of them. */
static size_t list_size(const struct targets *targets, size_t most)
{
    size_t size = 0;
    for (int i = 0; i < targets->count; i++) {
        size_t length = strlen(targets->at[i].why.message);
        if (length)
            size += (length < most ? length : most) + sizeof "; " - 1;
    }
    return size;
}

/* If there is no room for all, the long reasons are cut, so that the last host
 * has its own too. */
static void list_reasons(const struct targets *targets, struct text *text)
{
    enum { FEWEST = 40 }; /* bytes of a reason that still say something */
    size_t most = text->size;
    while (most > FEWEST && list_size(targets, most) >= text->size)
        most--;
    for (int i = 0; i < targets->count; i++) {
        const char *reason = targets->at[i].why.message;
        if (*reason && text->used)
            text_add(text, "; ");
        text_add_at_most(text, most, reason);
    }
}

void pqp__targets_explain(const struct targets *targets, rpool_failure *why)
{
    *why = (rpool_failure){.permanent = are_final(targets)};
    memcpy(why->code, find_code(targets)->code, sizeof why->code);
    struct text text;
    text_init(&text, why->message, sizeof why->message);
    list_reasons(targets, &text);
}
