/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Events on their way to the application.  Called by the owner of the item,
 * holding nothing.
 */
#include "pg/config/events.h"

struct listener_call {
    const pqp_options *options;
    const pqp_event *event;
};

static void call_listener(void *arg)
{
    const struct listener_call *m = arg;
    m->options->on_event(m->options->arg, m->event);
}

void pqp__event(const struct config *config, const pqp_event *event)
{
    if (config->options.on_event == NULL)
        return;
    pqp_event complete = *event;
    struct listener_call message = {&config->options, &complete};
    complete.size = sizeof complete;
    complete.pool = config->name;
    if (complete.reason == NULL)
        complete.reason = "";
    if (complete.message == NULL)
        complete.message = "";
    if (complete.sqlstate == NULL)
        complete.sqlstate = "";
    rpool_call_listener(config->core, call_listener, &message);
}
