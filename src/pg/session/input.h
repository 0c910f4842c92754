/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Input that no statement of ours asked for.  The functions are called between
 * pqp__reading_begin() and pqp__reading_end(). */
#ifndef PG_SESSION_INPUT_H
#define PG_SESSION_INPUT_H

#include "pg/session/session.h"

/* Reads what has arrived, without waiting.  Returns 0, or -1 if the session is
 * over. */
int pqp__input_read(struct session *session);

/* Reads, before a statement, what came since the last answer: it belongs to no
 * statement, and must not pass for the answer to this one.  If it was an answer
 * or the end of the session, returns LOST with *err and ends the connection. */
pqp_status pqp__session_read_unsolicited(struct session *session,
                                         pqp_error *err);

/* Ends the connection of a session at rest, so that no statement of the
 * borrower, through libpq either, gets an answer from it any more. */
void pqp__session_shut(struct session *session);

#endif
