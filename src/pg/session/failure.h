/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Errors of the server and of a lost connection. */
#ifndef PG_SESSION_FAILURE_H
#define PG_SESSION_FAILURE_H

#include "pg/config/config.h"

/* Fills *err (NULL allowed) from a result that is an error of the server.  The
 * message is the server's primary message.  Returns LOST if the server ends the
 * session after it, else SERVER. */
pqp_status pqp__fail_result(pqp_error *err, const struct config *config,
                            const PGresult *res);

/* Fills *err (NULL allowed) with LOST and the first line of libpq's error text.
 * pg may be NULL.  Returns LOST. */
pqp_status pqp__fail_lost(pqp_error *err, const struct config *config,
                          const PGconn *pg);

#endif
