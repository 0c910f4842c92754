/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Making a new connection. */
#ifndef PG_CONNECT_CONNECT_H
#define PG_CONNECT_CONNECT_H

#include "pg/config/config.h"
#include "pg/config/settings.h"

/* What the caller asks for. */
struct connect_request {
    struct config *config;
    /* Called with arg and each new connection before its first byte is read, to
     * install a notice receiver and an event procedure.  Returns 0, or -1 for
     * want of memory. */
    int (*listen)(void *arg, PGconn *pg);
    void *arg;
    int64_t deadline; /* for all addresses; a time of rpool_now() */
    int stop_fd;      /* becomes readable when the pool closes; -1: none */
};

/* Connects to the first address that accepts.  Sets *role to the role that the
 * settings ask of the server.  Returns the connection, or NULL and *why. */
PGconn *pqp__connect(const struct connect_request *request, enum role *role,
                     rpool_failure *why);

#endif
