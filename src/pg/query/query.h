/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reading a pqp_query of the caller. */
#ifndef PG_QUERY_QUERY_H
#define PG_QUERY_QUERY_H

#include <pqpool/pqpool.h>

/* Finds arguments that are wrong, and sizes that the protocol or libpq cannot
 * carry, before a byte is sent.  Returns OK or INVALID. */
pqp_status pqp__query_check(const pqp_query *query, int simple, pqp_error *err);

/* Copies the caller's struct, of whatever size it has, and checks it. */
pqp_status pqp__query_read(pqp_query *to, const pqp_query *from,
                           pqp_error *err);

#endif
