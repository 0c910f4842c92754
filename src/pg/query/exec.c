/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Statements on a lease: sent without blocking, flushed and read by a poll
 * loop of ours, so that a deadline holds also while 64 MB are on their way to
 * a server that has stopped reading.  Called by the borrower, who has the
 * session for himself from pqp__enter to pqp__leave; nothing here has a lock.
 */
#include "pg/internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/sized.h"

#undef pqp_pool_exec_params

enum {
    MAX_PARAMS = 65535, /* the protocol's */
    /* The largest length word that the server accepts (its
     * PQ_LARGE_MESSAGE_LIMIT).  It ends the session after a larger one. */
    MAX_MESSAGE = 0x3FFFFFFE,
    /* What libpq's output buffer, whose size is an int in steps of 8 kB, can
     * hold beside the types of Parse and Bind, and Describe, Execute, Sync. */
    MAX_MESSAGES = 0x7FFFE000 - 24,
    MAX_DROPPED = 1024 * 1024, /* bytes of errors that follow the first one */
    GRACE_MS = 20,             /* to take an answer that came in time */
    MAX_ENDED = 16 /* leases that pqp_pool_exec_params gives back unused */
};

/* ---- entering a lease ---- */

static const char *refusal(const pqp_conn *conn, rpool_status status)
{
    if (conn == NULL)
        return "conn is NULL";
    if (status == RPOOL_BUSY)
        return "conn is in use by another thread";
    return status == RPOOL_FORKED
               ? rpool_strerror(status)
               : "invalid connection handle (already released?)";
}

struct session *pqp__enter(const pqp_conn *conn, pqp_error *err)
{
    void *resource = NULL;
    rpool_status status = rpool_begin_use((const rpool_item *)conn, &resource);
    if (status != RPOOL_OK) {
        (void)pqp__fail(err, PQP_INVALID, "%s", refusal(conn, status));
        return NULL;
    }
    struct session *session = resource;
    session->lease = conn;
    if (session->broken || session->pg == NULL) {
        int known = (session->first.flags & PQP_ERR_DISCARD) != 0;
        (void)pqp__fail(err, PQP_LOST, "the connection was given up before%s%s",
                        known ? ": " : "", known ? session->first.message : "");
        pqp__leave(session);
        if (err != NULL)
            err->flags |= PQP_ERR_DISCARD;
        return NULL;
    }
    session->touched = 1;
    return session;
}

void pqp__leave(struct session *session)
{
    rpool_end_use((const rpool_item *)session->lease);
}

/* ---- sending and reading ---- */

/* OpenSSL's records may wait inside a libpq before these, with no event on the
 * socket: there we look again after a moment. */
static int hides_input(PGconn *pg)
{
    static const int mended[] = {150019, 160015, 170011, 180005};
    int version = PQlibVersion();
    if (!PQsslInUse(pg))
        return 0;
    for (size_t i = 0; i < sizeof mended / sizeof *mended; i++)
        if (version / 10000 == mended[i] / 10000)
            return version < mended[i];
    return version < mended[0];
}

/* OK: there was input, or may have been.  LOST: libpq knows why, or nobody. */
static pqp_status wait_and_consume(PGconn *pg, int for_write, int64_t deadline)
{
    int64_t until = deadline;
    int hides = hides_input(pg);
    if (hides) {
        int64_t soon = clock_after(clock_now(), 20);
        until = soon < deadline ? soon : deadline;
    }
    int ready = pqp__wait_socket(PQsocket(pg), for_write, -1, until);
    if (ready == 0 && !(hides && clock_now() < deadline))
        return PQP_TIMEOUT;
    if (ready < 0 || !PQconsumeInput(pg))
        return PQP_LOST;
    return PQP_OK;
}

static int is_error(const PGresult *res)
{
    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return 0;
    default:
        return 1;
    }
}

static int is_copy(const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
           status == PGRES_COPY_BOTH;
}

/* One statement under way. */
struct exchange {
    PGconn *pg;
    int64_t deadline;
    int64_t end;     /* CLOCK_NEVER until the deadline was found to be past */
    int wants_rows;  /* the caller takes the result */
    int is_one;      /* the protocol answers it with one result */
    PGresult *kept;  /* the last result, but rather the first error */
    size_t dropped;  /* bytes of the errors that came after that one */
    const char *why; /* of LOST, where libpq does not know it */
};

/* The clock is asked between results too: complete ones may come without end.
 * The rest of an answer that is here at the deadline is taken, for a moment
 * that begins when this thread finds the deadline past, however late it runs.
 */
static int is_over(struct exchange *x)
{
    int64_t now = clock_now();
    if (now >= x->deadline && x->end == CLOCK_NEVER)
        x->end = clock_after(now, GRACE_MS);
    return now >= x->end;
}

