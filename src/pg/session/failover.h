/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The role of a session's server, and a change of it. */
#ifndef PG_SESSION_FAILOVER_H
#define PG_SESSION_FAILOVER_H

#include "pg/session/session.h"

/* The place of a connection's address in config->address_marks. */
unsigned pqp__role_place(const PGconn *pg);

/* Whether the session may be leased as far as the role goes that its server
 * reports.  The caller owns the session, and its input was read. */
int pqp__role_fits(const struct session *session);

/* Whether the mark applies to the session, which was made before it and whose
 * server reports a standby. */
int pqp__role_mark_applies(const struct session *session, int64_t mark);

/* As pqp__role_fits(), but only whether another session had the address marked.
 * Costs two loads as long as none has. */
static inline int pqp__role_is_marked(const struct session *session)
{
    int64_t mark = atomic_load_explicit(
        &session->config->address_marks[session->mark_index],
        memory_order_relaxed);
    return session->connect_began < mark &&
           pqp__role_mark_applies(session, mark);
}

/* Notes that the server refused a write (25006).  If it reports that it is a
 * standby, and no standby was asked for, its address is marked: this session is
 * not leased again, nor are others to it that report the same. */
void pqp__role_mark(struct session *session);

/* Notes the result of a statement, as it stands in *err: a server that took
 * writes when we connected may refuse one. */
void pqp__failover_follow(struct session *session, const pqp_error *err);

#endif
