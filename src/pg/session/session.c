/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A PostgreSQL session as the core's resource: created, checked before a
 * lease, cleaned after it, destroyed.  Whether a session can be cleaned is
 * decided by its state before anything is sent; what is sent at release is
 * answered before the next lease, and that answer is its ping.  Called by
 * whoever owns the item; no lock, and nothing but create and check waits.
 */
#include "pg/connect/connect.h"

#include <errno.h>
#include <libpq-events.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

/* ---- what libpq tells us ---- */

/* The untranslated one, which old servers and some poolers do not send; "" if
 * there is none at all. */
static const char *severity_of(const PGresult *res)
{
    const char *severity =
        PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity)
        severity = PQresultErrorField(res, PG_DIAG_SEVERITY);
    return severity ? severity : "";
}

static int is_fatal(const char *severity)
{
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

/* The session that this thread reads from, in libpq and for us; else NULL. */
static _Thread_local struct session *reading;

/* What the listener does in libpq is not our reading. */
static void tell_notice(const struct session *session, const PGresult *res)
{
    const struct config *config = session->config;
    if (!config || !config->options.on_event)
        return;
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    char message[512], code[6];
    pqp__clean_text(config, message, sizeof message, text ? text : "");
    snprintf(code, sizeof code, "%s", sqlstate ? sqlstate : "");
    const pqp_event event = {.type = PQP_EVENT_NOTICE,
                             .backend_pid = session->pid,
                             .connection = session->number,
                             .message = message,
                             .sqlstate = code};
    struct session *outer = reading;
    reading = NULL;
    pqp__event(config, &event);
    reading = outer;
}

void pqp__reading_begin(struct session *session)
{
    reading = session;
}

void pqp__reading_end(void)
{
    reading = NULL;
}

/* libpq makes its own notices without an SQLSTATE, but with the untranslated
 * severity, which the poolers that send no SQLSTATE do not know. */
static int is_of_libpq(const PGresult *res)
{
    return !PQresultErrorField(res, PG_DIAG_SQLSTATE) &&
           PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
}

/* Every PGresult keeps a copy of the receiver and of `arg`, calls it when it
 * is asked for a row it does not have, and may outlive the session: libpq's own
 * notice ends here, and `arg` is not followed.  While we read, no result is
 * asked for rows.  Then such a notice says that libpq drops a message, and
 * server and client no longer agree on which answer belongs to which question.
 * A notice of the server came over the connection just now. */
static void receive_notice(void *arg, const PGresult *res)
{
    struct session *session = arg;
    if (is_of_libpq(res)) {
        if (reading == session)
            reading->broken = 1;
        return;
    }
    const char *severity = severity_of(res);
    /* The last words of a server arrive as a notice on an idle connection,
     * and PQstatus() goes on saying that all is well.  So does an error that
     * answers nothing. */
    if (is_fatal(severity)) {
        session->broken = session->ended = 1;
        if (session->first.status == PQP_OK)
            (void)pqp__fail_result(&session->first, session->config, res);
    }
    if (strcmp(severity, "ERROR") == 0)
        session->broken = 1;
    tell_notice(session, res);
}

static void tell_misuse(const struct session *session, const char *message)
{
    if (session->config)
        rpool_report_misuse(session->config->core, session->number, message);
}

/* What the borrower's own statement says of its transaction, as pqp__statement
 * keeps it of ours: the first error since the last success, which only a
 * transaction that is well, or a roll-back, has.  An error without an SQLSTATE
 * is libpq's. */
static void note_result(struct session *session, const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (session->in_statement || !session->config)
        return;
    if (pqp__sqlstate_class(sqlstate) & PQP__READ_ONLY)
        pqp__role_mark(session);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        session->first.status = PQP_OK;
    else if (status == PGRES_FATAL_ERROR && session->first.status == PQP_OK &&
             sqlstate)
        (void)pqp__fail_result(&session->first, session->config, res);
}

/* `arg` is looked at for events of the connection only: the session lives at
 * least as long as that, the results may live longer.  A copy of a result may
 * be announced as new with another connection, or none. */
static int on_libpq_event(PGEventId id, void *info, void *arg)
{
    if (id == PGEVT_RESULTCREATE) {
        const PGEventResultCreate *created = info;
        struct session *owner = PQinstanceData(created->conn, on_libpq_event);
        if (owner)
            note_result(owner, created->result);
    }
    if (id != PGEVT_CONNRESET && id != PGEVT_CONNDESTROY)
        return 1;
    struct session *session = arg;
    if (id == PGEVT_CONNRESET) {
        session->broken = 1; /* another session, and unknown to us */
        tell_misuse(session, "PQreset() of a connection that is leased");
    }
    if (id == PGEVT_CONNDESTROY) {
        if (session->pg) /* not by us */
            tell_misuse(session, "PQfinish() of a connection that is leased");
        session->pg = NULL;
        if (!session->config) /* detached: nobody else knows of it */
            free(session);
    }
    return 1;
}

int pqp__session_listen(struct session *session, PGconn *pg)
{
    session->receiver = PQsetNoticeReceiver(pg, receive_notice, session);
    session->processor = PQsetNoticeProcessor(pg, NULL, NULL);
    return PQregisterEventProc(pg, on_libpq_event, "pqpool", session) &&
                   PQsetInstanceData(pg, on_libpq_event, session)
               ? 0
               : -1;
}

/* ---- create, detach, destroy ---- */

static int reports_on(const PGconn *pg, const char *name)
{
    const char *value = PQparameterStatus(pg, name);
    return value && strcmp(value, "on") == 0;
}

int pqp__session_create(void *ctx, int64_t deadline, int stop_fd,
                        void **resource, rpool_failure *why)
{
    struct config *config = ctx;
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        *why = (rpool_failure){0};
        snprintf(why->message, sizeof why->message, "out of memory");
        return -1;
    }
    session->config = config;
    session->began = clock_now();
    PGconn *pg = pqp__connect(config, session, deadline, stop_fd, why);
    if (!pg) {
        free(session);
        return -1;
    }
    session->pg = pg;
    session->pid = PQbackendPID(pg);
    session->encoding = PQclientEncoding(pg);
    session->was_read_only = reports_on(pg, "default_transaction_read_only");
    session->place = pqp__role_place(pg);
    *resource = session;
    return 0;
}

