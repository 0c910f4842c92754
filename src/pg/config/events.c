/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Calls the application's listener.  The owner of the item calls, without a
 * lock.
 */
#include "pg/config/events.h"

#include <assert.h>

struct listener_call {
    const pqp_options *options;
    const pqp_event *event;
};

static void call_listener(void *arg)
{
    const struct listener_call *call = arg;
    assert(call->event->message != NULL);
    call->options->on_event(call->options->arg, call->event);
}

void pqp__event(const struct config *config, const pqp_event *event)
{
    if (config->options.on_event == NULL)
        return;

    pqp_event complete = *event;
    complete.size = sizeof complete;
    complete.pool = config->name;
    if (complete.reason == NULL)
        complete.reason = "";
    if (complete.message == NULL)
        complete.message = "";
    if (complete.sqlstate == NULL)
        complete.sqlstate = "";

    struct listener_call call = {&config->options, &complete};
    rpool_call_listener(config->core, call_listener, &call);
}
