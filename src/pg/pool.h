/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The core's handles and statuses, and ours. */
#ifndef PG_POOL_H
#define PG_POOL_H

#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>

/* A pqp_pool is the core's rpool, and a pqp_conn its rpool_item, by value. */
static inline rpool *pqp__core_of(const pqp_pool *pool)
{
    return (rpool *)(uintptr_t)pool;
}

static inline rpool_item *pqp__item_of(const pqp_conn *conn)
{
    return (rpool_item *)(uintptr_t)conn;
}

/* Returns our status for one of the core. */
pqp_status pqp__status_of(rpool_status status);

/* Makes *why empty before it is given to the core. */
static inline void pqp__failure_clear(rpool_failure *why)
{
    why->code[0] = why->message[0] = '\0';
}

/* Fills *err (NULL allowed) from the core's status and its failure, or with
 * success.  Returns our status. */
pqp_status pqp__error_of_core(pqp_error *err, rpool_status status,
                              const rpool_failure *why);

#endif
