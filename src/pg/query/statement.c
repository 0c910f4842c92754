/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One statement on a session: sent without blocking, its results read and
 * classified.  Called by the borrower, who has the session for himself from
 * pqp__use_begin() to pqp__use_end(); no lock.
 */
#include "pg/query/statement.h"

#include "base/clock.h"
#include "pg/base/error.h"
#include "pg/query/io.h"
#include "pg/session/failover.h"
#include "pg/session/failure.h"
#include "pg/session/input.h"
#include "pg/session/notice.h"

static int send_query(PGconn *pg, const pqp_query *query, int simple)
{
    if (simple)
        return PQsendQuery(pg, query->sql);
    return PQsendQueryParams(pg, query->sql, query->nparams, query->types,
                             query->values, query->lengths, query->formats,
                             query->result_format);
}

static pqp_status fail_lost(struct session *session, pqp_error *err)
{
    session->broken = 1;
    return pqp__fail_lost(err, session->config, session->pg);
}

static pqp_status classify_result(struct session *session, const PGresult *res,
                                  pqp_error *err)
{
    if (res == NULL ||
        (pqp__is_error(res) && PQstatus(session->pg) != CONNECTION_OK &&
         PQresultErrorField(res, PG_DIAG_SQLSTATE) == NULL))
        return fail_lost(session, err);
    if (!pqp__is_error(res)) {
        pqp__error_clear(err);
        return PQP_OK;
    }
    pqp_status status = pqp__fail_result(err, session->config, res);
    if (status == PQP_LOST || PQstatus(session->pg) != CONNECTION_OK) {
        session->broken = 1;
        err->status = PQP_LOST;
        err->flags |= PQP_ERR_DISCARD;
    }
    return err->status;
}

/* An end that leaves the connection in the middle of something. */
static pqp_status abandon(struct session *session, pqp_status status,
                          const char *why, pqp_error *err)
{
    if (status == PQP_LOST && why == NULL)
        return fail_lost(session, err);
    if (status == PQP_TIMEOUT)
        why = "no complete answer in time: the connection is closed at its "
              "release";
    if (status == PQP_UNSUPPORTED)
        why = "COPY needs libpq's own functions, through pqp_pgconn()";
    session->broken = 1;
    (void)pqp__fail(err, status, "%s", why);
    err->flags |= PQP_ERR_DISCARD;
    return status;
}

static pqp_status check_ready(struct session *session, pqp_error *err)
{
    PGconn *pg = session->pg;
    if (PQstatus(pg) != CONNECTION_OK)
        return fail_lost(session, err);
    if (PQpipelineStatus(pg) != PQ_PIPELINE_OFF ||
        PQtransactionStatus(pg) == PQTRANS_ACTIVE)
        return pqp__fail(err, PQP_INVALID,
                         "conn is busy with a command of its borrower");
    return PQP_OK;
}

static pqp_status exchange(struct session *session, struct reply *x,
                           const pqp_query *query, int simple, pqp_error *err)
{
    if (!send_query(x->pg, query, simple)) {
        if (PQstatus(x->pg) != CONNECTION_OK)
            return fail_lost(session, err);
        session->broken = 1; /* half a message may stand in the buffer */
        (void)pqp__fail_lost(err, session->config, x->pg);
        return err->status = PQP_NOMEM;
    }
    if (!x->wants_rows)
        (void)PQsetSingleRowMode(x->pg);
    pqp_status status = pqp__reply_read(x);
    if (status != PQP_OK)
        return abandon(session, status, x->why, err);
    return classify_result(session, x->kept, err);
}

/* Until a roll-back, to a savepoint too, all that is said after the first error
 * follows from it. */
static void record_tx_error(struct session *session, const pqp_error *err)
{
    if (err->status != PQP_OK && session->tx_error.status == PQP_OK)
        session->tx_error = *err;
}

pqp_status pqp__statement(struct session *session, const pqp_query *query,
                          int simple, int64_t deadline, PGresult **res,
                          pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct reply x = {.pg = session->pg,
                      .deadline = deadline,
                      .end = CLOCK_NEVER,
                      .wants_rows = res != NULL,
                      .is_one = !simple};
    session->statement_sent = 0;
    pqp_status status = check_ready(session, err);
    if (status == PQP_OK) {
        int nonblocking = PQisnonblocking(session->pg);
        if (PQtransactionStatus(session->pg) != PQTRANS_INERROR)
            session->tx_error.status = PQP_OK;
        pqp__reading_begin(session);
        status = pqp__session_read_unsolicited(session, err);
        (void)PQsetnonblocking(session->pg, 1);
        session->statement_sent = status == PQP_OK;
        session->in_statement = session->statement_sent;
        if (session->statement_sent)
            status = exchange(session, &x, query, simple, err);
        session->in_statement = 0;
        if (session->broken && status == PQP_OK)
            pqp__session_shut(session);
        pqp__reading_end();
        if (!session->broken) {
            pqp__failover_follow(session, err);
            (void)PQsetnonblocking(session->pg, nonblocking);
        }
        record_tx_error(session, err);
    }
    if (res != NULL && (status == PQP_OK || status == PQP_SERVER))
        *res = x.kept;
    else
        PQclear(x.kept);
    return status;
}
