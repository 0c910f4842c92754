/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * pqp_transact(): acquires a connection, runs the caller's function in a
 * transaction, and runs it again after a serialization failure, a deadlock or a
 * loss before COMMIT.  The borrower calls; there is no lock.
 */
#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "pg/base/error.h"
#include "pg/base/sqlstate.h"
#include "pg/lease.h"
#include "pg/query/tx.h"

#undef pqp_transact

enum { ATTEMPTS = 5, BACKOFF_MS = 5, BACKOFF_MAX_MS = 1000 };

/* One call of pqp_transact(). */
struct attempt {
    pqp_pool *pool;
    int64_t deadline; /* a time of rpool_now() */
    const pqp_tx *tx;
    pqp_tx_fn fn;
    void *arg;
    const char *file, *func; /* of the caller */
    int line;

    int fn_ran; /* in the last attempt */
    int retry;  /* the last attempt failed in a way that another may mend */
};

/* ---- the failure of an attempt ---- */

/* Returns the error that the transaction failed with, or NULL while it is well,
 * as after a roll-back to a savepoint. */
static const pqp_error *tx_failure(const struct session *session)
{
    int is_well = PQtransactionStatus(session->pg) == PQTRANS_INTRANS;
    return is_well || session->tx_error.status == PQP_OK ? NULL
                                                         : &session->tx_error;
}

static int is_retryable(const pqp_error *err)
{
    return !(err->flags & PQP_ERR_IN_DOUBT) &&
           (err->status == PQP_LOST ||
            (pqp__sqlstate_class(err->sqlstate) & PQP__RETRY) != 0);
}

/* fn returned `status`, or returned OK although its transaction failed.  The
 * first error of the transaction decides.  If there is none, because fn used
 * libpq in a way that hides it, *err decides, if it has the same status. */
static int may_retry(const struct session *session, pqp_status status,
                     const pqp_error *err)
{
    const pqp_error *failure = tx_failure(session);
    if (failure != NULL)
        return is_retryable(failure);
    if (PQstatus(session->pg) != CONNECTION_OK)
        return 1;
    return err->status == status && is_retryable(err) &&
           (status != PQP_LOST || session->broken);
}

/* Fills *err with the final error: the first error of the transaction, with
 * fn's status.  A SERVER or LOST of fn is a consequence of that first error. */
static pqp_status final_error(const struct session *session, pqp_status status,
                              pqp_error *err)
{
    assert(err);

    const pqp_error *failure = tx_failure(session);
    pqp_status said = err->status;
    int is_consequence =
        said == PQP_OK || said == PQP_SERVER || said == PQP_LOST;

    if (failure != NULL && (is_consequence || status == PQP_OK)) {
        *err = *failure;
        if (status == PQP_OK || status == PQP_SERVER || status == PQP_LOST)
            status = failure->status;
    } else if (said == PQP_OK) {
        (void)pqp__fail(err, status,
                        "transaction callback failed without a reason");
    } else if (said != status) {
        err->flags &= ~(unsigned)PQP_ERR_RETRY;
    }

    if (failure != NULL)
        err->flags |= failure->flags & PQP_ERR_IN_DOUBT;
    return err->status = status;
}

/* fn returned `status`.  Returns OK if there is a transaction to commit, else
 * sets a->retry and *err. */
static pqp_status classify_callback(struct attempt *a,
                                    const struct session *session,
                                    pqp_status status, pqp_error *err)
{
    int has_ended = PQtransactionStatus(session->pg) == PQTRANS_IDLE;
    if (status != PQP_OK || (!has_ended && tx_failure(session) != NULL)) {
        a->retry = !has_ended && !session->commit_sent &&
                   may_retry(session, status, err);
        return final_error(session, status, err);
    }
    return has_ended
               ? pqp__fail(err, PQP_INVALID,
                           "transaction callback must not COMMIT or ROLLBACK")
               : PQP_OK;
}

/* ---- an attempt ---- */

/* A session that does not answer BEGIN within ping_timeout_ms is as dead as one
 * that does not answer a ping.  So it cannot use up the time of the whole
 * transaction, and BEGIN has this time also if the acquire left none. */
static pqp_status begin_attempt(const struct attempt *a, const pqp_conn *conn,
                                pqp_error *err)
{
    struct session *session = pqp__use_begin(conn, err);
    if (session == NULL)
        return err->status;

    int limit_ms = session->config->options.ping_timeout_ms;
    pqp_status status =
        pqp__tx_begin(session, a->tx, clock_after(clock_now(), limit_ms), err);
    if (status == PQP_TIMEOUT)
        (void)pqp__fail(err, status,
                        "no answer to BEGIN within ping_timeout_ms (%d ms)",
                        limit_ms);
    pqp__use_end(session);
    return status;
}

