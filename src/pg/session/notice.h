/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What libpq tells of a session: notices, results, the end of the PGconn. */
#ifndef PG_SESSION_NOTICE_H
#define PG_SESSION_NOTICE_H

#include "pg/session/session.h"

/* Installs the notice receiver and the event procedure of arg, a struct
 * session: the callback of pqp__connect().  Returns 0, or -1 for want of
 * memory. */
int pqp__session_listen(void *arg, PGconn *pg);

/* Puts the notice receiver and processor back after a lease, in which the
 * borrower may have set its own. */
void pqp__notice_restore(struct session *session);

/* Gives the notices back to libpq's own receiver before a detach. */
void pqp__notice_unlisten(const struct session *session);

/* Surround calls of libpq that read from the session.  In between, a message
 * that libpq drops breaks the session.  They cannot be nested. */
void pqp__reading_begin(struct session *session);
void pqp__reading_end(void);

#endif
