/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The listener of the core's events: adds what the session knows, and emits
 * them as events of the PostgreSQL layer.  The owner of the item calls, without
 * a lock.
 */
#include "pg/listener.h"

#include <assert.h>

#include "pg/config/events.h"
#include "pg/session/session.h"

/* All events of the core are ours too, and only NOTICE is not the core's. */
static const pqp_event_type event_types[] = {
#define XX(name) PQP_EVENT_##name,
    RPOOL_EVENT_MAP(XX)
#undef XX
};

/* A server that ends its sessions, as at a shutdown, also ends those that are
 * leased.  The core sees that such a session fails its reset or its check, but
 * the reason is the server. */
static rpool_reason reason_of(const rpool_event *event)
{
    const struct session *session = event->resource;
    int is_unfit = event->reason == RPOOL_REASON_RESET ||
                   event->reason == RPOOL_REASON_CHECK;
    if (is_unfit && session != NULL &&
        (session->server_ended ||
         (session->pg != NULL && PQstatus(session->pg) != CONNECTION_OK)))
        return RPOOL_REASON_HANGUP;
    return event->reason;
}

void pqp__core_event(void *arg, const rpool_event *event)
{
    assert(event->type < sizeof event_types / sizeof event_types[0]);

    const struct config *config = arg;
    pqp_event ours = {.type = event_types[event->type],
                      .connection = event->item,
                      .ms = event->ms,
                      .reason = rpool_reason_text(reason_of(event)),
                      .message = event->message,
                      .file = event->site.file,
                      .func = event->site.func,
                      .line = event->site.line};

    /* The caller owns the session, so that it may be written to, although the
     * core's event has a const pointer. */
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
