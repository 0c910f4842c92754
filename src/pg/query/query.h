/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reading and checking a pqp_query of the caller. */
#ifndef PG_QUERY_QUERY_H
#define PG_QUERY_QUERY_H

#include <pqpool/pqpool.h>

/* Checks the arguments, and the sizes that the protocol and libpq can carry,
 * before a byte is sent.  Returns OK, or INVALID and *err. */
pqp_status pqp__query_check(const pqp_query *query, int simple, pqp_error *err);

/* Copies the caller's struct, which may have another size, and checks it for
 * the extended protocol.  Returns OK, or INVALID and *err. */
pqp_status pqp__query_read(pqp_query *to, const pqp_query *from,
                           pqp_error *err);

#endif
