/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connects as PQconnectdb() does, but in libpq's own asynchronous steps.  So
 * each address has a deadline in milliseconds, a connect can be interrupted,
 * and its failure has an SQLSTATE.
 *
 * Each address is an attempt of its own, with a reason of its own, and a host
 * that refuses us does not keep libpq from the next one.  The parameters are
 * always the user's own, complete.  Only the address is added, and the defaults
 * below where the user set nothing.
 *
 * The worker that creates the session calls; there is no lock.
 */
#include "pg/connect/connect.h"

#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pg/base/atexit.h"
#include "pg/base/socket.h"
#include "pg/config/keyword.h"
#include "pg/config/secrets.h"
#include "pg/config/settings.h"
#include "pg/connect/explain.h"
#include "pg/connect/passfile.h"
#include "pg/connect/targets.h"

/* Keepalives end the connection to a peer that is gone, within a minute.  The
 * kernel of a living peer answers them, even if the peer's process reads
 * nothing.  tcp_user_timeout is left to the user: with it Linux also ends the
 * connection to a living peer that reads nothing, such as a backend that waits
 * for a lock while the client still sends.
 *
 * OpenSSL asks at the terminal for the password of an encrypted key if libpq
 * has none.  With a wrong password it fails instead.  A key that is not
 * encrypted, and a hook of the application, ignore the password. */
static const char *const defaults[][2] = {
    {"keepalives_idle", "30"}, {"keepalives_interval", "10"},
    {"keepalives_count", "3"}, {"fallback_application_name", "pqpool"},
    {"sslpassword", "-"},
};
enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };

/* No file can have this path, as /dev/null is not a directory. */
#define NO_FILE "/dev/null/none"

/* A connect that is under way. */
struct connecting {
    const struct connect_request *request;
    struct config *config;
    PQconninfoOption *settings;
    const char *passfile_fault; /* why no password file is read, or NULL */
    struct targets targets;
    const char *session_attrs; /* target_session_attrs in place of the user's,
                                  or NULL */
    int address_ms;            /* the time that each address has */
    int in_libpq; /* this thread is counted in atexit.c; 0: the process exits */
};

static void fail(rpool_failure *why, const char *message)
{
    assert(message);

    *why = (rpool_failure){0};
    snprintf(why->message, sizeof why->message, "%s", message);
}

/* ---- one attempt at one address ---- */

enum outcome { CONNECTED, FAILED, SLOW, DEADLINE, STOPPED, NO_MEMORY };

/* The keywords that add_extra_keywords() adds at most. */
enum { EXTRA_KEYWORDS = DEFAULTS + TARGET_PARTS + 2 };

/* Adds the defaults, the address and the other keywords that are not the user's
 * own. */
static void add_extra_keywords(const struct connecting *c,
                               const struct target *target, struct keywords *k)
{
    static const char *const names[TARGET_PARTS] = {"host", "hostaddr", "port"};

    for (int i = 0; i < DEFAULTS; i++) {
        if (!*pqp__setting(c->settings, defaults[i][0]))
            pqp__keywords_add(k, defaults[i][0], defaults[i][1]);
    }
    for (int part = 0; part < TARGET_PARTS; part++)
        pqp__keywords_add(k, names[part], target->part[part]);
    if (c->passfile_fault)
        pqp__keywords_add(k, "passfile", NO_FILE);
    if (c->session_attrs)
        pqp__keywords_add(k, "target_session_attrs", c->session_attrs);
}

/* A later message may repeat the password that libpq found, and settings that
 * contain it.  Returns 0, or -1 for want of memory. */
static int note_secrets(const struct connecting *c, const PGconn *pg)
{
    int failed = pqp__secrets_add(c->config, PQpass(pg));
    for (const PQconninfoOption *s = c->settings; s->keyword && !failed; s++) {
        if (s->val && s->dispchar[0] != '*')
            failed = pqp__secrets_exempt(c->config, s->val);
    }
    return failed;
}

