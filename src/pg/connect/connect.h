/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What connect.c shares with resolve.c, where the addresses come from, with
 * refusal.c, which says what a failure means, and with session.c, which listens
 * to every connection from its first byte. */
#ifndef PG_CONNECT_H
#define PG_CONNECT_H

#include "pg/internal.h"

/* ---- resolve.c ---- */

/* The arrays that PQconnectStartParams takes; of a keyword that stands there
 * twice the last counts.  Borrowed strings, room for what the caller said. */
struct keywords {
    const char **keywords, **values;
    int count;
};
/* The user's own parameters, with room for `more`; if asked, with "-" in place
 * of each secret.  0, or -1 for want of memory; free in either case. */
int pqp__keywords_make(struct keywords *keywords, const struct config *config,
                       int more, int without_secrets);
void pqp__keywords_add(struct keywords *keywords, const char *keyword,
                       const char *value);
void pqp__keywords_free(struct keywords *keywords);

/* Every setting as libpq sees it: the user's parameters, the service file and
 * the environment together.  A secret that is set, and the password always, is
 * replaced by "-".  NULL for want of memory; free with PQconninfoFree(). */
PQconninfoOption *pqp__settings(const struct config *config);
/* The value of one of them, "" if it has none. */
const char *pqp__setting(const PQconninfoOption *settings, const char *keyword);

/* One address of one host, as libpq takes it; "" where it has no such part. */
enum { TARGET_HOST, TARGET_HOSTADDR, TARGET_PORT, TARGET_PARTS };
struct target {
    char *part[TARGET_PARTS];
    int host;          /* which entry of the list of hosts it comes from */
    int family;        /* of the address; AF_UNSPEC: it has none */
    int unresolved;    /* the name has no address, and `why` says why */
    rpool_failure why; /* of the last attempt; no message: none was made */
};

/* Where to connect, in the order of trying: an entry for each address, and for
 * each name without one. */
struct targets {
    struct target *at;
    int count;
};

/* Takes the lists of hosts apart and resolves the names; blocks as long as
 * the resolver does.  Without a host there is one entry without one, which is
 * libpq's default.  0, or -1 and *why.  Free in either case. */
int pqp__resolve(struct targets *targets, const PQconninfoOption *settings,
                 const struct config *config, rpool_failure *why);
void pqp__targets_free(struct targets *targets);
/* Puts the entries into a random order. */
void pqp__targets_shuffle(struct targets *targets);

/* ---- refusal.c ---- */

/* Whether an attempt that failed with this SQLSTATE ("": none) and text would
 * fail again however often it is made.  The text is libpq's, in English. */
int pqp__is_final(const char *sqlstate, const char *text);
/* Why all attempts failed: the reason of each entry that was tried. */
void pqp__targets_explain(const struct targets *targets, rpool_failure *why);

/* ---- passfile.c ---- */

/* Why libpq would ignore the password file with a warning on stderr; NULL: it
 * reads the file, or there is none.  Static storage. */
const char *pqp__passfile_fault(const PQconninfoOption *settings);

/* ---- ending.c ---- */

/* Around what a thread of ours does in libpq with TLS, but not while it waits
 * for a socket.  0: the process ends, and libpq is not to be touched again. */
int pqp__libpq_enter(void);
void pqp__libpq_leave(void);

/* ---- session.c ---- */

/* Takes the notices and the life and death of a connection for the session.
 * 0, or -1 for want of memory. */
int pqp__session_listen(struct session *session, PGconn *pg);

#endif
