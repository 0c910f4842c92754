/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Connecting. */
#ifndef PG_CONNECT_CONNECT_H
#define PG_CONNECT_CONNECT_H

#include "pg/config/config.h"

struct session;

/* Connects in libpq's steps.  NULL and *why on failure.  The notice receiver
 * and the event procedure of `session` are installed before the first byte is
 * read. */
PGconn *pqp__connect(struct config *config, struct session *session,
                     int64_t deadline, int stop_fd, rpool_failure *why);

#endif
