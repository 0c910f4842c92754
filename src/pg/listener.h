/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The listener of the core's events. */
#ifndef PG_LISTENER_H
#define PG_LISTENER_H

#include <pqpool/rpool.h>

/* Translates an event of the core and emits it.  arg is the struct config. */
void pqp__core_event(void *arg, const rpool_event *event);

#endif
