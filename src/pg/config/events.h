/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Events for the application's listener. */
#ifndef PG_CONFIG_EVENTS_H
#define PG_CONFIG_EVENTS_H

#include "pg/config/config.h"

/* Emits an event: fills in its size, the pool's name and empty texts, and calls
 * the listener if the application has set one.  Holds no lock. */
void pqp__event(const struct config *config, const pqp_event *event);

#endif
