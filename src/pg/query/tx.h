/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Beginning a transaction on a session. */
#ifndef PG_QUERY_TX_H
#define PG_QUERY_TX_H

#include "pg/session/session.h"

/* Copies the caller's struct, which may have another size (NULL: all defaults),
 * and checks it.  Returns OK, or INVALID and *err. */
pqp_status pqp__tx_read(pqp_tx *to, const pqp_tx *from, pqp_error *err);

/* Sends BEGIN and reads the answer, until the deadline (a time of rpool_now()).
 * The caller has begun a use of the lease. */
pqp_status pqp__tx_begin(struct session *session, const pqp_tx *tx,
                         int64_t deadline, pqp_error *err);

#endif
