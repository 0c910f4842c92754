/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The meaning of an SQLSTATE and of a severity. */
#ifndef PG_BASE_SQLSTATE_H
#define PG_BASE_SQLSTATE_H

#include <pqpool/pqpool.h>

/* The class of an SQLSTATE is a set of these bits; 0 for an ordinary error. */
enum {
    PQP__LOST = 1,      /* with severity FATAL, the server ends the session */
    PQP__READ_ONLY = 2, /* the server refused a write: a failover may be on */
    PQP__RETRY = 4,     /* the transaction may be run again */
    PQP__BACKOFF = 8,   /* the server is full or is starting */
    PQP__PERMANENT = 16 /* a further attempt to connect fails in the same way */
};

/* Returns the class.  NULL and "" are ordinary errors. */
unsigned pqp__sqlstate_class(const char *sqlstate);

/* Returns the severity of an error or a notice; "" if there is none.  It is
 * untranslated, except from old servers and some poolers, which do not send it
 * so. */
const char *pqp__severity(const PGresult *res);

/* Returns whether the server ends the session after a message of this severity.
 */
int pqp__is_fatal(const char *severity);

#endif
