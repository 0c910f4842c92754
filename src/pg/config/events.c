/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Events on their way to the application.  Called by the owner of the item,
 * holding nothing.
 */
#include "pg/config/events.h"

struct message {
    const pqp_options *options;
    const pqp_event *event;
};

static void tell(void *arg)
{
    const struct message *m = arg;
    m->options->on_event(m->options->arg, m->event);
}

void pqp__event(const struct config *config, const pqp_event *event)
{
    if (config->options.on_event == NULL)
        return;
    pqp_event complete = *event;
    struct message message = {&config->options, &complete};
    complete.size = sizeof complete;
    complete.pool = config->name;
    if (complete.reason == NULL)
        complete.reason = "";
    if (complete.message == NULL)
        complete.message = "";
    if (complete.sqlstate == NULL)
        complete.sqlstate = "";
    rpool_call_listener(config->core, tell, &message);
}