/* Starts an attempt.  The listener is installed before the first byte can be
 * read.  NULL for want of memory. */
static PGconn *start_attempt(const struct connecting *c,
                             const struct target *target)
{
    struct keywords k;
    PGconn *pg = NULL;
    if (pqp__keywords_make(&k, c->config, EXTRA_KEYWORDS, 0) == 0) {
        add_extra_keywords(c, target, &k);
        pg = PQconnectStartParams(k.keywords, k.values, 0);
    }
    pqp__keywords_free(&k);

    if (pg &&
        (c->request->listen(c->request->arg, pg) || note_secrets(c, pg))) {
        PQfinish(pg);
        pg = NULL;
    }
    /* Only the verbose text of a failure has its SQLSTATE. */
    if (pg)
        PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    return pg;
}

/* As pqp__wait_socket(), but 0 after the limit even if the socket is ready: a
 * peer may send one byte at a time. */
static int wait_to_poll(struct connecting *c, const PGconn *pg,
                        PostgresPollingStatusType polling, int64_t limit)
{
    assert(c->in_libpq);

    if (clock_now() >= limit)
        return 0;

    pqp__libpq_leave();
    int ready = pqp__wait_socket(PQsocket(pg), polling == PGRES_POLLING_WRITING,
                                 c->request->stop_fd, limit);
    c->in_libpq = pqp__libpq_enter();
    return c->in_libpq ? ready : -1;
}

/* Polls until the attempt ends, or until the address has used up its time. */
static enum outcome poll_attempt(struct connecting *c, PGconn *pg,
                                 int64_t until)
{
    assert(c->in_libpq && pg);

    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    int64_t deadline = c->request->deadline;
    int64_t limit = until < deadline ? until : deadline;

    while (polling != PGRES_POLLING_OK) {
        if (polling == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD)
            return FAILED;

        int ready = wait_to_poll(c, pg, polling, limit);
        if (ready < 0)
            return STOPPED;
        if (ready == 0)
            return limit == deadline ? DEADLINE : SLOW;

        errno = 0; /* for pqp__explain_end() */
        polling = PQconnectPoll(pg);
    }
    return CONNECTED;
}

/* Makes one attempt.  *connected is set if it is CONNECTED, else it is NULL and
 * the target has the reason. */
static enum outcome attempt(struct connecting *c, struct target *target,
                            PGconn **connected)
{
    assert(c->in_libpq && !target->unresolved);

    *connected = NULL;
    int64_t began = clock_now();
    errno = 0;
    PGconn *pg = start_attempt(c, target);
    if (!pg)
        return NO_MEMORY;

    enum outcome outcome =
        poll_attempt(c, pg, clock_after(began, c->address_ms));
    if (outcome == CONNECTED) {
        PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
        *connected = pg;
        return outcome;
    }

    if (outcome == FAILED)
        pqp__explain_end(c->config, c->passfile_fault, target, pg);
    else if (outcome == SLOW)
        pqp__explain_timeout(c->config, c->passfile_fault, target, pg,
                             c->address_ms);
    else if (outcome == DEADLINE)
        pqp__explain_timeout(c->config, c->passfile_fault, target, pg,
                             (clock_now() - began) / CLOCK_MS);
    if (c->in_libpq)
        PQfinish(pg);
    return outcome;
}

/* ---- all addresses ---- */

/* Tries one address after the other, until one is connected or an outcome
 * forbids to try another.  Returns the outcome of the last attempt. */
static enum outcome try_addresses(struct connecting *c, PGconn **connected)
{
    enum outcome outcome = FAILED;
    *connected = NULL;
    for (int i = 0; i < c->targets.count; i++) {
        if (c->targets.at[i].unresolved)
            continue;
        outcome = attempt(c, &c->targets.at[i], connected);
        if (outcome != FAILED && outcome != SLOW)
            return outcome;
    }
    return outcome;
}

