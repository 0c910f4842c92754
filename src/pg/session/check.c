/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Checks a session before a lease: by the input that has arrived, and by a
 * ping, which is an empty query.  The answer to a reset, which was sent at the
 * release, takes the place of a ping.  The owner of the item calls; there is no
 * lock.
 */
#include "pg/session/check.h"

#include <assert.h>

#include "base/clock.h"
#include "pg/base/socket.h"
#include "pg/base/sqlstate.h"
#include "pg/session/failover.h"
#include "pg/session/input.h"
#include "pg/session/notice.h"

/* ---- questions and answers ---- */

/* Two statements need two messages: as one string the server refuses DISCARD
 * ALL.  A socket that does not take such a short message at once has no living
 * peer, so that this never blocks. */
int pqp__session_send(struct session *session, const char *first,
                      const char *second)
{
    assert(session->pending_syncs == 0);

    PGconn *pg = session->pg;
    int sent;
    if (PQsetnonblocking(pg, 1))
        return -1;

    if (second)
        sent = PQenterPipelineMode(pg) &&
               PQsendQueryParams(pg, first, 0, NULL, NULL, NULL, NULL, 0) &&
               PQpipelineSync(pg) &&
               PQsendQueryParams(pg, second, 0, NULL, NULL, NULL, NULL, 0) &&
               PQpipelineSync(pg);
    else
        sent = PQsendQuery(pg, first);
    if (!sent || PQflush(pg) || PQsetnonblocking(pg, 0))
        return -1;

    session->pending_syncs = second ? 2 : 1;
    session->pinging = *first == '\0';
    session->ping_deadline =
        clock_after(clock_now(), session->config->options.ping_timeout_ms);
    return 0;
}

/* An ERROR in answer to a ping is an answer: PgBouncer's console, for example,
 * refuses an empty query.  The state of the session after it decides whether
 * the session is fit. */
static int is_expected_answer(const struct session *session,
                              const PGresult *res)
{
    assert(res);

    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_PIPELINE_SYNC:
        return 1;
    case PGRES_FATAL_ERROR: /* libpq's name for any error */
        return session->pinging && !pqp__is_fatal(pqp__severity(res));
    default:
        return 0;
    }
}

/* Takes the answers that have arrived completely; the others remain counted in
 * pending_syncs.  An answer ends with the NULL of PQgetResult(), and in a
 * pipeline with the result of its Sync.  Returns 0, or -1 if an answer is not
 * the expected one. */
static int take_answers(struct session *session)
{
    assert(session->pending_syncs > 0);

    PGconn *pg = session->pg;
    int is_pipeline = PQpipelineStatus(pg) != PQ_PIPELINE_OFF;

    for (int nulls = 0; session->pending_syncs > 0 && !PQisBusy(pg);) {
        PGresult *res = PQgetResult(pg);
        int is_end = is_pipeline ? PQresultStatus(res) == PGRES_PIPELINE_SYNC
                                 : res == NULL;
        int is_wrong = res && !is_expected_answer(session, res);

        nulls = res ? 0 : nulls + 1;
        PQclear(res);
        if (is_wrong || nulls > 1) /* libpq expects no further answer */
            return -1;
        session->pending_syncs -= is_end;
    }
    return session->broken || PQstatus(pg) != CONNECTION_OK ? -1 : 0;
}

/* ---- the state after the answers ---- */

/* libpq forgets its last error when the mode changes. */
int pqp__forget_error(PGconn *pg)
{
    return PQsetnonblocking(pg, 1) || PQsetnonblocking(pg, 0) ? -1 : 0;
}

/* PQnotifies() parses input, and may find that the server ended the session: so
 * `broken` is read after it. */
int pqp__session_is_clean(struct session *session)
{
    PGconn *pg = session->pg;
    for (PGnotify *n; (n = PQnotifies(pg));)
        PQfreemem(n);
    return PQclientEncoding(pg) == session->encoding && !session->broken &&
           pqp__role_fits(session);
}

/* Returns GOOD or BAD, once no answer is pending. */
static int finish_check(struct session *session)
{
    assert(session->pending_syncs == 0);

    PGconn *pg = session->pg;
    if (PQpipelineStatus(pg) != PQ_PIPELINE_OFF && !PQexitPipelineMode(pg))
        return RPOOL_BAD;
    if (*PQerrorMessage(pg) && pqp__forget_error(pg))
        return RPOOL_BAD;
    return pqp__session_is_clean(session) &&
                   PQtransactionStatus(pg) == PQTRANS_IDLE
               ? RPOOL_GOOD
               : RPOOL_BAD;
}

/* Reads before it looks at the clock: an answer that has arrived is in time,
 * however late it is read.  A TLS record of the server has at most 8 kB and
 * fits libpq's read, so that OpenSSL keeps no part of it while this thread
 * sleeps. */
static int read_answers(struct session *session, int64_t deadline)
{
    PGconn *pg = session->pg;
    for (;;) {
        if (!PQconsumeInput(pg) || take_answers(session))
            return RPOOL_BAD;
        if (session->pending_syncs == 0)
            return finish_check(session);

        int64_t now = clock_now(), until = session->ping_deadline;
        if (now >= until)
            return RPOOL_BAD;
        if (now >= deadline)
            return RPOOL_AGAIN;

        if (until > deadline)
            until = deadline;
        if (pqp__wait_socket(PQsocket(pg), 0, -1, until) < 0)
            return RPOOL_BAD;
    }
}

/* ---- the provider's functions ---- */

static int is_known_unfit(const struct session *session)
{
    return !session->pg || session->broken || pqp__role_is_marked(session);
}

int pqp__session_check(void *ctx, void *resource, int64_t idle_ms,
                       int64_t deadline)
{
    (void)ctx;
    (void)idle_ms;
    struct session *session = resource;
    if (is_known_unfit(session))
        return RPOOL_BAD;

    int answer = RPOOL_BAD;
    pqp__reading_begin(session);
    if (session->pending_syncs > 0 ||
        (pqp__input_read(session) == 0 &&
         pqp__session_send(session, "", NULL) == 0))
        answer = read_answers(session, deadline);
    pqp__reading_end();
    return answer;
}

int pqp__session_look(void *ctx, void *resource)
{
    (void)ctx;
    struct session *session = resource;
    if (is_known_unfit(session))
        return RPOOL_BAD;

    int answer = RPOOL_BAD;
    pqp__reading_begin(session);
    if (session->pending_syncs > 0)
        answer = read_answers(session, 0);
    else if (pqp__input_read(session) == 0)
        answer = finish_check(session);
    pqp__reading_end();
    return answer;
}
