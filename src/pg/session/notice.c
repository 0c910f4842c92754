/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What libpq tells of a session: notices, results of the borrower, and the end
 * of the PGconn.  Called by the owner of the session; no lock.
 */
#include "pg/session/notice.h"

#include <libpq-events.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/base/sqlstate.h"
#include "pg/config/events.h"
#include "pg/config/secrets.h"
#include "pg/session/failover.h"
#include "pg/session/failure.h"

/* The session that this thread reads from, in libpq and for us; else NULL. */
static _Thread_local struct session *reading;

/* What the listener does in libpq is not our reading. */
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
    const char *severity = pqp__severity(res);
    /* The last words of a server arrive as a notice on an idle connection,
     * and PQstatus() goes on saying that all is well.  So does an error that
     * answers nothing. */
    if (pqp__is_fatal(severity)) {
        session->broken = session->server_ended = 1;
        if (session->tx_error.status == PQP_OK)
            (void)pqp__fail_result(&session->tx_error, session->config, res);
    }
    if (strcmp(severity, "ERROR") == 0)
        session->broken = 1;
    emit_notice(session, res);
}

static void emit_misuse(const struct session *session, const char *message)
{
    if (session->config)
        rpool_report_misuse(session->config->core, session->item_number,
                            message);
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
        session->tx_error.status = PQP_OK;
    else if (status == PGRES_FATAL_ERROR &&
             session->tx_error.status == PQP_OK && sqlstate)
        (void)pqp__fail_result(&session->tx_error, session->config, res);
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
        emit_misuse(session, "PQreset() of a connection that is leased");
    }
    if (id == PGEVT_CONNDESTROY) {
        if (session->pg) /* not by us */
            emit_misuse(session, "PQfinish() of a connection that is leased");
        session->pg = NULL;
        if (!session->config) /* detached: nobody else knows of it */
            free(session);
    }
    return 1;
}

int pqp__session_listen(void *arg, PGconn *pg)
{
    struct session *session = arg;
    session->receiver = PQsetNoticeReceiver(pg, receive_notice, session);
    session->processor = PQsetNoticeProcessor(pg, NULL, NULL);
    return PQregisterEventProc(pg, on_libpq_event, "pqpool", session) &&
                   PQsetInstanceData(pg, on_libpq_event, session)
               ? 0
               : -1;
}

void pqp__notice_restore(struct session *session)
{
    PQsetNoticeReceiver(session->pg, receive_notice, session);
    PQsetNoticeProcessor(session->pg, session->processor, NULL);
}

void pqp__notice_unlisten(const struct session *session)
{
    if (PQsetNoticeReceiver(session->pg, NULL, NULL) == receive_notice)
        PQsetNoticeReceiver(session->pg, session->receiver, NULL);
}
