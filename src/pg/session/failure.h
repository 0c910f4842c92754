/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The errors of a server and of a lost connection. */
#ifndef PG_SESSION_FAILURE_H
#define PG_SESSION_FAILURE_H

#include "pg/config/config.h"

/* The error of a result that the server sent: SERVER or LOST, with SQLSTATE and
 * flags.  The message is the primary message. */
pqp_status pqp__fail_result(pqp_error *err, const struct config *config,
                            const PGresult *res);

/* LOST, with the first line of libpq's text. */
pqp_status pqp__fail_lost(pqp_error *err, const struct config *config,
                          const PGconn *pg);

#endif
