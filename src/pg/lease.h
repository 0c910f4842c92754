/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Using a lease: from the handle to its session. */
#ifndef PG_LEASE_H
#define PG_LEASE_H

#include "pg/session/session.h"

/* Begins a use of the lease, that is a call of ours which needs its session.
 * Returns the session, or NULL and *err (INVALID or LOST) for a stale handle, a
 * handle that another thread uses, and a broken session.  Each success is
 * paired with pqp__use_end().  Until then no other call gets the session. */
struct session *pqp__use_begin(const pqp_conn *conn, pqp_error *err);
void pqp__use_end(struct session *session);

#endif