/* Sends what is left to send, and reads until libpq has a result, or the end of
 * the answer: libpq keeps all input until it is parsed, so that a server that
 * answers before it has read everything is read in between.  A lost connection
 * is no reason to stop: libpq still has to say what came before the end, and
 * does not wait for more. */
static pqp_status await_result(struct exchange *x)
{
    PGconn *pg = x->pg;
    while (PQstatus(pg) == CONNECTION_OK) {
        int unsent = PQflush(pg);
        if (!PQisBusy(pg))
            break;
        pqp_status status = PQP_LOST;
        if (unsent >= 0)
            status = is_over(x) ? PQP_TIMEOUT
                                : wait_and_consume(pg, unsent, x->deadline);
        if (status != PQP_OK && PQstatus(pg) == CONNECTION_OK)
            return status;
    }
    return PQP_OK;
}

/* Frees at once what the caller will not get.  Once there is an error, rows
 * that come after it are wanted no more: libpq gives them one by one. */
static void keep_or_drop(struct exchange *x, PGresult *res)
{
    if (PQresultStatus(res) == PGRES_SINGLE_TUPLE) {
        PQclear(res);
    } else if (x->kept != NULL && is_error(x->kept)) {
        x->dropped += strlen(PQresultErrorMessage(res));
        PQclear(res);
    } else {
        PQclear(x->kept);
        x->kept = res;
        if (is_error(res))
            (void)PQsetSingleRowMode(x->pg);
    }
}

static pqp_status lost_because(struct exchange *x, const char *why)
{
    x->why = why;
    return PQP_LOST;
}

/* libpq keeps the text of every error until the statement has ended, unless a
 * change of the mode makes it forget them: it does so if the statement was not
 * sent in the simple protocol. */
static pqp_status forget_errors(struct exchange *x)
{
    if (PQsetnonblocking(x->pg, 0) == 0)
        (void)PQsetnonblocking(x->pg, 1);
    x->dropped = strlen(PQerrorMessage(x->pg));
    return x->dropped <= MAX_DROPPED
               ? PQP_OK
               : lost_because(x, "the server sent error after error in answer "
                                 "to one statement");
}

/* There is no further result: is the answer whole? */
static pqp_status end_results(struct exchange *x)
{
    if (x->why != NULL)
        return PQP_LOST;
    if (PQflush(x->pg) > 0)
        return lost_because(x, "the server ended its answer before it had "
                               "read the statement");
    return PQP_OK;
}

/* OK: the next result may be read. */
static pqp_status take_result(struct exchange *x, PGresult *res)
{
    if (is_copy(res)) {
        PQclear(res);
        return PQP_UNSUPPORTED;
    }
    if (x->is_one && x->kept != NULL && !is_error(res))
        x->why = "the server sent two results in answer to one statement";
    keep_or_drop(x, res);
    if (is_over(x))
        return PQP_TIMEOUT;
    return x->dropped > MAX_DROPPED ? forget_errors(x) : PQP_OK;
}

static pqp_status read_results(struct exchange *x)
{
    for (;;) {
        pqp_status status = await_result(x);
        if (status != PQP_OK)
            return status;
        PGresult *res = PQgetResult(x->pg);
        if (res == NULL)
            return end_results(x);
        status = take_result(x, res);
        if (status != PQP_OK)
            return status;
    }
}

static int send_query(PGconn *pg, const pqp_query *query, int simple)
{
    if (simple)
        return PQsendQuery(pg, query->sql);
    return PQsendQueryParams(pg, query->sql, query->nparams, query->types,
                             query->values, query->lengths, query->formats,
                             query->result_format);
}

/* ---- what came of it ---- */

/* The default of its transactions is read-only, and was not when we connected.
 */
static int turned_read_only(const struct session *session)
{
    const char *value =
        PQparameterStatus(session->pg, "default_transaction_read_only");
    return !session->was_read_only && value != NULL && strcmp(value, "on") == 0;
}

/* A server that took writes when we connected refuses one.  in_hot_standby is
 * the server's alone: sessions to that standby leave.
 * default_transaction_read_only may be this borrower's SET: its session leaves,
 * and what the next statement of another one brings says whether it was more
 * than that. */
static void follow_failover(struct session *session, const pqp_error *err)
{
    struct config *config = session->config;
    int refused = (pqp__sqlstate_class(err->sqlstate) & PQP__READ_ONLY) != 0;
    int suspect = atomic_load_explicit(&config->suspect, memory_order_relaxed);
    int is_witness = suspect != 0 && suspect != session->pid;
    if (!refused && !is_witness)
        return;
    if (refused)
        pqp__role_mark(session);
    int changed = turned_read_only(session);
    int failover = is_witness && changed;
    if (failover)
        (void)rpool_recycle(config->core);
    if (refused && changed)
        session->stale = 1;
    if (is_witness || changed)
        atomic_store(&config->suspect,
                     refused && changed && !failover ? session->pid : 0);
}

