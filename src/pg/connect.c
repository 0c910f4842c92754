/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connects: what PQconnectdb does, in its own documented steps, so that it has
 * a deadline in milliseconds for each address, can be interrupted, and says
 * with which SQLSTATE it failed.  The parameters are always the user's own,
 * complete; only the addresses are spelled out, and what the user left open
 * gets the defaults below.  Called by the worker that creates; no lock.
 */
#include "pg/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Keepalives: the kernel of a peer that lives answers them, however long the
 * peer's process reads nothing, so only a connection whose peer is gone ends,
 * within a minute.  tcp_user_timeout is left to the user: Linux ends with it a
 * connection whose peer lives and reads nothing, as a backend does that waits
 * for a lock while the client still sends.
 *
 * If a key is encrypted and libpq has no password for it, OpenSSL asks at the
 * terminal.  With a password that does not fit it fails instead.  A key that is
 * not encrypted, and a hook of the application, do not look at it. */
static const char *const defaults[][2] = {
    {"keepalives_idle", "30"}, {"keepalives_interval", "10"},
    {"keepalives_count", "3"}, {"fallback_application_name", "pqpool"},
    {"sslpassword", "-"},
};
enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };

/* No file can have this path, as /dev/null is no folder. */
#define NO_FILE "/dev/null/none"

struct connecting {
    struct config *config;
    struct session *session;
    PQconninfoOption *settings;
    const char *passfile_fault; /* why no password file is read, or NULL */
    struct targets targets;
    int64_t deadline;
    int address_ms; /* the time that each address has */
    int stop_fd;
    int inside; /* of libpq; 0: the process ends */
    rpool_failure *why;
};

/* ---- why not ---- */

/* The SQLSTATE in libpq's verbose text, as in "FATAL:  28P01: password ...",
 * the last one if there are several; NULL.  The word before it is translated,
 * the two spaces and the colons are not. */
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

/* The only place where a text has to decide: libpq gives a refused certificate,
 * and a file of ours that it cannot read, no code.  Should a translation hide
 * it, the failure counts as transient, and is tried again now and then. */
