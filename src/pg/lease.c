/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Leases: acquire, release, and the begin and end of a use.  Each function
 * translates to the core, which has the locks.
 */
#include "pg/lease.h"

#include <assert.h>

#include "base/quick.h"
#include "pg/base/error.h"
#include "pg/pool.h"
#include "pg/session/input.h"
#include "pg/session/notice.h"
#include "quickpath.h"

#undef pqp_acquire
#undef pqp_try_acquire

/* ---- acquire and release ---- */

/* The arguments of an acquire.  They are in memory before the first call, so
 * that the quick path needs no register for them. */
struct acquire_request {
    pqp_pool *pool;
    int timeout_ms;
    pqp_conn **conn;
    pqp_error *err;
    rpool_site site;
};

__attribute__((noinline)) static pqp_status
acquire_slow(const struct acquire_request *r)
{
    rpool_failure why;
    rpool_item *item = NULL;
    pqp__failure_clear(&why);
    rpool_status status = rpool_acquire_at(pqp__core_of(r->pool), r->timeout_ms,
                                           &item, &why, &r->site);
    *r->conn = (pqp_conn *)item;
    return pqp__error_of_core(r->err, status, &why);
}

/* Tries the core's quick path first, which fills in no failure. */
QUICK pqp_status pqp_acquire_at(pqp_pool *pool, int timeout_ms, pqp_conn **conn,
                                pqp_error *err, const char *file, int line,
                                const char *func)
{
    if (conn == NULL)
        return pqp__fail(err, PQP_INVALID, "conn is NULL");

    const struct acquire_request r = {
        pool,
        timeout_ms,
        conn,
        err,
        {.file = file, .func = func, .line = line}};
    rpool_item *item = rpool__acquire_own(pqp__core_of(pool), &r.site);
    if (item == NULL)
        return acquire_slow(&r);

    *r.conn = (pqp_conn *)item;
    pqp__error_clear(r.err);
    return PQP_OK;
}

pqp_status pqp_acquire(pqp_pool *pool, int timeout_ms, pqp_conn **conn,
                       pqp_error *err)
{
    return pqp_acquire_at(pool, timeout_ms, conn, err, NULL, 0, NULL);
}

pqp_status pqp_try_acquire(pqp_pool *pool, pqp_conn **conn)
{
    return pqp_acquire_at(pool, 0, conn, NULL, NULL, 0, NULL);
}

QUICK void pqp_release(pqp_conn **conn)
{
    if (conn == NULL)
        return;
    rpool_item *item = pqp__item_of(*conn);
    *conn = NULL;
    rpool__release(item);
}

void pqp_discard(pqp_conn **conn)
{
    if (conn == NULL)
        return;
    rpool_item *item = pqp__item_of(*conn);
    *conn = NULL;
    rpool_discard(&item);
}

PGconn *pqp_detach(pqp_conn **conn)
{
    if (conn == NULL)
        return NULL;
    rpool_item *item = pqp__item_of(*conn);
    *conn = NULL;
    struct session *session = rpool_detach(&item);
    return session != NULL ? pqp__session_detach(session) : NULL;
}

/* ---- uses ---- */

/* Returns the reason for which a use could not begin. */
static const char *misuse_text(const pqp_conn *conn, rpool_status status)
{
    if (conn == NULL)
        return "conn is NULL";
    if (status == RPOOL_BUSY)
        return "conn is in use by another thread";
    return status == RPOOL_FORKED
               ? rpool_strerror(status)
               : "invalid connection handle (already released?)";
}

struct session *pqp__use_begin(const pqp_conn *conn, pqp_error *err)
{
    void *resource = NULL;
    rpool_status status = rpool_begin_use((const rpool_item *)conn, &resource);
    if (status != RPOOL_OK) {
        (void)pqp__fail(err, PQP_INVALID, "%s", misuse_text(conn, status));
        return NULL;
    }

    struct session *session = resource;
    session->lease = conn;
    if (session->broken || session->pg == NULL) {
        const pqp_error *cause = &session->tx_error;
        int is_known = (cause->flags & PQP_ERR_DISCARD) != 0;
        (void)pqp__fail(err, PQP_LOST,
                        "the connection is unusable after an earlier "
                        "failure%s%s",
                        is_known ? ": " : "", is_known ? cause->message : "");
        pqp__use_end(session);
        if (err != NULL)
            err->flags |= PQP_ERR_DISCARD;
        return NULL;
    }

    session->touched = 1;
    return session;
}

/* Acts on a failover that the use found.  As soon as the use has ended, the
 * session may be leased again or destroyed: so the pool's handle is read
 * before. */
void pqp__use_end(struct session *session)
{
    assert(session->lease != NULL);

    rpool *failed_over = NULL;
    if (session->recycle_due) {
        session->recycle_due = 0;
        failed_over = session->config->core;
    }

    rpool_end_use((const rpool_item *)session->lease);
    if (failed_over != NULL)
        (void)rpool_recycle(failed_over);
}

/* The borrower may run a statement with libpq: reads unsolicited input before,
 * so that it does not pass for the answer.  Done once in a lease, so that a
 * second thread that only asks for the PGconn does not read from it. */
static void read_before_libpq(const rpool_item *item)
{
    void *resource = NULL;
    if (rpool_begin_use(item, &resource) != RPOOL_OK)
        return;

    struct session *session = resource;
    pqp_error ignored;
    session->touched = 1;
    pqp__reading_begin(session);
    if (session->pg != NULL)
        (void)pqp__session_read_unsolicited(session, &ignored);
    pqp__reading_end();
    rpool_end_use(item);
}

PGconn *pqp_pgconn(const pqp_conn *conn)
{
    rpool_item *item = pqp__item_of(conn);
    const struct session *session = rpool_resource(item);
    if (session != NULL && !session->touched) {
        read_before_libpq(item);
        session = rpool_resource(item);
    }
    return session != NULL ? session->pg : NULL;
}
