/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The addresses to connect to. */
#ifndef PG_CONNECT_TARGETS_H
#define PG_CONNECT_TARGETS_H

#include "pg/config/config.h"

/* One address of one host, as libpq takes it; "" where it has no such part. */
enum { TARGET_HOST, TARGET_HOSTADDR, TARGET_PORT, TARGET_PARTS };
struct target {
    char *part[TARGET_PARTS];
    int host;          /* its index in the list of hosts */
    int family;        /* of the address; AF_UNSPEC: it has none */
    int unresolved;    /* the name has no address, and `why` says why */
    rpool_failure why; /* of the last attempt; no message: none was made */
};

/* The targets in the order of trying: an entry for each address, and for each
 * name without one. */
struct targets {
    struct target *at;
    int count;
};

/* Takes the lists of hosts apart and resolves the names; blocks as long as the
 * resolver does.  If no host is set, the only entry has no host, which is
 * libpq's default.  Returns 0, or -1 and *why.  The caller frees *targets in
 * either case. */
int pqp__resolve(struct targets *targets, const PQconninfoOption *settings,
                 const struct config *config, rpool_failure *why);
void pqp__targets_free(struct targets *targets);

/* Puts the entries into a random order. */
void pqp__targets_shuffle(struct targets *targets);

#endif
