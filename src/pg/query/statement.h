/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One statement on a session. */
#ifndef PG_QUERY_STATEMENT_H
#define PG_QUERY_STATEMENT_H

#include "pg/session/session.h"

/* Sends one query and reads its answer, until the deadline (a time of
 * rpool_now()).  If `simple` is not 0, uses the simple protocol, which takes
 * several statements and no parameters.  res (NULL allowed) and err as in
 * pqp_exec().  After LOST, session->statement_sent says whether the server may
 * have received it.  The caller has begun a use of the lease. */
pqp_status pqp__statement(struct session *session, const pqp_query *query,
                          int simple, int64_t deadline, PGresult **res,
                          pqp_error *err);

#endif
