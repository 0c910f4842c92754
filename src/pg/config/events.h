/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Events for the application's listener. */
#ifndef PG_CONFIG_EVENTS_H
#define PG_CONFIG_EVENTS_H

#include "pg/config/config.h"

/* Completes the event with its size and the pool's name, and calls the listener
 * of the config if there is one. */
void pqp__event(const struct config *config, const pqp_event *event);

#endif
