/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The meaning of a failed connect: the reason of each attempt, whether a
 * further attempt helps, and of several hosts which reason each of them had. No
 * state, no lock.
 */
#include "pg/connect/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "pg/base/sqlstate.h"
#include "pg/config/secrets.h"
#include "pg/config/settings.h"

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

int pqp__is_permanent(const char *sqlstate, const char *text)
{
    if (*sqlstate == '\0')
        return HOLDS_ONE_OF(text, libpq_texts);
    if (strcmp(sqlstate, "08P01") == 0)
        return HOLDS_ONE_OF(text, pooler_texts);
    return (pqp__sqlstate_class(sqlstate) & PQP__PERMANENT) != 0;
}

void pqp__drop_hints(char *text)
{
    char *to = text;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        length += line[length] == '\n';
        if (line[0] != '\t') {
            memmove(to, line, length);
            to += length;
        }
        line += length;
    }
    *to = '\0';
}

/* The SQLSTATE in libpq's verbose text, as in "FATAL:  28P01: password ...",
 * the last one if there are several; NULL.  The word before it is the server's,
 * in any language; the two spaces and the colons are not. */
static const char *find_sqlstate(const char *text)
{
    const char *found = NULL;
    for (const char *p = text; (p = strstr(p, ":  ")); p++) {
        const char *code = p + 3;
        if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
            code[5] == ':' && code[6] == ' ')
            found = code;
    }
    return found;
}

/* The error that has this code: from the begin of its line, without the code
 * and without the place in the server's source.  NULL for want of memory. */
static char *server_error(const char *text, const char *code)
{
    const char *start = code, *rest = code + 7;
    while (start > text && start[-1] != '\n')
        start--;
    const char *end = strstr(rest, "\nLOCATION:  ");
    size_t size = strlen(start) + 1;
    size_t length = end ? (size_t)(end - rest) : strlen(rest);
    char *error = malloc(size);
    if (error)
        snprintf(error, size, "%.*s%.*s", (int)(code - start), start,
                 (int)length, rest);
    return error;
}

/* libpq was given an address, and speaks of nothing else.  Puts the host before
 * its address where that first stands alone.  Takes `text`; what is returned
 * is the caller's to free(). */
static char *name_host(char *text, const struct target *target)
{
    const char *host = target->part[TARGET_HOST];
    const char *address = target->part[TARGET_HOSTADDR];
    char nameless[160];
    if (!*host || !*address || strcmp(host, address) == 0)
        return text;
    snprintf(nameless, sizeof nameless, "\"%s\", port %s", address,
             target->part[TARGET_PORT]);
    const char *at = strstr(text, nameless);
    size_t size = strlen(text) + strlen(host) + sizeof "\"\" ()";
    char *named = at ? malloc(size) : NULL;
    if (!named)
        return text;
    snprintf(named, size, "%.*s\"%s\" (%s)%s", (int)(at - text), text, host,
             address, at + strlen(address) + 2);
    free(text);
    return named;
}

/* What libpq says about the attempt, without which address it was made to:
 * that is the user's, and may hold any word. */
static const char *without_address(const char *text)
{
    const char *failed = strstr(text, "failed: ");
    return failed ? failed : text;
}

/* What a server said is worth more than an attempt at the same address that it
 * did not answer: of a text with an SQLSTATE that error alone is kept. */
static void explain(const struct config *config, const char *passfile_fault,
                    struct target *target, const PGconn *pg, const char *text)
{
    rpool_failure *why = &target->why;
    *why = (rpool_failure){0};
    const char *code = find_sqlstate(text);
    if (code)
        snprintf(why->code, sizeof why->code, "%.5s", code);
    char *error = code ? server_error(text, code) : strdup(text);
    if (error && !code)
        pqp__drop_hints(error);
    if (error)
        error = name_host(error, target);
    pqp__clean_text(config, why->message, sizeof why->message,
                    error ? error : text);
    free(error);
    int no_password = PQconnectionNeedsPassword(pg);
    why->permanent =
        no_password || pqp__is_permanent(why->code, without_address(text));
    size_t used = strlen(why->message);
    if (no_password && passfile_fault)
        snprintf(why->message + used, sizeof why->message - used, "; %s",
                 passfile_fault);
}

/* Of an attempt that ended by itself, with errno as libpq's last step left it:
 * from libpq 16 on a socket that cannot be made is all there is to read of it.
 * An attempt that had an address was made. */
void pqp__explain_end(const struct config *config, const char *passfile_fault,
                      struct target *target, const PGconn *pg)
{
    char reason[80] = "libpq does not say why";
    if (errno != 0)
        (void)strerror_r(errno, reason, sizeof reason);
    char line[100];
    snprintf(line, sizeof line, "cannot connect: %s", reason);
    const char *text = PQerrorMessage(pg);
    explain(config, passfile_fault, target, pg, *text ? text : line);
    if (!*PQhostaddr(pg) &&
        pqp__settings_refused(config, config->parameter_count))
        target->why.permanent = 1;
}

/* A timeout is told only if there is nothing better to tell. */
void pqp__explain_timeout(const struct config *config,
                          const char *passfile_fault, struct target *target,
                          const PGconn *pg, int64_t ms)
{
    const char *text = PQerrorMessage(pg);
    if (find_sqlstate(text)) {
        explain(config, passfile_fault, target, pg, text);
        return;
    }
    char line[sizeof target->why.message];
    struct text answer;
    text_init(&answer, line, sizeof line);
    text_add(&answer, "no answer within %lld ms from \"", (long long)ms);
    text_add_at_most(&answer, 256, PQhost(pg));
    text_add(&answer, "\" (%s), port %s", PQhostaddr(pg), PQport(pg));
    target->why = (rpool_failure){0};
    pqp__clean_text(config, target->why.message, sizeof target->why.message,
                    line);
}

/* ---- all of them ---- */

static int is_permanent_at(const struct targets *targets,
                           const struct target *of)
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
static int is_permanent_host(const struct targets *targets, int host)
{
    for (int i = 0; i < targets->count; i++) {
        if (targets->at[i].host == host &&
            is_permanent_at(targets, &targets->at[i]))
            return 1;
    }
    return 0;
}

static int are_permanent(const struct targets *targets)
{
    for (int i = 0; i < targets->count; i++) {
        if (!is_permanent_host(targets, targets->at[i].host))
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
    *why = (rpool_failure){.permanent = are_permanent(targets)};
    memcpy(why->code, find_code(targets)->code, sizeof why->code);
    struct text text;
    text_init(&text, why->message, sizeof why->message);
    list_reasons(targets, &text);
}
