/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Using a lease. */
#ifndef PG_LEASE_H
#define PG_LEASE_H

#include "pg/session/session.h"

/* Begins a call of ours on a lease.  Refuses a stale handle, a second thread
 * and a broken session: NULL and *err.  Each success is paired with
 * pqp__use_end(), and no other call gets the session until then. */
struct session *pqp__use_begin(const pqp_conn *conn, pqp_error *err);
void pqp__use_end(struct session *session);

#endif
