/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Statements on a lease, and on a lease that lasts for one statement.  The
 * borrower calls; there is no lock.
 */
#include <pqpool/pqpool.h>

#include <assert.h>

#include "base/clock.h"
#include "pg/base/error.h"
#include "pg/lease.h"
#include "pg/query/query.h"
#include "pg/query/statement.h"

#undef pqp_pool_exec_params

/* Connections that had ended before the statement was sent, for one call of
 * pqp_pool_exec_params(). */
enum { MAX_ENDED = 16 };

/* ---- on a lease ---- */

/* Runs a query that was checked, as one use of the lease. */
static pqp_status exec_on_lease(const pqp_conn *conn, const pqp_query *query,
                                int simple, PGresult **res, pqp_error *err)
{
    assert(query->sql != NULL);

    pqp_error own;
    if (err == NULL)
        err = &own;
    struct session *session = pqp__use_begin(conn, err);
    if (session == NULL)
        return err->status;

    int64_t deadline = CLOCK_NEVER;
    if (query->timeout_ms != 0)
        deadline = clock_after(clock_now(), query->timeout_ms);
    pqp_status status =
        pqp__statement(session, query, simple, deadline, res, err);
    pqp__use_end(session);
    return status;
}

pqp_status pqp_exec(pqp_conn *conn, const char *sql, PGresult **res,
                    pqp_error *err)
{
    const pqp_query query = {.size = sizeof query, .sql = sql};
    if (res != NULL)
        *res = NULL;
    pqp_status status = pqp__query_check(&query, 1, err);
    return status == PQP_OK ? exec_on_lease(conn, &query, 1, res, err) : status;
}

pqp_status pqp_exec_params(pqp_conn *conn, const pqp_query *query,
                           PGresult **res, pqp_error *err)
{
    pqp_query known;
    if (res != NULL)
        *res = NULL;
    pqp_status status = pqp__query_read(&known, query, err);
    return status == PQP_OK ? exec_on_lease(conn, &known, 0, res, err) : status;
}

/* ---- on a lease of its own ---- */

/* Returns whether the server may have received the last statement. */
static int was_sent(const pqp_conn *conn)
{
    const struct session *session = rpool_resource((const rpool_item *)conn);
    return session == NULL || session->statement_sent;
}

/* A connection may end between its lease and the statement.  As long as the
 * statement was not sent, it may go to another connection. */
pqp_status pqp_pool_exec_params_at(pqp_pool *pool, int timeout_ms,
                                   const pqp_query *query, PGresult **res,
                                   pqp_error *err, const char *file, int line,
                                   const char *func)
{
    PQP_AUTO_CONN conn = NULL;
    pqp_query known;
    if (res != NULL)
        *res = NULL;
    pqp_status status = pqp__query_read(&known, query, err);
    if (status != PQP_OK)
        return status;

    int64_t deadline = clock_after(clock_now(), timeout_ms);
    for (int left = MAX_ENDED;; left--) {
        status = pqp_acquire_at(pool, clock_ms_until(deadline, clock_now()),
                                &conn, err, file, line, func);
        if (status == PQP_OK)
            status = exec_on_lease(conn, &known, 0, res, err);
        if (status != PQP_LOST || was_sent(conn) || left == 0)
            return status;
        pqp_release(&conn);
    }
}

pqp_status pqp_pool_exec_params(pqp_pool *pool, int timeout_ms,
                                const pqp_query *query, PGresult **res,
                                pqp_error *err)
{
    return pqp_pool_exec_params_at(pool, timeout_ms, query, res, err, 0, 0, 0);
}
