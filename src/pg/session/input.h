/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Unsolicited input.  Call these functions between pqp__reading_begin() and
 * pqp__reading_end(). */
#ifndef PG_SESSION_INPUT_H
#define PG_SESSION_INPUT_H

#include "pg/session/session.h"

/* Reads all input that has arrived, without waiting.  Costs one system call if
 * there is none.  Returns 0, or -1 if the session is over. */
int pqp__input_read(struct session *session);

/* Reads, before a statement, all input that came since the last answer: it must
 * not pass for the answer to this statement.  If it contains an answer or the
 * end of the session, returns LOST with *err and ends the connection.  Else
 * returns OK. */
pqp_status pqp__session_read_unsolicited(struct session *session,
                                         pqp_error *err);

/* Ends the connection of a session at rest, so that no later statement gets an
 * answer from it, not even one that the borrower runs with libpq. */
void pqp__session_shut(struct session *session);

#endif
