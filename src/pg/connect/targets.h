/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The addresses to connect to. */
#ifndef PG_CONNECT_TARGETS_H
#define PG_CONNECT_TARGETS_H

#include "pg/config/config.h"

/* One address of one host, as libpq takes it.  A part that it does not have is
 * "". */
enum { TARGET_HOST, TARGET_HOSTADDR, TARGET_PORT, TARGET_PARTS };
struct target {
    char *part[TARGET_PARTS];
    int host;          /* its index in the list of hosts */
    int family;        /* of the address; AF_UNSPEC if it has none */
    int unresolved;    /* the name has no address, and `why` has the reason */
    rpool_failure why; /* of the last attempt; without a message: none was
                          made */
};

/* All targets, in the order of trying. */
struct targets {
    struct target *at;
    int count;
};

/* Makes a target of each address, and of each name without one.  If no host is
 * set, the only target has no host, which means libpq's default.  Blocks as
 * long as the resolver does.  Returns 0, or -1 and *why.  The caller frees
 * *targets in either case. */
int pqp__resolve(struct targets *targets, const PQconninfoOption *settings,
                 const struct config *config, rpool_failure *why);
void pqp__targets_free(struct targets *targets);

/* Puts the targets into a random order. */
void pqp__targets_shuffle(struct targets *targets);

#endif
