/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One statement on a session: checks that the session is ready, sends the
 * statement, reads the reply and classifies it.  The borrower calls, and has
 * the session for itself until the end of the use; there is no lock.
 */
#include "pg/query/statement.h"

#include <assert.h>

#include "base/clock.h"
#include "pg/base/error.h"
#include "pg/query/io.h"
#include "pg/session/failover.h"
#include "pg/session/failure.h"
#include "pg/session/input.h"
#include "pg/session/notice.h"

/* ---- before ---- */

static pqp_status fail_lost(struct session *session, pqp_error *err)
{
    session->broken = 1;
    return pqp__fail_lost(err, session->config, session->pg);
}

/* Returns OK if no statement of the borrower's own is under way. */
static pqp_status check_ready(struct session *session, pqp_error *err)
{
    PGconn *pg = session->pg;
    if (PQstatus(pg) != CONNECTION_OK)
        return fail_lost(session, err);
    if (PQpipelineStatus(pg) != PQ_PIPELINE_OFF ||
        PQtransactionStatus(pg) == PQTRANS_ACTIVE)
        return pqp__fail(err, PQP_INVALID,
                         "conn is busy with a command of libpq: read its "
                         "results first");
    return PQP_OK;
}

static int send_query(PGconn *pg, const pqp_query *query, int simple)
{
    if (simple)
        return PQsendQuery(pg, query->sql);
    return PQsendQueryParams(pg, query->sql, query->nparams, query->types,
                             query->values, query->lengths, query->formats,
                             query->result_format);
}

/* ---- after ---- */

/* The reply is complete.  An error without an SQLSTATE on a connection that is
 * not OK is libpq's text for its loss. */
static pqp_status classify_result(struct session *session, const PGresult *res,
                                  pqp_error *err)
{
    int is_lost = PQstatus(session->pg) != CONNECTION_OK;
    if (res == NULL || (pqp__is_error(res) && is_lost &&
                        PQresultErrorField(res, PG_DIAG_SQLSTATE) == NULL))
        return fail_lost(session, err);

    if (!pqp__is_error(res)) {
        pqp__error_clear(err);
        return PQP_OK;
    }

    pqp_status status = pqp__fail_result(err, session->config, res);
    if (status == PQP_LOST || is_lost) {
        session->broken = 1;
        err->status = PQP_LOST;
        err->flags |= PQP_ERR_DISCARD;
    }
    return err->status;
}

/* The reply is not complete, which leaves the connection in the middle of a
 * statement: it is closed at its release. */
static pqp_status abandon(struct session *session, pqp_status status,
                          const char *why, pqp_error *err)
{
    assert(status != PQP_OK);

    if (status == PQP_LOST && why == NULL)
        return fail_lost(session, err);
    if (status == PQP_TIMEOUT)
        why = "no complete answer in time: the connection is closed at its "
              "release";
    if (status == PQP_UNSUPPORTED)
        why = "COPY is not supported here: use libpq's functions on "
              "pqp_pgconn()";

    session->broken = 1;
    (void)pqp__fail(err, status, "%s", why);
    err->flags |= PQP_ERR_DISCARD;
    return status;
}

/* Keeps the first error of the transaction.  Until a roll-back, also to a
 * savepoint, the later ones are consequences of it. */
static void record_tx_error(struct session *session, const pqp_error *err)
{
    assert(err);

    if (err->status != PQP_OK && session->tx_error.status == PQP_OK)
        session->tx_error = *err;
}

/* ---- the statement ---- */

/* Sends the statement and reads the reply. */
static pqp_status exchange(struct session *session, struct reply *reply,
                           const pqp_query *query, int simple, pqp_error *err)
{
    assert(session->in_statement && !session->broken);

    PGconn *pg = session->pg;
    if (!send_query(pg, query, simple)) {
        if (PQstatus(pg) != CONNECTION_OK)
            return fail_lost(session, err);
        session->broken = 1; /* a part of a message may be in the buffer */
        (void)pqp__fail_lost(err, session->config, pg);
        return err->status = PQP_NOMEM;
    }
    if (!reply->wants_rows)
        (void)PQsetSingleRowMode(pg);

    pqp_status status = pqp__reply_read(reply);
    if (status != PQP_OK)
        return abandon(session, status, reply->lost_why, err);
    return classify_result(session, reply->kept, err);
}

/* A session that is ready: reads what came before, then runs the statement,
 * with the connection in non-blocking mode. */
static pqp_status run_statement(struct session *session, struct reply *reply,
                                const pqp_query *query, int simple,
                                pqp_error *err)
{
    assert(!session->broken);

    PGconn *pg = session->pg;
    int nonblocking = PQisnonblocking(pg);
    if (PQtransactionStatus(pg) != PQTRANS_INERROR)
        session->tx_error.status = PQP_OK;

    pqp__reading_begin(session);
    pqp_status status = pqp__session_read_unsolicited(session, err);
    (void)PQsetnonblocking(pg, 1);
    if (status == PQP_OK) {
        session->statement_sent = session->in_statement = 1;
        status = exchange(session, reply, query, simple, err);
        session->in_statement = 0;
    }
    if (session->broken && status == PQP_OK)
        pqp__session_shut(session);
    pqp__reading_end();

    if (!session->broken) {
        pqp__failover_follow(session, err);
        (void)PQsetnonblocking(pg, nonblocking);
    }
    record_tx_error(session, err);
    return status;
}

pqp_status pqp__statement(struct session *session, const pqp_query *query,
                          int simple, int64_t deadline, PGresult **res,
                          pqp_error *err)
{
    assert(session->pg && !session->in_statement);

    pqp_error own;
    if (err == NULL)
        err = &own;
    struct reply reply = {.pg = session->pg,
                          .deadline = deadline,
                          .grace_end = CLOCK_NEVER,
                          .wants_rows = res != NULL,
                          .is_single = !simple};

    session->statement_sent = 0;
    pqp_status status = check_ready(session, err);
    if (status == PQP_OK)
        status = run_statement(session, &reply, query, simple, err);

    if (res != NULL && (status == PQP_OK || status == PQP_SERVER))
        *res = reply.kept;
    else
        PQclear(reply.kept);
    return status;
}