/* As PQconnectdb made it, but for what the borrower set itself. */
PGconn *pqp__session_detach(struct session *session)
{
    PGconn *pg = session->pg;
    session->config = NULL;
    if (!pg)
        free(session);
    else if (PQsetNoticeReceiver(pg, NULL, NULL) == receive_notice)
        PQsetNoticeReceiver(pg, session->receiver, NULL);
    return pg;
}

static int is_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

/* At rest, in or out of a transaction: nothing unsent, nothing unread.  The
 * transaction status is UNKNOWN if the connection is not OK. */
static int at_rest(const PGconn *pg, PGTransactionStatusType status)
{
    return (status == PQTRANS_IDLE || status == PQTRANS_INTRANS ||
            status == PQTRANS_INERROR) &&
           PQpipelineStatus(pg) == PQ_PIPELINE_OFF;
}

/* PQfinish() says goodbye to the server, and waits if that cannot be sent.
 * The socket is shut down, never closed: libpq still has its number. */
void pqp__session_destroy(void *ctx, void *resource)
{
    (void)ctx;
    struct session *session = resource;
    PGconn *pg = session->pg;
    session->pg = NULL;
    if (pg) {
        int fd = PQsocket(pg);
        int polite =
            (session->answers > 0 || at_rest(pg, PQtransactionStatus(pg))) &&
            is_writable(fd);
        if (fd >= 0 && !polite)
            (void)shutdown(fd, SHUT_RDWR);
        if (!pqp__libpq_enter())
            return;
        PQfinish(pg);
        pqp__libpq_leave();
    }
    free(session);
}

int pqp__session_fd(void *ctx, void *resource)
{
    (void)ctx;
    const struct session *session = resource;
    return session->pg ? PQsocket(session->pg) : -1;
}

/* ---- input ---- */

enum { MAX_READS = 1024 }; /* of at least 8 kB each */

