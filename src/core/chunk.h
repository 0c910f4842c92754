/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_CHUNK_H
#define CORE_CHUNK_H

#include "pool.h"

/*
 * Makes memory for that many slots, and puts the slots that the pool does not
 * have yet into *fresh, an initialised list.  Returns 0, or -1 if there is no
 * memory.  Lock: not held.  Thread: the one that opens or resizes the pool.
 */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh);

/* Adds the slots of rpool__grow() to the pool. */
void rpool__add_locked(struct pool *pool, uint32_t nslots, struct list *fresh)
    POOL_LOCKED(pool);

#endif
