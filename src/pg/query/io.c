/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sends the unsent part of a statement and reads its results, in a poll loop of
 * our own.  So a deadline also holds while 64 MB are on their way to a server
 * that has stopped reading.  The borrower calls; there is no lock.
 */
#include "pg/query/io.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "pg/base/socket.h"

enum {
    MAX_DROPPED = 1024 * 1024, /* bytes of errors after the first one */
    GRACE_MS = 20,             /* to read a reply that came in time */
    HIDDEN_INPUT_MS = 20       /* the longest sleep if input may be hidden */
};

/* ---- waiting ---- */

/* Returns whether this libpq may leave TLS records unread inside OpenSSL, where
 * they raise no event on the socket.  Versions before those in the table do. */
static int may_hide_input(PGconn *pg)
{
    static const int fixed_in[] = {150019, 160015, 170011, 180005};
    int version = PQlibVersion();
    if (!PQsslInUse(pg))
        return 0;

    for (size_t i = 0; i < sizeof fixed_in / sizeof *fixed_in; i++)
        if (version / 10000 == fixed_in[i] / 10000)
            return version < fixed_in[i];
    return version < fixed_in[0];
}

/* Returns OK if there was input or may have been, TIMEOUT, or LOST. */
static pqp_status wait_and_consume(PGconn *pg, int for_write, int64_t deadline)
{
    int64_t until = deadline;
    int is_hidden = may_hide_input(pg);
    if (is_hidden) {
        int64_t soon = clock_after(clock_now(), HIDDEN_INPUT_MS);
        until = soon < deadline ? soon : deadline;
    }

    int ready = pqp__wait_socket(PQsocket(pg), for_write, -1, until);
    if (ready == 0 && !(is_hidden && clock_now() < deadline))
        return PQP_TIMEOUT;
    if (ready < 0 || !PQconsumeInput(pg))
        return PQP_LOST;
    return PQP_OK;
}

/* Returns whether the reply has to end now.  A reply that was complete at the
 * deadline is still read: the grace begins when this thread finds the deadline
 * past, however late it runs.  The clock is also read between two results,
 * since a server may send complete results without end. */
static int is_past_deadline(struct reply *reply)
{
    int64_t now = clock_now();
    if (now >= reply->deadline && reply->grace_end == CLOCK_NEVER)
        reply->grace_end = clock_after(now, GRACE_MS);
    return now >= reply->grace_end;
}

/* Flushes and reads until libpq has a result, or the end of the reply.  libpq
 * keeps all input in memory until it is parsed, so that the input of a server
 * that answers before it has read the whole statement is read between two
 * flushes.  After a loss of the connection libpq still has the results that
 * came before it, and does not wait for more: that is OK too. */
static pqp_status await_result(struct reply *reply)
{
    PGconn *pg = reply->pg;
    while (PQstatus(pg) == CONNECTION_OK) {
        int unsent = PQflush(pg);
        if (!PQisBusy(pg))
            break;

        pqp_status status = PQP_LOST;
        if (unsent >= 0)
            status = is_past_deadline(reply)
                         ? PQP_TIMEOUT
                         : wait_and_consume(pg, unsent, reply->deadline);
        if (status != PQP_OK && PQstatus(pg) == CONNECTION_OK)
            return status;
    }
    return PQP_OK;
}

/* ---- results ---- */

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

/* Keeps the result or frees it at once.  After an error the caller gets no
 * rows: single-row mode makes libpq give them one by one, so that they need no
 * memory. */
static void keep_or_drop(struct reply *reply, PGresult *res)
{
    assert(res != NULL);

    if (PQresultStatus(res) == PGRES_SINGLE_TUPLE) {
        PQclear(res);
    } else if (reply->kept != NULL && pqp__is_error(reply->kept)) {
        reply->dropped_bytes += strlen(PQresultErrorMessage(res));
        PQclear(res);
    } else {
        PQclear(reply->kept);
        reply->kept = res;
        if (pqp__is_error(res))
            (void)PQsetSingleRowMode(reply->pg);
    }
}

static pqp_status lost_because(struct reply *reply, const char *why)
{
    assert(why != NULL);

    reply->lost_why = why;
    return PQP_LOST;
}

/* libpq keeps the text of every error until the statement ends.  A change of
 * the mode makes it forget them, except in the simple protocol.  Returns OK, or
 * LOST if it still keeps more than MAX_DROPPED bytes. */
static pqp_status forget_errors(struct reply *reply)
{
    if (PQsetnonblocking(reply->pg, 0) == 0)
        (void)PQsetnonblocking(reply->pg, 1);
    reply->dropped_bytes = strlen(PQerrorMessage(reply->pg));
    return reply->dropped_bytes <= MAX_DROPPED
               ? PQP_OK
               : lost_because(reply, "the server sent more than 1 MiB of "
                                     "errors in answer to one statement");
}

/* libpq has no further result: returns OK, or LOST if the reply is not a whole
 * one. */
static pqp_status end_results(struct reply *reply)
{
    if (reply->lost_why != NULL)
        return PQP_LOST;
    if (PQflush(reply->pg) > 0)
        return lost_because(reply, "the server ended its answer before it had "
                                   "read the statement");
    return PQP_OK;
}

/* Takes one result.  Returns OK if the next one may be read. */
static pqp_status take_result(struct reply *reply, PGresult *res)
{
    assert(res != NULL);

    if (is_copy(res)) {
        PQclear(res);
        return PQP_UNSUPPORTED;
    }

    if (reply->is_single && reply->kept != NULL && !pqp__is_error(res))
        reply->lost_why =
            "the server sent two results in answer to one statement";
    keep_or_drop(reply, res);

    if (is_past_deadline(reply))
        return PQP_TIMEOUT;
    return reply->dropped_bytes > MAX_DROPPED ? forget_errors(reply) : PQP_OK;
}

pqp_status pqp__reply_read(struct reply *reply)
{
    assert(reply->kept == NULL && reply->grace_end == CLOCK_NEVER);

    for (;;) {
        pqp_status status = await_result(reply);
        if (status != PQP_OK)
            return status;

        PGresult *res = PQgetResult(reply->pg);
        if (res == NULL)
            return end_results(reply);

        status = take_result(reply, res);
        if (status != PQP_OK)
            return status;
    }
}