/* Also if the other end has hung up. */
static int socket_has_input(const PGconn *pg)
{
    char byte;
    return recv(PQsocket(pg), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* libpq takes apart what it has, also if there was nothing to read.  Returns 0
 * or -1. */
static int read_once(struct session *session)
{
    int alive = PQconsumeInput(session->pg);
    (void)PQisBusy(session->pg);
    return alive && !session->broken ? 0 : -1;
}

/* Of a TLS record libpq may have read a part: the last read is for the rest,
 * which raises no event on the socket.  A peer that sends faster than we read,
 * for so long, is not fit. */
static int read_here(struct session *session)
{
    int reads = 0;
    for (; socket_has_input(session->pg); reads++)
        if (reads == MAX_READS || read_once(session))
            return -1;
    return reads > 0 && PQsslInUse(session->pg) ? read_once(session) : 0;
}

/* What is on its way is discarded with the rest: libpq, which reads on after it
 * could not send, would take it for the answer to a next statement. */
void pqp__session_end(struct session *session)
{
    session->broken = 1;
    (void)shutdown(PQsocket(session->pg), SHUT_RDWR);
    for (int n = 0; n < MAX_READS && PQconsumeInput(session->pg); n++)
        (void)PQisBusy(session->pg);
}

pqp_status pqp__session_read_unasked(struct session *session, pqp_error *err)
{
    const pqp_error *said = &session->first;
    if (read_here(session) == 0)
        return PQP_OK;
    if (said->status == PQP_LOST)
        *err = *said;
    else if (PQstatus(session->pg) != CONNECTION_OK)
        (void)pqp__fail_lost(err, session->config, session->pg);
    else
        (void)pqp__fail(err, PQP_LOST,
                        "the server sent an answer that belongs to no "
                        "statement; this one was not sent");
    err->flags |= PQP_ERR_DISCARD;
    pqp__session_end(session);
    return PQP_LOST;
}

/* ---- questions and answers ---- */

/* Sends one statement, or two as a pipeline with a Sync each, since as one
 * string the server refuses DISCARD ALL.  Never blocks: what cannot be sent at
 * once to a session at rest has nobody at the other end.  0 or -1. */
static int ask(struct session *session, const char *first, const char *second)
{
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
    session->answers = second ? 2 : 1;
    session->pinging = *first == '\0';
    session->ping_deadline =
        clock_after(clock_now(), session->config->options.ping_timeout_ms);
    return 0;
}

/* An ERROR in answer to a ping is an answer: PgBouncer's console, for one,
 * knows no empty statement.  The state of the session after the answer decides
 * whether it is fit. */
static int is_accepted(const struct session *session, const PGresult *res)
{
    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_PIPELINE_SYNC:
        return 1;
    case PGRES_FATAL_ERROR: /* libpq's name of any error */
        return session->pinging && !is_fatal(severity_of(res));
    default:
        return 0;
    }
}

/* Takes the answers that are complete.  Returns 0, or -1 if one of them is not
 * accepted; those that are not here yet stay in session->answers.  An answer
 * ends with the NULL that PQgetResult gives, in a pipeline with the result of
 * its Sync. */
static int take_answers(struct session *session)
{
    PGconn *pg = session->pg;
    int pipeline = PQpipelineStatus(pg) != PQ_PIPELINE_OFF;
    for (int nulls = 0; session->answers > 0 && !PQisBusy(pg);) {
        PGresult *res = PQgetResult(pg);
        int is_end =
            pipeline ? PQresultStatus(res) == PGRES_PIPELINE_SYNC : res == NULL;
        int failed = res && !is_accepted(session, res);
        nulls = res ? 0 : nulls + 1;
        PQclear(res);
        if (failed || nulls > 1) /* not an answer that libpq expects */
            return -1;
        session->answers -= is_end;
    }
    return session->broken || PQstatus(pg) != CONNECTION_OK ? -1 : 0;
}

/* libpq forgets the text of its last error, which may hold a borrower's data,
 * when the mode changes.  Returns 0 or -1. */
static int forget_error(PGconn *pg)
{
    return PQsetnonblocking(pg, 1) || PQsetnonblocking(pg, 0) ? -1 : 0;
}

/* What is left of an idle session once all is read.  Looking for notifies may
 * find the server's last words. */
static int is_clean(struct session *session)
{
    PGconn *pg = session->pg;
    for (PGnotify *n; (n = PQnotifies(pg));)
        PQfreemem(n);
    return PQclientEncoding(pg) == session->encoding && !session->broken &&
           pqp__role_fits(session);
}

/* ---- check ---- */

static int finish_check(struct session *session)
{
    PGconn *pg = session->pg;
    if (PQpipelineStatus(pg) != PQ_PIPELINE_OFF && !PQexitPipelineMode(pg))
        return RPOOL_BAD;
    if (*PQerrorMessage(pg) && forget_error(pg))
        return RPOOL_BAD;
    return is_clean(session) && PQtransactionStatus(pg) == PQTRANS_IDLE
               ? RPOOL_GOOD
               : RPOOL_BAD;
}

/* Reads before it looks at the clock: an answer that is here is in time,
 * however long nobody came for it.  A TLS record of the server (8 kB) fits
 * libpq's read, so that nothing stays behind in OpenSSL while we sleep. */
static int read_answers(struct session *session, int64_t deadline)
{
    PGconn *pg = session->pg;
    for (;;) {
        if (!PQconsumeInput(pg) || take_answers(session))
            return RPOOL_BAD;
        if (session->answers == 0)
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

int pqp__session_check(void *ctx, void *resource, int64_t idle_ms,
                       int64_t deadline)
{
    (void)ctx;
    (void)idle_ms;
    struct session *session = resource;
    if (!session->pg || session->broken || pqp__role_is_marked(session))
        return RPOOL_BAD;
    int answer = RPOOL_BAD;
    pqp__reading_begin(session);
    if (session->answers > 0 ||
        (read_here(session) == 0 && ask(session, "", NULL) == 0))
        answer = read_answers(session, deadline);
    pqp__reading_end();
    return answer;
}

int pqp__session_look(void *ctx, void *resource)
{
    (void)ctx;
    struct session *session = resource;
    if (!session->pg || session->broken || pqp__role_is_marked(session))
        return RPOOL_BAD;
    int answer = RPOOL_BAD;
    pqp__reading_begin(session);
    if (session->answers > 0)
        answer = read_answers(session, 0);
    else if (read_here(session) == 0)
        answer = finish_check(session);
    pqp__reading_end();
    return answer;
}

/* ---- reset ---- */

/* What a borrower may have set in libpq's own object, and what it may have left
 * there.  0 or -1. */
static int restore(struct session *session)
{
    PGconn *pg = session->pg;
    PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    PQsetErrorContextVisibility(pg, PQSHOW_CONTEXT_ERRORS);
    PQsetNoticeReceiver(pg, receive_notice, session);
    PQsetNoticeProcessor(pg, session->processor, NULL);
    PQuntrace(pg);
    return forget_error(pg);
}

/* What is here already answers nothing that is sent now.  An encoding that was
 * changed costs the session, unless what is sent restores it: is_clean() tells
 * after the answer. */
static int clean(struct session *session, pqp_reset how, int in_transaction)
{
    int failed;
    if (read_here(session))
        return RPOOL_DISCARD;
    if (how == PQP_RESET_DISCARD_ALL)
        failed = in_transaction ? ask(session, "ROLLBACK", "DISCARD ALL")
                                : ask(session, "DISCARD ALL", NULL);
    else if (in_transaction)
        failed = ask(session, "ROLLBACK", NULL);
    else
        return is_clean(session) ? RPOOL_REUSE : RPOOL_DISCARD;
    return failed ? RPOOL_DISCARD : RPOOL_CHECK;
}

/* A rollback sent into an open COPY or an unfinished query would read all of
 * its rows first, so that only a session at rest is asked for anything.  Who
 * neither ran anything nor had the PGconn has left nothing in libpq's object.
 */
int pqp__session_reset(void *ctx, void *resource)
{
    const struct config *config = ctx;
    struct session *session = resource;
    PGconn *pg = session->pg;
    pqp_reset how = config->options.reset;
    int touched = session->touched;
    session->touched = 0;
    if (how == PQP_RESET_CLOSE || session->broken || session->stale || !pg)
        return RPOOL_DISCARD;
    PGTransactionStatusType status = PQtransactionStatus(pg);
    if (!at_rest(pg, status))
        return RPOOL_DISCARD;
    int in_transaction = status != PQTRANS_IDLE;
    if (!touched && how == PQP_RESET_ROLLBACK && !in_transaction)
        return RPOOL_REUSE;
    if (pqp__role_is_marked(session) || (touched && restore(session)))
        return RPOOL_DISCARD;
    pqp__reading_begin(session);
    int answer = clean(session, how, in_transaction);
    pqp__reading_end();
    return answer;
}
