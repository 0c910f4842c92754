/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The listener of the core. */
#ifndef PG_LISTENER_H
#define PG_LISTENER_H

#include <pqpool/rpool.h>

/* Passes an event of the core on to the application's listener.  arg is the
 * config. */
void pqp__core_event(void *arg, const rpool_event *event);

#endif
