/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Transactions: begin, commit, rollback, and the loop that runs one again when
 * the server asks for it.  Called by the borrower; nothing here has a lock.
 */
#include "pg/internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/sized.h"
#include "base/text.h"

#undef pqp_transact

enum { ATTEMPTS = 5, BACKOFF_MS = 5, BACKOFF_MAX_MS = 1000 };

static pqp_status run(struct session *session, const char *sql,
                      int64_t deadline, PGresult **res, pqp_error *err)
{
    const pqp_query query = {.size = sizeof query, .sql = sql};
    return pqp__statement(session, &query, 1, deadline, res, err);
}

static pqp_status read_tx(pqp_tx *to, const pqp_tx *from, pqp_error *err)
{
    *to = (pqp_tx){.size = sizeof *to};
    const char *bad = NULL;
    if (from != NULL)
        bad = sized_read(to, sizeof *to, offsetof(pqp_tx, isolation), from);
    if (bad != NULL)
        return pqp__fail(err, PQP_INVALID, "pqp_tx %s", bad);
    if ((unsigned)to->isolation > PQP_ISO_SERIALIZABLE)
        return pqp__fail(err, PQP_INVALID, "tx has no such isolation");
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
    struct text text;
    text_init(&text, buffer, size);
    text_add(&text, "BEGIN%s%s%s", isolation[tx->isolation],
             tx->read_only ? " READ ONLY" : "",
             tx->deferrable ? " DEFERRABLE" : "");
}

static pqp_status begin(struct session *session, const pqp_tx *tx,
                        int64_t deadline, pqp_error *err)
{
    PGTransactionStatusType state = PQtransactionStatus(session->pg);
    if (state == PQTRANS_INTRANS || state == PQTRANS_INERROR)
        return pqp__fail(err, PQP_INVALID, "a transaction is open already");
    char sql[80];
    begin_text(tx, sql, sizeof sql);
    session->committed = 0;
    return run(session, sql, deadline, NULL, err);
}

/* COMMIT of a failed transaction is answered with success, and ROLLBACK.  A
 * connection that ended before COMMIT was sent leaves no doubt. */
static pqp_status commit(struct session *session, pqp_error *err)
{
    PGTransactionStatusType state = PQtransactionStatus(session->pg);
    if (state == PQTRANS_IDLE)
        return pqp__fail(err, PQP_INVALID, "no transaction is open");
    PQP_AUTO_RESULT res = NULL;
    pqp_status status = run(session, "COMMIT", CLOCK_NEVER, &res, err);
    session->committed = state == PQTRANS_INTRANS && session->sent;
    if (status == PQP_LOST && session->committed) {
        err->flags |= PQP_ERR_IN_DOUBT;
        session->first.flags |= PQP_ERR_IN_DOUBT;
    }
    if (status == PQP_OK && strcmp(PQcmdStatus(res), "ROLLBACK") == 0) {
        const pqp_error *first = &session->first;
        int known = first->status != PQP_OK;
        status = pqp__fail(err, PQP_SERVER,
                           "the transaction had failed and was rolled back%s%s",
                           known ? ": " : "", known ? first->message : "");
        memcpy(err->sqlstate, "25P02", sizeof err->sqlstate);
        err->flags = known ? first->flags & PQP_ERR_RETRY : 0;
    }
    return status;
}

pqp_status pqp_begin(pqp_conn *conn, const pqp_tx *tx, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    pqp_tx known;
    pqp_status status = read_tx(&known, tx, err);
    if (status != PQP_OK)
        return status;
    struct session *session = pqp__enter(conn, err);
    if (session == NULL)
        return err->status;
    status = begin(session, &known, CLOCK_NEVER, err);
    pqp__leave(session);
    return status;
}

pqp_status pqp_commit(pqp_conn *conn, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct session *session = pqp__enter(conn, err);
    if (session == NULL)
        return err->status;
    pqp_status status = commit(session, err);
    pqp__leave(session);
    return status;
}

pqp_status pqp_rollback(pqp_conn *conn, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct session *session = pqp__enter(conn, err);
    if (session == NULL)
        return err->status;
    pqp_status status = PQP_OK;
    if (PQtransactionStatus(session->pg) == PQTRANS_IDLE)
        pqp__error_clear(err);
    else
        status = run(session, "ROLLBACK", CLOCK_NEVER, NULL, err);
    pqp__leave(session);
    return status;
}

/* ---- running again ---- */

struct attempt {
    pqp_pool *pool;
    int64_t deadline;
    const pqp_tx *tx;
    pqp_tx_fn fn;
    void *arg;
    const char *file, *func; /* of the caller */
    int line;
    int ran;   /* fn was called */
    int again; /* the failure is one that another attempt may mend */
};

/* The error that the transaction failed with; NULL while it is well, as after a
 * roll-back to a savepoint. */
static const pqp_error *failure_of(const struct session *session)
{
    int is_well = PQtransactionStatus(session->pg) == PQTRANS_INTRANS;
    return is_well || session->first.status == PQP_OK ? NULL : &session->first;
}

static int calls_for_another(const pqp_error *err)
{
    return !(err->flags & PQP_ERR_IN_DOUBT) &&
           (err->status == PQP_LOST ||
            (pqp__sqlstate_class(err->sqlstate) & PQP__RETRY) != 0);
}

