/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "pool.h"

/* Writes into *why, which may be NULL, why an acquire or a wait has failed.
 * waited_ms is negative for rpool_wait() and for a try-acquire.  Lock: not
 * held.
 */
void rpool__explain(struct pool *pool, rpool_failure *why, rpool_status status,
                    int64_t waited_ms);

#endif
