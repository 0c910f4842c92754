/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_CLOSE_H
#define CORE_CLOSE_H

#include "pool.h"

/* Closes the gate for ever: no acquire succeeds from now on, waiters are
 * refused and idle items are closed. */
void rpool__begin_close_locked(struct pool *pool) POOL_LOCKED(pool);

#endif
