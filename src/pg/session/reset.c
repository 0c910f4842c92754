/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Cleans a session at its release.  The state of the session decides, before
 * anything is sent, whether it can be cleaned.  The answer is read before the
 * next lease, by check.c.  The owner of the item calls; there is no lock, and
 * no call here waits.
 */
#include "pg/session/reset.h"

#include <assert.h>

#include "pg/session/check.h"
#include "pg/session/failover.h"
#include "pg/session/input.h"
#include "pg/session/notice.h"

/* Restores the state of the PGconn that a borrower may have changed.  Returns 0
 * or -1. */
static int restore_libpq_state(struct session *session)
{
    assert(session->pg);

    PGconn *pg = session->pg;
    PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ERRORS);
    pqp__notice_restore(session);
    PQuntrace(pg);
    return pqp__forget_error(pg);
}

/* Input that has arrived is read first, because it answers none of the
 * statements that are sent now.  A changed client encoding costs the session,
 * unless one of the statements restores it: pqp__session_is_clean() compares it
 * after the answer. */
static int send_reset(struct session *session, pqp_reset how,
                      int in_transaction)
{
    assert(!session->broken);

    if (pqp__input_read(session))
        return RPOOL_DISCARD;

    int failed;
    if (how == PQP_RESET_DISCARD_ALL)
        failed = in_transaction
                     ? pqp__session_send(session, "ROLLBACK", "DISCARD ALL")
                     : pqp__session_send(session, "DISCARD ALL", NULL);
    else if (in_transaction)
        failed = pqp__session_send(session, "ROLLBACK", NULL);
    else
        return pqp__session_is_clean(session) ? RPOOL_REUSE : RPOOL_DISCARD;
    return failed ? RPOOL_DISCARD : RPOOL_CHECK;
}

/* Statements are sent only to a session at rest: a ROLLBACK into an open COPY
 * or an unfinished query would first have to read all of its rows.  A borrower
 * that ran no statement and did not take the PGconn left nothing to restore. */
int pqp__session_reset(void *ctx, void *resource)
{
    const struct config *config = ctx;
    struct session *session = resource;
    PGconn *pg = session->pg;
    pqp_reset how = config->options.reset;

    int touched = session->touched;
    session->touched = 0;
    if (how == PQP_RESET_CLOSE || session->broken ||
        session->close_on_release || !pg)
        return RPOOL_DISCARD;

    PGTransactionStatusType status = PQtransactionStatus(pg);
    if (!pqp__is_at_rest(pg, status))
        return RPOOL_DISCARD;

    int in_transaction = status != PQTRANS_IDLE;
    if (!touched && how == PQP_RESET_ROLLBACK && !in_transaction)
        return RPOOL_REUSE;
    if (pqp__role_is_marked(session) ||
        (touched && restore_libpq_state(session)))
        return RPOOL_DISCARD;

    pqp__reading_begin(session);
    int answer = send_reset(session, how, in_transaction);
    pqp__reading_end();
    return answer;
}
