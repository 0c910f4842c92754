/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_EXPLAIN_H
#define CORE_EXPLAIN_H

#include "pool.h"

/* Why an acquire got nothing. */
void rpool__explain(struct pool *pool, rpool_failure *why, rpool_status status,
                    int64_t waited_ms);

#endif