static int is_bad_certificate(const char *text)
{
    return strstr(text, "certificate verify failed") ||
           strstr(text, "server certificate for") ||
           strstr(text, "certificate file") || strstr(text, "private key file");
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

/* libpq was given addresses, and speaks of nothing else.  Puts the host before
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

/* What a server said is worth more than why another address was not even
 * reached: of a text with an SQLSTATE that error alone is kept. */
static void explain(const struct connecting *c, const char *text)
{
    rpool_failure *why = c->why;
    *why = (rpool_failure){.permanent = is_bad_certificate(text)};
    const char *code = find_sqlstate(text);
    char *error = code ? server_error(text, code) : strdup(text);
    if (code) {
        snprintf(why->code, sizeof why->code, "%.5s", code);
        why->permanent |=
            (pqp__sqlstate_class(why->code) & PQP__PERMANENT) != 0;
    }
    if (error && !code)
        pqp__drop_hints(error);
    for (int i = 0; error && i < c->targets.count; i++)
        error = name_host(error, &c->targets.at[i]);
    pqp__clean_text(c->config, why->message, sizeof why->message,
                    error ? error : text);
    free(error);
}

/* Of an attempt that ended by itself, with errno as libpq's last step left it:
 * from libpq 16 on a socket that cannot be made is all there is to read of it.
 * An attempt that had an address was made. */
static void explain_end(const struct connecting *c, const PGconn *pg)
{
    char reason[80] = "libpq does not say why";
    if (errno != 0)
        (void)strerror_r(errno, reason, sizeof reason);
    char line[100];
    snprintf(line, sizeof line, "cannot connect: %s", reason);
    const char *text = PQerrorMessage(pg);
    explain(c, *text ? text : line);
    if (!*PQhostaddr(pg) && pqp__refused(c->config, c->config->parameter_count))
        c->why->permanent = 1;
}

/* A timeout is told only if there is nothing better to tell. */
static void explain_timeout(const struct connecting *c, const PGconn *pg,
                            int64_t ms)
{
    const char *text = PQerrorMessage(pg);
    if (find_sqlstate(text)) {
        explain(c, text);
        return;
    }
    if (c->why->message[0])
        return;
    char line[sizeof c->why->message];
    struct text answer;
    text_init(&answer, line, sizeof line);
    text_add(&answer, "no answer within %lld ms from \"", (long long)ms);
    text_add_at_most(&answer, 256, PQhost(pg));
    text_add(&answer, "\" (%s), port %s", PQhostaddr(pg), PQport(pg));
    explain(c, line);
}

static PGconn *fail(const struct connecting *c, const char *message)
{
    *c->why = (rpool_failure){0};
    snprintf(c->why->message, sizeof c->why->message, "%s", message);
    return NULL;
}

/* ---- one attempt at all the addresses that are left ---- */

enum outcome { CONNECTED, FAILED, SLOW_ADDRESS, DEADLINE, STOPPED, NO_MEMORY };

/* Begins, and listens before the first byte can be read. */
static PGconn *begin(struct connecting *c)
{
    static const char *const names[TARGET_PARTS] = {"host", "hostaddr", "port"};
    char *lists[TARGET_PARTS] = {NULL};
    struct keywords k;
    PGconn *pg = NULL;
    int ok =
        pqp__keywords_make(&k, c->config, DEFAULTS + TARGET_PARTS + 1, 0) == 0;
    for (int i = 0; ok && i < DEFAULTS; i++) {
        if (!*pqp__setting(c->settings, defaults[i][0]))
            pqp__keywords_add(&k, defaults[i][0], defaults[i][1]);
    }
    if (ok && c->passfile_fault)
        pqp__keywords_add(&k, "passfile", NO_FILE);
    for (int part = 0; ok && c->targets.count && part < TARGET_PARTS; part++) {
        lists[part] = pqp__targets_list(&c->targets, part);
        ok = lists[part] != NULL;
        pqp__keywords_add(&k, names[part], lists[part]);
    }
    if (ok)
        pg = PQconnectStartParams(k.keywords, k.values, 0);
    for (int part = 0; part < TARGET_PARTS; part++)
        free(lists[part]);
    pqp__keywords_free(&k);
    if (pg && pqp__session_listen(c->session, pg)) {
        PQfinish(pg);
        pg = NULL;
    }
    if (pg)
        PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    return pg;
}

/* As pqp__wait_socket, but late is late even if something is there: a peer
 * may always have one more byte to say. */
static int wait_to_poll(struct connecting *c, const PGconn *pg,
                        PostgresPollingStatusType polling, int64_t limit)
{
    if (clock_now() >= limit)
        return 0;
    pqp__libpq_leave();
    int ready = pqp__wait_socket(PQsocket(pg), polling == PGRES_POLLING_WRITING,
                                 c->stop_fd, limit);
    c->inside = pqp__libpq_enter();
    return c->inside ? ready : -1;
}

/* If libpq went on to another address, its time begins, and its password is
 * learned before the first byte from there, which may repeat it.  0, or -1 for
 * want of memory. */
static int turn_to_address(const struct connecting *c, const PGconn *pg,
                           int *trying, int64_t *until)
{
    int now = pqp__targets_find(&c->targets, pg);
    if (now == *trying)
        return 0;
    *trying = now;
    *until = clock_after(clock_now(), c->address_ms);
    return pqp__config_learn(c->config, PQpass(pg));
}

/* Polls until the end, or until the address being tried has used its time up:
 * its index is then in *slow. */
static enum outcome drive(struct connecting *c, PGconn *pg, int *slow)
{
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    int64_t until = 0;
    *slow = -1;
    while (polling != PGRES_POLLING_OK) {
        if (polling == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD)
            return FAILED;
        if (turn_to_address(c, pg, slow, &until))
            return NO_MEMORY;
        int64_t limit = until < c->deadline ? until : c->deadline;
        int ready = wait_to_poll(c, pg, polling, limit);
        if (ready < 0)
            return STOPPED;
        if (ready == 0)
            return limit == c->deadline ? DEADLINE : SLOW_ADDRESS;
        errno = 0;
        polling = PQconnectPoll(pg);
    }
    return CONNECTED;
}

/* Tries once; if that ends with a slow address, it is taken out of the list.
 * NULL, *why, and in *again whether to try the others. */
static PGconn *attempt(struct connecting *c, int *again)
{
    *again = 0;
    int64_t began = clock_now();
    errno = 0;
    PGconn *pg = begin(c);
    if (!pg)
        return fail(c, "out of memory");
    int slow = 0;
    switch (drive(c, pg, &slow)) {
    case CONNECTED:
        PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
        return pg;
    case FAILED:
        explain_end(c, pg);
        break;
    case SLOW_ADDRESS:
        explain_timeout(c, pg, c->address_ms);
        if (c->targets.count > 1) {
            pqp__targets_drop(&c->targets, slow);
            *again = 1;
        }
        break;
    case DEADLINE:
        explain_timeout(c, pg, (clock_now() - began) / CLOCK_MS);
        break;
    case STOPPED:
        if (!c->why->message[0])
            fail(c, "connecting was interrupted");
        break;
    case NO_MEMORY:
        fail(c, "out of memory");
        break;
    }
    if (c->inside)
        PQfinish(pg);
    return NULL;
}

/* What libpq has from the environment or the service file counts if the user
 * said nothing.  0 or -1. */
static int set_timeout(struct connecting *c)
{
    const char *seconds = pqp__setting(c->settings, "connect_timeout");
    c->address_ms = c->config->options.connect_timeout_ms;
    if (!c->config->timeout_is_open || !*seconds ||
        pqp__parse_timeout(seconds, &c->address_ms) == 0)
        return 0;
    fail(c, PQP__BAD_TIMEOUT);
    c->why->permanent = 1;
    return -1;
}

PGconn *pqp__connect(struct config *config, struct session *session,
                     int64_t deadline, int stop_fd, rpool_failure *why)
{
    struct connecting c = {.config = config,
                           .session = session,
                           .settings = pqp__settings(config),
                           .deadline = deadline,
                           .stop_fd = stop_fd,
                           .why = why};
    *why = (rpool_failure){0};
    if (!c.settings)
        return fail(&c, "out of memory");
    c.passfile_fault = pqp__passfile_fault(c.settings);
    PGconn *pg = NULL;
    int again = set_timeout(&c) == 0 &&
                pqp__resolve(&c.targets, c.settings, config, why) == 0;
    session->wanted =
        pqp__role_named(pqp__setting(c.settings, "target_session_attrs"));
    c.inside = pqp__libpq_enter();
    while (again && c.inside)
        pg = attempt(&c, &again);
    if (c.inside)
        pqp__libpq_leave();
    else
        fail(&c, "the process is ending");
    pqp__targets_free(&c.targets);
    PQconninfoFree(c.settings);
    return pg;
}
