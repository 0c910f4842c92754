/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The meaning of a failed connect: the reason of each attempt, whether a
 * further attempt may succeed, and a summary for several hosts.  No state, no
 * lock.
 */
#include "pg/connect/explain.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "pg/base/sqlstate.h"
#include "pg/config/secrets.h"
#include "pg/config/settings.h"

/* ---- permanent failures ---- */

/* Parts of libpq's texts for failures that have no SQLSTATE and that no further
 * attempt mends.  libpq 14 to 17 have them in common.
 * tests/unit/pg/connect/test_explain.c provokes them with the installed libpq,
 * and names those that only one version has. */
static const char *const libpq_texts[] = {
    /* The user requires TLS, and the server or the protocol has none. */
    "does not support SSL, but SSL was required",
    "SSL protocol version",
    "alert protocol version",
    "alert handshake failure",
    "alert insufficient security",
    "alert no application protocol",
    "ALPN protocol",
    /* The client or the server does not trust the other one. */
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
    /* A file of the client is missing or unusable. */
    "certificate file",
    "private key file",
    "private SSL key",
    "SSL engine",
    "root certificate paths",
    /* Client and server have no method of authentication in common. */
    "channel binding",
    "authentication method",
    "authentication not supported",
    "SASL authentication mechanisms are supported",
    "over a non-SSL connection",
    "GSSAPI encryption required",
    "GSSAPI encryption, but it was required",
    "No Kerberos credentials",
    "No credentials cache",
    /* The address is invalid. */
    "Unix-domain socket path",
};

/* PgBouncer's texts for permanent refusals.  A pooler has one SQLSTATE, 08P01,
 * for all refusals, also for a server that is down. */
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
    assert(sqlstate && text);

    if (*sqlstate == '\0')
        return HOLDS_ONE_OF(text, libpq_texts);
    if (strcmp(sqlstate, "08P01") == 0)
        return HOLDS_ONE_OF(text, pooler_texts);
    return (pqp__sqlstate_class(sqlstate) & PQP__PERMANENT) != 0;
}

/* ---- libpq's text ---- */

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

/* Returns the SQLSTATE in libpq's verbose text, as in "FATAL:  28P01: password
 * ...", the last one if there are several, or NULL.  The server chooses the
 * language of the word before it, but not the two spaces and the colons. */
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

/* Returns a copy of the error with this SQLSTATE, from the beginning of its
 * line, without the SQLSTATE and without the place in the server's source.  The
 * caller frees it.  NULL for want of memory. */
static char *server_error(const char *text, const char *code)
{
    assert(code >= text && code[5] == ':');

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

/* libpq was given an address and names no host.  Inserts the host before the
 * first place where the address stands alone.  Takes over `text`, and returns a
 * text that the caller frees. */
static char *name_host(char *text, const struct target *target)
{
    assert(text);

    const char *host = target->part[TARGET_HOST];
    const char *address = target->part[TARGET_HOSTADDR];
    if (!*host || !*address || strcmp(host, address) == 0)
        return text;

    char nameless[160];
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

/* Returns the part of libpq's text behind the address.  The address comes from
 * the user and may contain any word. */
static const char *without_address(const char *text)
{
    const char *failed = strstr(text, "failed: ");
    return failed ? failed : text;
}

/* ---- one attempt ---- */

/* Fills in target->why.  If the text contains an error with an SQLSTATE, only
 * that error is kept: it is worth more than another attempt at the same address
 * that the server did not answer. */
static void explain(const struct config *config, const char *passfile_fault,
                    struct target *target, const PGconn *pg, const char *text)
{
    assert(text && pg);

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

/* From libpq 16 on, errno is all that libpq leaves of a socket that it could
 * not create.  libpq may also have refused the parameters; but not if it has
 * used an address. */
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

/* An error that the server has sent is a better reason than the timeout. */
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

/* ---- all attempts ---- */

/* Returns whether all targets of this host and address family failed for
 * good. */
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

/* The addresses of one family may belong to several servers, and each of them
 * must have refused us for good.  The IPv4 and the IPv6 address of a name
 * mostly belong to one server, which may listen on one of them only: so one
 * family is enough. */
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

/* Returns the last failure that has an SQLSTATE.  A transient one comes before
 * a permanent one: it says what to wait for. */
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

/* Returns the bytes of all reasons, if each is cut to `most` bytes. */
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

/* Lists all reasons.  If they do not fit, the long ones are cut, so that each
 * host keeps a reason. */
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