/* As libpq does, goes through the list twice for prefer-standby, and in a
 * random order if load_balance_hosts says so. */
static enum outcome try_hosts(struct connecting *c, PGconn **connected)
{
    const char *order = pqp__setting(c->settings, "load_balance_hosts");
    const char *wanted = pqp__setting(c->settings, "target_session_attrs");
    if (strcmp(order, "random") == 0)
        pqp__targets_shuffle(&c->targets);
    if (strcmp(wanted, "prefer-standby") != 0)
        return try_addresses(c, connected);

    c->session_attrs = "standby";
    enum outcome outcome = try_addresses(c, connected);
    c->session_attrs = "any";
    return outcome == FAILED || outcome == SLOW ? try_addresses(c, connected)
                                                : outcome;
}

static PGconn *connect_to_one(struct connecting *c, rpool_failure *why)
{
    assert(c->in_libpq);

    PGconn *pg = NULL;
    enum outcome outcome = try_hosts(c, &pg);
    assert((pg != NULL) == (outcome == CONNECTED));

    if (outcome == NO_MEMORY)
        fail(why, "out of memory");
    else if (!c->in_libpq)
        fail(why, "cannot connect: the process is exiting");
    else if (outcome != CONNECTED)
        pqp__targets_explain(&c->targets, why);
    if (!pg && !why->message[0])
        fail(why, outcome == STOPPED
                      ? "cannot connect: the pool is closing"
                      : "cannot connect: no host has an address");
    return pg;
}

/* ---- before and after ---- */

/* If the user set no timeout, the connect_timeout counts that libpq found in
 * the environment or in the service file.  Returns 0, or -1 and *why. */
static int set_timeout(struct connecting *c, rpool_failure *why)
{
    const char *seconds = pqp__setting(c->settings, "connect_timeout");
    c->address_ms = c->config->options.connect_timeout_ms;
    if (!c->config->timeout_is_open || !*seconds ||
        pqp__parse_timeout(seconds, &c->address_ms) == 0)
        return 0;

    fail(why, PQP__BAD_TIMEOUT);
    why->permanent = 1;
    return -1;
}

/* Makes the messages of this thread English, whatever the language of the
 * process: explain.c has to understand libpq's texts.  Returns the locale of
 * before, for restore_locale(). */
static locale_t use_english_messages(void)
{
    locale_t before = uselocale((locale_t)0), copy = duplocale(before);
    locale_t english = copy ? newlocale(LC_MESSAGES_MASK, "C", copy) : copy;
    if (english)
        uselocale(english);
    else if (copy)
        freelocale(copy);
    return before;
}

static void restore_locale(locale_t before)
{
    locale_t english = uselocale(before);
    if (english != before)
        freelocale(english);
}

PGconn *pqp__connect(const struct connect_request *request, enum role *role,
                     rpool_failure *why)
{
    assert(request->config && request->listen);

    struct connecting c = {.request = request,
                           .config = request->config,
                           .settings = pqp__settings(request->config)};
    PGconn *pg = NULL;
    *why = (rpool_failure){0};
    if (!c.settings) {
        fail(why, "out of memory");
        return NULL;
    }

    locale_t before = use_english_messages();
    c.passfile_fault = pqp__passfile_fault(c.settings);
    int is_ready = set_timeout(&c, why) == 0 &&
                   pqp__resolve(&c.targets, c.settings, c.config, why) == 0;
    *role = pqp__role_named(pqp__setting(c.settings, "target_session_attrs"));

    c.in_libpq = pqp__libpq_enter();
    if (!c.in_libpq)
        fail(why, "cannot connect: the process is exiting");
    else if (is_ready)
        pg = connect_to_one(&c, why);
    if (c.in_libpq)
        pqp__libpq_leave();

    pqp__targets_free(&c.targets);
    PQconninfoFree(c.settings);
    restore_locale(before);
    return pg;
}
