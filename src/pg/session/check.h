/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Checking a session before a lease. */
#ifndef PG_SESSION_CHECK_H
#define PG_SESSION_CHECK_H

#include "pg/session/session.h"

/* Functions of the core's provider.  pqp__session_look() judges by the input
 * that has arrived: it sends nothing and waits for nothing. */
int pqp__session_check(void *ctx, void *resource, int64_t idle_ms,
                       int64_t deadline);
int pqp__session_look(void *ctx, void *resource);

/* Returns whether a connection in this transaction status is at rest: no
 * statement is under way and no result is unread.  libpq's status is UNKNOWN if
 * the connection is not OK. */
static inline int pqp__is_at_rest(const PGconn *pg,
                                  PGTransactionStatusType status)
{
    return (status == PQTRANS_IDLE || status == PQTRANS_INTRANS ||
            status == PQTRANS_INERROR) &&
           PQpipelineStatus(pg) == PQ_PIPELINE_OFF;
}

/* Sends one statement, or two (second not NULL) as a pipeline with a Sync each.
 * Never blocks.  Returns 0 or -1. */
int pqp__session_send(struct session *session, const char *first,
                      const char *second);

/* Makes libpq forget the text of its last error, which may contain data of a
 * borrower.  Returns 0 or -1. */
int pqp__forget_error(PGconn *pg);

/* Discards the notifications, and returns whether a session whose input was
 * read may be leased again. */
int pqp__session_is_clean(struct session *session);

#endif
