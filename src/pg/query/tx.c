/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Transactions: begin, commit and rollback.  The borrower calls; there is no
 * lock.
 */
#include "pg/query/tx.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/sized.h"
#include "base/text.h"
#include "pg/base/error.h"
#include "pg/lease.h"
#include "pg/query/statement.h"

static pqp_status send_sql(struct session *session, const char *sql,
                           int64_t deadline, PGresult **res, pqp_error *err)
{
    assert(sql);

    const pqp_query query = {.size = sizeof query, .sql = sql};
    return pqp__statement(session, &query, 1, deadline, res, err);
}

/* ---- begin ---- */

pqp_status pqp__tx_read(pqp_tx *to, const pqp_tx *from, pqp_error *err)
{
    *to = (pqp_tx){.size = sizeof *to};
    const char *bad = NULL;
    if (from != NULL)
        bad = sized_read(to, sizeof *to, offsetof(pqp_tx, isolation), from);
    if (bad != NULL)
        return pqp__fail(err, PQP_INVALID, "pqp_tx %s", bad);

    if ((unsigned)to->isolation > PQP_ISO_SERIALIZABLE)
        return pqp__fail(err, PQP_INVALID,
                         "isolation is not one of pqp_isolation");
    if (to->max_attempts < 0 || to->backoff_ms < 0)
        return pqp__fail(err, PQP_INVALID,
                         "max_attempts and backoff_ms must not be negative");
    return PQP_OK;
}

static void begin_text(const pqp_tx *tx, char *buffer, size_t size)
{
    static const char *const isolation[] = {
        [PQP_ISO_DEFAULT] = "",
        [PQP_ISO_READ_COMMITTED] = " ISOLATION LEVEL READ COMMITTED",
        [PQP_ISO_REPEATABLE_READ] = " ISOLATION LEVEL REPEATABLE READ",
        [PQP_ISO_SERIALIZABLE] = " ISOLATION LEVEL SERIALIZABLE",
    };
    assert((unsigned)tx->isolation < sizeof isolation / sizeof *isolation);

    struct text text;
    text_init(&text, buffer, size);
    text_add(&text, "BEGIN%s%s%s", isolation[tx->isolation],
             tx->read_only ? " READ ONLY" : "",
             tx->deferrable ? " DEFERRABLE" : "");
    assert(!text.full);
}

pqp_status pqp__tx_begin(struct session *session, const pqp_tx *tx,
                         int64_t deadline, pqp_error *err)
{
    assert(session->pg);

    PGTransactionStatusType state = PQtransactionStatus(session->pg);
    if (state == PQTRANS_INTRANS || state == PQTRANS_INERROR)
        return pqp__fail(err, PQP_INVALID,
                         "cannot begin: a transaction is already open");

    char sql[80];
    begin_text(tx, sql, sizeof sql);
    session->commit_sent = 0;
    return send_sql(session, sql, deadline, NULL, err);
}

pqp_status pqp_begin(pqp_conn *conn, const pqp_tx *tx, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    pqp_tx known;
    pqp_status status = pqp__tx_read(&known, tx, err);
    if (status != PQP_OK)
        return status;

    struct session *session = pqp__use_begin(conn, err);
    if (session == NULL)
        return err->status;
    status = pqp__tx_begin(session, &known, CLOCK_NEVER, err);
    pqp__use_end(session);
    return status;
}

/* ---- commit ---- */

/* The server answers COMMIT of a failed transaction with success and ROLLBACK:
 * that is an error here, which names the first error of the transaction. */
static pqp_status fail_rolled_back(const struct session *session,
                                   pqp_error *err)
{
    const pqp_error *first = &session->tx_error;
    int is_known = first->status != PQP_OK;
    pqp_status status = pqp__fail(
        err, PQP_SERVER, "the transaction failed and was rolled back%s%s",
        is_known ? ": " : "", is_known ? first->message : "");
    memcpy(err->sqlstate, "25P02", sizeof err->sqlstate);
    err->flags = is_known ? first->flags & PQP_ERR_RETRY : 0;
    return status;
}

/* The outcome is in doubt if the connection is lost after COMMIT was sent. */
static pqp_status commit(struct session *session, pqp_error *err)
{
    assert(session->pg);

    PGTransactionStatusType state = PQtransactionStatus(session->pg);
    if (state == PQTRANS_IDLE)
        return pqp__fail(err, PQP_INVALID,
                         "cannot commit: no transaction is open");

    PQP_AUTO_RESULT res = NULL;
    pqp_status status = send_sql(session, "COMMIT", CLOCK_NEVER, &res, err);
    session->commit_sent = state == PQTRANS_INTRANS && session->statement_sent;
    if (status == PQP_LOST && session->commit_sent) {
        err->flags |= PQP_ERR_IN_DOUBT;
        session->tx_error.flags |= PQP_ERR_IN_DOUBT;
    }

    if (status == PQP_OK && strcmp(PQcmdStatus(res), "ROLLBACK") == 0)
        status = fail_rolled_back(session, err);
    return status;
}

pqp_status pqp_commit(pqp_conn *conn, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct session *session = pqp__use_begin(conn, err);
    if (session == NULL)
        return err->status;

    pqp_status status = commit(session, err);
    pqp__use_end(session);
    return status;
}

/* ---- rollback ---- */

pqp_status pqp_rollback(pqp_conn *conn, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct session *session = pqp__use_begin(conn, err);
    if (session == NULL)
        return err->status;

    pqp_status status = PQP_OK;
    if (PQtransactionStatus(session->pg) == PQTRANS_IDLE)
        pqp__error_clear(err);
    else
        status = send_sql(session, "ROLLBACK", CLOCK_NEVER, NULL, err);
    pqp__use_end(session);
    return status;
}