/* fn failed with `status`, or swallowed the failure of its transaction.  What
 * failed that first decides; else what fn says in *err, where it means the
 * same: it may have used libpq itself. */
static int may_run_again(const struct session *session, pqp_status status,
                         const pqp_error *err)
{
    const pqp_error *failure = failure_of(session);
    if (failure != NULL)
        return calls_for_another(failure);
    if (PQstatus(session->pg) != CONNECTION_OK)
        return 1;
    return err->status == status && calls_for_another(err) &&
           (status != PQP_LOST || session->broken);
}

/* What is reported then: fn's status, and the first error.  A SERVER or LOST
 * that came after it only follows from it. */
static pqp_status report(const struct session *session, pqp_status status,
                         pqp_error *err)
{
    const pqp_error *failure = failure_of(session);
    pqp_status said = err->status;
    int follows = said == PQP_OK || said == PQP_SERVER || said == PQP_LOST;
    if (failure != NULL && (follows || status == PQP_OK)) {
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

/* A session that does not answer BEGIN in the time of a ping is as dead as one
 * that does not answer a ping: it may not use up the transaction's time.  That
 * is also the time of BEGIN when the acquire has left none. */
static pqp_status begin_attempt(const struct attempt *a, const pqp_conn *conn,
                                pqp_error *err)
{
    struct session *session = pqp__enter(conn, err);
    if (session == NULL)
        return err->status;
    int limit_ms = session->config->options.ping_timeout_ms;
    pqp_status status =
        begin(session, a->tx, clock_after(clock_now(), limit_ms), err);
    if (status == PQP_TIMEOUT)
        (void)pqp__fail(err, status,
                        "no answer to BEGIN within ping_timeout_ms (%d ms)",
                        limit_ms);
    pqp__leave(session);
    return status;
}

/* fn has returned `status`: OK if there is something to commit. */
static pqp_status judge_fn(struct attempt *a, const struct session *session,
                           pqp_status status, pqp_error *err)
{
    int ended = PQtransactionStatus(session->pg) == PQTRANS_IDLE;
    if (status != PQP_OK || (!ended && failure_of(session) != NULL)) {
        a->again = !ended && !session->committed &&
                   may_run_again(session, status, err);
        return report(session, status, err);
    }
    return ended ? pqp__fail(err, PQP_INVALID,
                             "transaction callback must not COMMIT or ROLLBACK")
                 : PQP_OK;
}

/* From BEGIN to COMMIT.  A roll-back is left to the release. */
static pqp_status run_transaction(struct attempt *a, pqp_conn *conn,
                                  pqp_error *err)
{
    pqp_status status = begin_attempt(a, conn, err);
    if (status != PQP_OK) {
        a->again = status == PQP_LOST || status == PQP_TIMEOUT;
        return status;
    }
    a->ran = 1;
    status = a->fn(a->arg, conn, err);
    /* Not pqp__enter: a session that was given up is judged, too. */
    void *session = NULL;
    if (rpool_begin_use((rpool_item *)conn, &session) != RPOOL_OK)
        return pqp__fail(err, PQP_INVALID,
                         "transaction callback must not end the lease");
    status = judge_fn(a, session, status, err);
    rpool_end_use((rpool_item *)conn);
    if (status != PQP_OK)
        return status;
    status = pqp_commit(conn, err);
    a->again = status != PQP_OK && calls_for_another(err);
    return status;
}

static pqp_status acquire_and_run(struct attempt *a, pqp_error *err)
{
    PQP_AUTO_CONN conn = NULL;
    a->ran = a->again = 0;
    pqp_status status =
        pqp_acquire_at(a->pool, clock_ms_until(a->deadline, clock_now()), &conn,
                       err, a->file, a->line, a->func);
    return status == PQP_OK ? run_transaction(a, conn, err) : status;
}

/* A silent session is no attempt: fn has not run, and the wait for BEGIN was
 * pause enough. */
static void run_attempt(struct attempt *a, pqp_error *err)
{
    pqp_status status = PQP_OK;
    do
        status = acquire_and_run(a, err);
    while (status == PQP_TIMEOUT && a->again && !a->ran &&
           clock_now() < a->deadline);
}

/* 0 when the deadline comes first. */
static int pause_before(int attempt, const struct attempt *a)
{
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

/* One that did not come to fn does not hide why it was needed. */
static pqp_status run_attempts(struct attempt *a, pqp_error *err)
{
    pqp_error last = {.status = PQP_OK};
    int attempts = a->tx->max_attempts ? a->tx->max_attempts : ATTEMPTS;
    for (int n = 1;; n++) {
        run_attempt(a, err);
        if (!a->again || n == attempts || !pause_before(n + 1, a))
            break;
        if (a->ran)
            last = *err;
    }
    if (!a->ran && last.status != PQP_OK) {
        *err = last;
        a->again = 1;
    }
    if (a->again)
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
    pqp_status status = read_tx(&known, tx, err);
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
    return run_attempts(&a, err);
}

pqp_status pqp_transact(pqp_pool *pool, int timeout_ms, const pqp_tx *tx,
                        pqp_tx_fn fn, void *arg, pqp_error *err)
{
    return pqp_transact_at(pool, timeout_ms, tx, fn, arg, err, NULL, 0, NULL);
}
