/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What libpq reports of a session: notices, results, the end of the PGconn. */
#ifndef PG_SESSION_NOTICE_H
#define PG_SESSION_NOTICE_H

#include "pg/session/session.h"

/* Installs the notice receiver and the event procedure on a new connection. arg
 * is the struct session.  It is the callback of pqp__connect().  Returns 0, or
 * -1 for want of memory. */
int pqp__session_listen(void *arg, PGconn *pg);

/* Installs our notice receiver and libpq's processor again after a lease, in
 * which the borrower may have set its own. */
void pqp__notice_restore(struct session *session);

/* Installs libpq's own notice receiver before a detach, unless the borrower set
 * one itself. */
void pqp__notice_unlisten(const struct session *session);

/* Surround calls of libpq that read from the session.  In between, a message
 * that libpq drops breaks the session.  They cannot be nested. */
void pqp__reading_begin(struct session *session);
void pqp__reading_end(void);

#endif