static pqp_status lost(struct session *session, pqp_error *err)
{
    session->broken = 1;
    return pqp__fail_lost(err, session->config, session->pg);
}

static pqp_status judge(struct session *session, const PGresult *res,
                        pqp_error *err)
{
    if (res == NULL ||
        (is_error(res) && PQstatus(session->pg) != CONNECTION_OK &&
         PQresultErrorField(res, PG_DIAG_SQLSTATE) == NULL))
        return lost(session, err);
    if (!is_error(res)) {
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
static pqp_status give_up(struct session *session, pqp_status status,
                          const char *why, pqp_error *err)
{
    if (status == PQP_LOST && why == NULL)
        return lost(session, err);
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

static pqp_status refuse(struct session *session, pqp_error *err)
{
    PGconn *pg = session->pg;
    if (PQstatus(pg) != CONNECTION_OK)
        return lost(session, err);
    if (PQpipelineStatus(pg) != PQ_PIPELINE_OFF ||
        PQtransactionStatus(pg) == PQTRANS_ACTIVE)
        return pqp__fail(err, PQP_INVALID,
                         "conn is busy with a command of its borrower");
    return PQP_OK;
}

static pqp_status converse(struct session *session, struct exchange *x,
                           const pqp_query *query, int simple, pqp_error *err)
{
    if (!send_query(x->pg, query, simple)) {
        if (PQstatus(x->pg) != CONNECTION_OK)
            return lost(session, err);
        session->broken = 1; /* half a message may stand in the buffer */
        (void)pqp__fail_lost(err, session->config, x->pg);
        return err->status = PQP_NOMEM;
    }
    if (!x->wants_rows)
        (void)PQsetSingleRowMode(x->pg);
    pqp_status status = read_results(x);
    if (status != PQP_OK)
        return give_up(session, status, x->why, err);
    return judge(session, x->kept, err);
}

/* Until a roll-back, to a savepoint too, all that is said after the first error
 * follows from it. */
static void remember(struct session *session, const pqp_error *err)
{
    if (err->status != PQP_OK && session->first.status == PQP_OK)
        session->first = *err;
}

pqp_status pqp__statement(struct session *session, const pqp_query *query,
                          int simple, int64_t deadline, PGresult **res,
                          pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct exchange x = {.pg = session->pg,
                         .deadline = deadline,
                         .end = CLOCK_NEVER,
                         .wants_rows = res != NULL,
                         .is_one = !simple};
    session->sent = 0;
    pqp_status status = refuse(session, err);
    if (status == PQP_OK) {
        int nonblocking = PQisnonblocking(session->pg);
        if (PQtransactionStatus(session->pg) != PQTRANS_INERROR)
            session->first.status = PQP_OK;
        pqp__reading_begin(session);
        status = pqp__session_read_unasked(session, err);
        (void)PQsetnonblocking(session->pg, 1);
        session->sent = status == PQP_OK;
        session->in_statement = session->sent;
        if (session->sent)
            status = converse(session, &x, query, simple, err);
        session->in_statement = 0;
        if (session->broken && status == PQP_OK)
            pqp__session_end(session);
        pqp__reading_end();
        if (!session->broken) {
            follow_failover(session, err);
            (void)PQsetnonblocking(session->pg, nonblocking);
        }
        remember(session, err);
    }
    if (res != NULL && (status == PQP_OK || status == PQP_SERVER))
        *res = x.kept;
    else
        PQclear(x.kept);
    return status;
}

/* ---- public ---- */

static int is_binary(const pqp_query *query, int i)
{
    return query->values[i] != NULL && query->formats != NULL &&
           query->formats[i] != 0;
}

static pqp_status check_arguments(const pqp_query *query, pqp_error *err)
{
    if (query->sql == NULL)
        return pqp__fail(err, PQP_INVALID, "sql is NULL");
    if (query->nparams < 0 || query->nparams > MAX_PARAMS)
        return pqp__fail(err, PQP_INVALID, "nparams is not in 0 to %d",
                         MAX_PARAMS);
    if (query->nparams > 0 && query->values == NULL)
        return pqp__fail(err, PQP_INVALID, "values is NULL");
    for (int i = 0; i < query->nparams; i++) {
        if (is_binary(query, i) && query->lengths == NULL)
            return pqp__fail(err, PQP_INVALID,
                             "lengths is NULL with a binary parameter");
        if (is_binary(query, i) && query->lengths[i] < 0)
            return pqp__fail(err, PQP_INVALID,
                             "the length of parameter $%d is negative", i + 1);
    }
    return PQP_OK;
}

/* Bytes of the Query message, or of the Parse message: the length word, the
 * names and counts that they have in common, and the text. */
static size_t sql_size(const pqp_query *query, int simple)
{
    size_t size = 4 + strnlen(query->sql, MAX_MESSAGE) + 1;
    if (!simple)
        size += 3 + (query->types != NULL ? 4 * (size_t)query->nparams : 0);
    return size;
}

static size_t value_size(const pqp_query *query, int i)
{
    if (is_binary(query, i))
        return (size_t)query->lengths[i];
    return query->values[i] != NULL ? strnlen(query->values[i], MAX_MESSAGE)
                                    : 0;
}

/* Finds what the protocol or libpq cannot carry before a byte of it is sent:
 * the server ends the session after a message that is too long. */
static pqp_status check_sizes(const pqp_query *query, int simple,
                              pqp_error *err)
{
    size_t sql = sql_size(query, simple), bind = 14;
    if (sql > MAX_MESSAGE)
        return pqp__fail(err, PQP_INVALID,
                         "sql is too long: no message to the server may have "
                         "more than %d bytes",
                         MAX_MESSAGE);
    for (int i = 0; i < query->nparams; i++) {
        bind += (query->formats != NULL ? 6 : 4) + value_size(query, i);
        if (bind > MAX_MESSAGE)
            return pqp__fail(
                err, PQP_INVALID,
                "the parameters up to $%d are too long: no message "
                "to the server may have more than %d bytes",
                i + 1, MAX_MESSAGE);
    }
    if (sql + bind > MAX_MESSAGES)
        return pqp__fail(err, PQP_INVALID,
                         "sql and parameters are too long together: libpq "
                         "holds %d bytes",
                         MAX_MESSAGES);
    return PQP_OK;
}

static pqp_status check_query(const pqp_query *query, int simple,
                              pqp_error *err)
{
    pqp_status status = check_arguments(query, err);
    return status == PQP_OK ? check_sizes(query, simple, err) : status;
}

static pqp_status read_query(pqp_query *to, const pqp_query *from,
                             pqp_error *err)
{
    *to = (pqp_query){.size = sizeof *to};
    if (from == NULL)
        return pqp__fail(err, PQP_INVALID, "query is NULL");
    const char *bad =
        sized_read(to, sizeof *to, offsetof(pqp_query, timeout_ms), from);
    if (bad != NULL)
        return pqp__fail(err, PQP_INVALID, "pqp_query %s", bad);
    return check_query(to, 0, err);
}

static pqp_status run(const pqp_conn *conn, const pqp_query *query, int simple,
                      PGresult **res, pqp_error *err)
{
    pqp_error own;
    if (err == NULL)
        err = &own;
    struct session *session = pqp__enter(conn, err);
    if (session == NULL)
        return err->status;
    int64_t deadline = CLOCK_NEVER;
    if (query->timeout_ms != 0)
        deadline = clock_after(clock_now(), query->timeout_ms);
    pqp_status status =
        pqp__statement(session, query, simple, deadline, res, err);
    pqp__leave(session);
    return status;
}

pqp_status pqp_exec(pqp_conn *conn, const char *sql, PGresult **res,
                    pqp_error *err)
{
    const pqp_query query = {.size = sizeof query, .sql = sql};
    if (res != NULL)
        *res = NULL;
    pqp_status status = check_query(&query, 1, err);
    return status == PQP_OK ? run(conn, &query, 1, res, err) : status;
}

pqp_status pqp_exec_params(pqp_conn *conn, const pqp_query *query,
                           PGresult **res, pqp_error *err)
{
    pqp_query known;
    if (res != NULL)
        *res = NULL;
    pqp_status status = read_query(&known, query, err);
    return status == PQP_OK ? run(conn, &known, 0, res, err) : status;
}

/* A connection may end between its lease and its first statement: then the
 * statement may go to another one. */
static int was_sent(const pqp_conn *conn)
{
    const struct session *session = rpool_resource((const rpool_item *)conn);
    return session == NULL || session->sent;
}

pqp_status pqp_pool_exec_params_at(pqp_pool *pool, int timeout_ms,
                                   const pqp_query *query, PGresult **res,
                                   pqp_error *err, const char *file, int line,
                                   const char *func)
{
    PQP_AUTO_CONN conn = NULL;
    pqp_query known;
    if (res != NULL)
        *res = NULL;
    pqp_status status = read_query(&known, query, err);
    if (status != PQP_OK)
        return status;
    int64_t deadline = clock_after(clock_now(), timeout_ms);
    for (int left = MAX_ENDED;; left--) {
        status = pqp_acquire_at(pool, clock_ms_until(deadline, clock_now()),
                                &conn, err, file, line, func);
        if (status == PQP_OK)
            status = run(conn, &known, 0, res, err);
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
