/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What libpq reports of a session: notices, results of the borrower's own
 * statements, and the end of the PGconn.  libpq calls in the thread of the
 * session's owner; there is no lock.
 */
#include "pg/session/notice.h"

#include <assert.h>
#include <libpq-events.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/base/sqlstate.h"
#include "pg/config/events.h"
#include "pg/config/secrets.h"
#include "pg/session/failover.h"
#include "pg/session/failure.h"

/* The session from which this thread reads inside libpq, for the pool and not
 * for the borrower; NULL if there is none. */
static _Thread_local struct session *reading;

void pqp__reading_begin(struct session *session)
{
    assert(reading == NULL);
    reading = session;
}

void pqp__reading_end(void)
{
    assert(reading != NULL);
    reading = NULL;
}

/* ---- notices ---- */

/* The listener may call libpq on another connection: while it runs, this thread
 * does not read for the pool. */
static void emit_notice(const struct session *session, const PGresult *res)
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
                             .connection = session->item_number,
                             .message = message,
                             .sqlstate = code};
    struct session *outer = reading;
    reading = NULL;
    pqp__event(config, &event);
    reading = outer;
}

/* Returns whether libpq made the notice itself.  Such a notice has no SQLSTATE
 * but the untranslated severity.  Poolers that send no SQLSTATE do not send
 * that severity either. */
static int is_of_libpq(const PGresult *res)
{
    return !PQresultErrorField(res, PG_DIAG_SQLSTATE) &&
           PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
}

/*
 * A notice is libpq's own or the server's.
 *
 * Every PGresult keeps a copy of this receiver and of `arg`.  It calls it when
 * the application asks for a row that it does not have, and it may outlive the
 * session.  So `arg` must not be followed for a notice of libpq.  While the
 * pool reads, no result is asked for rows: then a notice of libpq means that it
 * drops a message, and client and server no longer agree on which answer
 * belongs to which question.
 *
 * A notice of the server has just come over the connection, so that the session
 * exists.
 */
static void receive_notice(void *arg, const PGresult *res)
{
    struct session *session = arg;
    if (is_of_libpq(res)) {
        if (reading == session)
            reading->broken = 1;
        return;
    }

    /* On an idle connection the message with which a server ends a session
     * arrives as a notice, and PQstatus() remains OK.  An error that answers no
     * statement arrives in the same way. */
    const char *severity = pqp__severity(res);
    if (pqp__is_fatal(severity)) {
        session->broken = session->server_ended = 1;
        if (session->tx_error.status == PQP_OK)
            (void)pqp__fail_result(&session->tx_error, session->config, res);
    }
    if (strcmp(severity, "ERROR") == 0)
        session->broken = 1;
    emit_notice(session, res);
}

/* ---- libpq's events ---- */

static void emit_misuse(const struct session *session, const char *message)
{
    if (session->config)
        rpool_report_misuse(session->config->core, session->item_number,
                            message);
}

/* Keeps the first error of the transaction, also if the borrower ran the
 * statement with libpq.  A success ends the series of errors: only a
 * transaction that is well, or a roll-back, has one.  An error without an
 * SQLSTATE is libpq's, not the server's. */
static void note_result(struct session *session, const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (session->in_statement || !session->config)
        return;

    if (pqp__sqlstate_class(sqlstate) & PQP__READ_ONLY)
        pqp__role_mark(session);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        session->tx_error.status = PQP_OK;
    else if (status == PGRES_FATAL_ERROR &&
             session->tx_error.status == PQP_OK && sqlstate)
        (void)pqp__fail_result(&session->tx_error, session->config, res);
}

/* The session lives at least as long as the connection, and results may live
 * longer.  So `arg` is followed for events of the connection only.  A result
 * may be announced with another connection, or with none, if it is a copy. */
static int on_libpq_event(PGEventId id, void *info, void *arg)
{
    struct session *session = arg;

    if (id == PGEVT_RESULTCREATE) {
        const PGEventResultCreate *created = info;
        struct session *owner = PQinstanceData(created->conn, on_libpq_event);
        if (owner)
            note_result(owner, created->result);
    } else if (id == PGEVT_CONNRESET) {
        session->broken = 1; /* it is another session now */
        emit_misuse(session, "PQreset() was called on a leased connection");
    } else if (id == PGEVT_CONNDESTROY) {
        if (session->pg) /* the borrower called, not pqp__session_destroy() */
            emit_misuse(session,
                        "PQfinish() was called on a leased connection");
        session->pg = NULL;
        if (!session->config) /* detached: this was the last pointer to it */
            free(session);
    }
    return 1;
}

/* ---- install and remove ---- */

int pqp__session_listen(void *arg, PGconn *pg)
{
    struct session *session = arg;
    assert(session && pg);

    session->receiver = PQsetNoticeReceiver(pg, receive_notice, session);
    session->processor = PQsetNoticeProcessor(pg, NULL, NULL);
    return PQregisterEventProc(pg, on_libpq_event, "pqpool", session) &&
                   PQsetInstanceData(pg, on_libpq_event, session)
               ? 0
               : -1;
}

void pqp__notice_restore(struct session *session)
{
    assert(session->pg);

    PQsetNoticeReceiver(session->pg, receive_notice, session);
    PQsetNoticeProcessor(session->pg, session->processor, NULL);
}

void pqp__notice_unlisten(const struct session *session)
{
    assert(session->pg);

    /* A call with NULL changes nothing and returns the receiver of now. */
    if (PQsetNoticeReceiver(session->pg, NULL, NULL) == receive_notice)
        PQsetNoticeReceiver(session->pg, session->receiver, NULL);
}
