/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The core's listener: passes its events on as ours, with what is known of the
 * session.  Called by the owner of the item, holding nothing.
 */
#include "pg/listener.h"

#include "pg/config/events.h"
#include "pg/session/session.h"

/* The core's events, in the core's order, are ours but for NOTICE. */
static const pqp_event_type event_types[] = {
#define XX(name) PQP_EVENT_##name,
    RPOOL_EVENT_MAP(XX)
#undef XX
};

/* A server that ends sessions, as at a shutdown, ends also those that are
 * leased: the core sees them fail their reset or check first. */
static rpool_reason reason_of(const rpool_event *event)
{
    const struct session *session = event->resource;
    int unfit = event->reason == RPOOL_REASON_RESET ||
                event->reason == RPOOL_REASON_CHECK;
    if (unfit && session != NULL &&
        (session->server_ended ||
         (session->pg != NULL && PQstatus(session->pg) != CONNECTION_OK)))
        return RPOOL_REASON_HANGUP;
    return event->reason;
}

void pqp__core_event(void *arg, const rpool_event *event)
{
    const struct config *config = arg;
    pqp_event ours = {.type = event_types[event->type],
                      .connection = event->item,
                      .ms = event->ms,
                      .reason = rpool_reason_text(reason_of(event)),
                      .message = event->message,
                      .file = event->site.file,
                      .func = event->site.func,
                      .line = event->site.line};
    /* Whoever tells us of a session owns it now; the core says const for
     * those who only look. */
    struct session *session = (struct session *)(uintptr_t)event->resource;
    if (session != NULL) {
        session->item_number = event->item;
        ours.backend_pid = session->pid;
    }
    if (event->failure != NULL) {
        ours.sqlstate = event->failure->code;
        if (ours.message == NULL || ours.message[0] == '\0')
            ours.message = event->failure->message;
    }
    pqp__event(config, &ours);
}
