/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sends the rest of a statement and reads its results, in a poll loop of ours,
 * so that a deadline holds also while 64 MB are on their way to a server that
 * has stopped reading.  Called by the borrower; no lock.
 */
#include "pg/query/io.h"

#include <string.h>

#include "base/clock.h"
#include "pg/base/socket.h"

enum {
    MAX_DROPPED = 1024 * 1024, /* bytes of errors that follow the first one */
    GRACE_MS = 20              /* to take an answer that came in time */
};

/* OpenSSL's records may wait inside a libpq before these, with no event on the
 * socket: there we look again after a moment. */
static int may_hide_input(PGconn *pg)
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
    int hides = may_hide_input(pg);
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

int pqp__is_error(const PGresult *res)
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

/* The clock is asked between results too: complete ones may come without end.
 * The rest of an answer that is here at the deadline is taken, for a moment
 * that begins when this thread finds the deadline past, however late it runs.
 */
static int is_past_deadline(struct reply *x)
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
static pqp_status await_result(struct reply *x)
{
    PGconn *pg = x->pg;
    while (PQstatus(pg) == CONNECTION_OK) {
        int unsent = PQflush(pg);
        if (!PQisBusy(pg))
            break;
        pqp_status status = PQP_LOST;
        if (unsent >= 0)
            status = is_past_deadline(x)
                         ? PQP_TIMEOUT
                         : wait_and_consume(pg, unsent, x->deadline);
        if (status != PQP_OK && PQstatus(pg) == CONNECTION_OK)
            return status;
    }
    return PQP_OK;
}

/* Frees at once what the caller will not get.  Once there is an error, rows
 * that come after it are wanted no more: libpq gives them one by one. */
static void keep_or_drop(struct reply *x, PGresult *res)
{
    if (PQresultStatus(res) == PGRES_SINGLE_TUPLE) {
        PQclear(res);
    } else if (x->kept != NULL && pqp__is_error(x->kept)) {
        x->dropped += strlen(PQresultErrorMessage(res));
        PQclear(res);
    } else {
        PQclear(x->kept);
        x->kept = res;
        if (pqp__is_error(res))
            (void)PQsetSingleRowMode(x->pg);
    }
}

static pqp_status lost_because(struct reply *x, const char *why)
{
    x->why = why;
    return PQP_LOST;
}

/* libpq keeps the text of every error until the statement has ended, unless a
 * change of the mode makes it forget them: it does so if the statement was not
 * sent in the simple protocol. */
static pqp_status forget_errors(struct reply *x)
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
static pqp_status end_results(struct reply *x)
{
    if (x->why != NULL)
        return PQP_LOST;
    if (PQflush(x->pg) > 0)
        return lost_because(x, "the server ended its answer before it had "
                               "read the statement");
    return PQP_OK;
}

/* OK: the next result may be read. */
static pqp_status take_result(struct reply *x, PGresult *res)
{
    if (is_copy(res)) {
        PQclear(res);
        return PQP_UNSUPPORTED;
    }
    if (x->is_one && x->kept != NULL && !pqp__is_error(res))
        x->why = "the server sent two results in answer to one statement";
    keep_or_drop(x, res);
    if (is_past_deadline(x))
        return PQP_TIMEOUT;
    return x->dropped > MAX_DROPPED ? forget_errors(x) : PQP_OK;
}

pqp_status pqp__reply_read(struct reply *x)
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