/* Runs one transaction from BEGIN to COMMIT.  A roll-back is left to the
 * release. */
static pqp_status run_transaction(struct attempt *a, pqp_conn *conn,
                                  pqp_error *err)
{
    assert(conn);

    pqp_status status = begin_attempt(a, conn, err);
    if (status != PQP_OK) {
        a->retry = status == PQP_LOST || status == PQP_TIMEOUT;
        return status;
    }

    a->fn_ran = 1;
    status = a->fn(a->arg, conn, err);

    /* The core's function, since pqp__use_begin() refuses a broken session. */
    void *session = NULL;
    if (rpool_begin_use((rpool_item *)conn, &session) != RPOOL_OK)
        return pqp__fail(err, PQP_INVALID,
                         "transaction callback must not end the lease");
    status = classify_callback(a, session, status, err);
    rpool_end_use((rpool_item *)conn);
    if (status != PQP_OK)
        return status;

    status = pqp_commit(conn, err);
    a->retry = status != PQP_OK && is_retryable(err);
    return status;
}

static pqp_status acquire_and_run(struct attempt *a, pqp_error *err)
{
    PQP_AUTO_CONN conn = NULL;
    a->fn_ran = a->retry = 0;
    pqp_status status =
        pqp_acquire_at(a->pool, clock_ms_until(a->deadline, clock_now()), &conn,
                       err, a->file, a->line, a->func);
    return status == PQP_OK ? run_transaction(a, conn, err) : status;
}

/* A silent session does not count as an attempt: fn has not run.  The wait for
 * BEGIN takes the place of the back-off. */
static void run_attempt(struct attempt *a, pqp_error *err)
{
    pqp_status status = PQP_OK;
    do
        status = acquire_and_run(a, err);
    while (status == PQP_TIMEOUT && a->retry && !a->fn_ran &&
           clock_now() < a->deadline);
}

/* ---- all attempts ---- */

/* Sleeps for the back-off before the attempt of this number: half of it and a
 * random part of the other half.  Returns 0 if the deadline comes first. */
static int pause_before(int attempt, const struct attempt *a)
{
    assert(attempt >= 2);

    int64_t longest = a->tx->backoff_ms ? a->tx->backoff_ms : BACKOFF_MS;
    for (int i = 2; i < attempt && longest < BACKOFF_MAX_MS; i++)
        longest *= 2;
    longest *= CLOCK_MS;

    int64_t until = clock_now() + longest / 2 +
                    (int64_t)random_below((uint64_t)(longest / 2 + 1));
    if (until >= a->deadline)
        return 0;

    const struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
                                .tv_nsec = (long)(until % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
    return clock_now() < a->deadline;
}

/* If the last attempt did not call fn, as after a failed acquire, the caller
 * gets the error of the attempt before: it says why another one was needed. */
static pqp_status retry_loop(struct attempt *a, pqp_error *err)
{
    assert(a->fn && a->tx);

    pqp_error last = {.status = PQP_OK};
    int attempts = a->tx->max_attempts ? a->tx->max_attempts : ATTEMPTS;

    for (int n = 1;; n++) {
        run_attempt(a, err);
        if (!a->retry || n == attempts || !pause_before(n + 1, a))
            break;
        if (a->fn_ran)
            last = *err;
    }

    if (!a->fn_ran && last.status != PQP_OK) {
        *err = last;
        a->retry = 1;
    }
    if (a->retry)
        err->flags |= PQP_ERR_RETRY;
    return err->status;
}

pqp_status pqp_transact_at(pqp_pool *pool, int timeout_ms, const pqp_tx *tx,
                           pqp_tx_fn fn, void *arg, pqp_error *err,
                           const char *file, int line, const char *func)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    if (fn == NULL)
        return pqp__fail(err, PQP_INVALID, "fn is NULL");

    pqp_tx known;
    pqp_status status = pqp__tx_read(&known, tx, err);
    if (status != PQP_OK)
        return status;

    struct attempt a = {.pool = pool,
                        .deadline = clock_after(clock_now(), timeout_ms),
                        .tx = &known,
                        .fn = fn,
                        .arg = arg,
                        .file = file,
                        .func = func,
                        .line = line};
    return retry_loop(&a, err);
}

pqp_status pqp_transact(pqp_pool *pool, int timeout_ms, const pqp_tx *tx,
                        pqp_tx_fn fn, void *arg, pqp_error *err)
{
    return pqp_transact_at(pool, timeout_ms, tx, fn, arg, err, NULL, 0, NULL);
}
