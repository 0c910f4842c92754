/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The role of a session's server, primary or standby, and a change of it. */
#ifndef PG_SESSION_FAILOVER_H
#define PG_SESSION_FAILOVER_H

#include "pg/session/session.h"

/* Returns the index of the connection's address in config->address_marks. */
unsigned pqp__role_mark_index(const PGconn *pg);

/* Returns whether a mark of that time applies to the session: the session is
 * older, and its server reports that it is a standby. */
int pqp__role_mark_applies(const struct session *session, int64_t mark);

/* Returns whether another session marked the address, so that this session must
 * not be leased.  Costs two loads as long as there is no mark. */
static inline int pqp__role_is_marked(const struct session *session)
{
    int64_t mark = atomic_load_explicit(
        &session->config->address_marks[session->mark_index],
        memory_order_relaxed);
    return session->connect_began < mark &&
           pqp__role_mark_applies(session, mark);
}

/* Returns whether the session may be leased: its server does not report a role
 * that contradicts target_session_attrs, and its address is not marked.  The
 * caller owns the session and has read its input. */
int pqp__role_fits(const struct session *session);

/* To be called when the server refused a write (25006).  If the server reports
 * that it is a standby, and the user did not ask for one, marks its address:
 * neither this session nor another older one to that standby is leased again.
 */
void pqp__role_mark(struct session *session);

/* To be called after each statement, with its error.  Decides whether a server
 * that accepted writes has become read-only, and then sets recycle_due or
 * close_on_release of the session. */
void pqp__failover_follow(struct session *session, const pqp_error *err);

#endif
