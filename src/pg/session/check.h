/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Pings, and the answers that are read before the next lease. */
#ifndef PG_SESSION_CHECK_H
#define PG_SESSION_CHECK_H

#include "pg/session/session.h"

/* Functions of the core's provider.  look does what check does with what has
 * arrived already: it sends nothing and waits for nothing. */
int pqp__session_check(void *ctx, void *resource, int64_t idle_ms,
                       int64_t deadline);
int pqp__session_look(void *ctx, void *resource);

/* Whether the connection, in this transaction status, is at rest: nothing is
 * unsent or unread.  The status is UNKNOWN if the connection is not OK. */
static inline int pqp__is_at_rest(const PGconn *pg,
                                  PGTransactionStatusType status)
{
    return (status == PQTRANS_IDLE || status == PQTRANS_INTRANS ||
            status == PQTRANS_INERROR) &&
           PQpipelineStatus(pg) == PQ_PIPELINE_OFF;
}

/* Sends one statement, or two as a pipeline with a Sync each.  Never blocks.
 * Returns 0 or -1. */
int pqp__session_send(struct session *session, const char *first,
                      const char *second);

/* Makes libpq forget the text of its last error, which may hold a borrower's
 * data.  Returns 0 or -1. */
int pqp__forget_error(PGconn *pg);

/* Whether an idle session may be leased, once all of its input was read. */
int pqp__session_is_clean(struct session *session);

#endif
