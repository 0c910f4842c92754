/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_TELL_H
#define CORE_TELL_H

#include "pool.h"

/* Tells the listener of one thing, if it still holds. */
void rpool__report_one_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

#endif
