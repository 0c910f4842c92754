/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_CHUNK_H
#define CORE_CHUNK_H

#include "pool.h"

/* Makes room for so many slots; the new ones are put into *fresh, which is an
 * initialised list, for rpool__add_locked.  Not 0: no memory.  Lock: not held.
 * Thread: one, of those that open or resize. */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh);
/* The pool has so many slots, if it had not before. */
void rpool__add_locked(struct pool *pool, uint32_t nslots, struct list *fresh)
    POOL_LOCKED(pool);

#endif
