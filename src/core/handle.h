/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Handles, and the table of cells.
 *
 * A handle names a cell of the table, and for an item also a slot.  Cells and
 * slots are never freed, so a handle of any age finds words to compare with.
 */
#ifndef CORE_HANDLE_H
#define CORE_HANDLE_H

#include "pool.h"

extern struct atom rpool__cells[CELL_MASK + 1] /* struct pool *, from 1 */
    __attribute__((visibility("hidden")));

/* Returns the pool in the cell that the handle names, which may be another pool
 * than the handle's; NULL if the cell has never been used. */
static inline struct pool *rpool__pool_of(uint64_t handle)
{
    return (struct pool *)(uintptr_t)atom_load(
        &rpool__cells[handle & CELL_MASK]);
}

/* Returns the slot that the item's handle names; NULL if the pool has never had
 * so many slots.  *pool becomes that of rpool__pool_of(). */
static inline struct slot *rpool__slot_of(uint64_t handle, struct pool **pool)
{
    uint32_t index = (uint32_t)(handle >> CELL_BITS) & SLOT_MASK;
    *pool = rpool__pool_of(handle);
    if (*pool == NULL || index >= atom_load(&(*pool)->slots.count))
        return NULL;
    return pool_slot(*pool, index);
}

/* Takes a cell without a pool for the caller and stores it in *out.  Returns
 * RPOOL_NOMEM or RPOOL_BUSY if there is none. */
rpool_status rpool__cell_take(struct pool **out, rpool_failure *why);

/* The next rpool_open() may take the cell. */
void rpool__cell_free(struct pool *pool);

/* Releases the name and the descriptors of a pool. */
void rpool__cell_close_files(struct pool *pool);

/* Has fork() mark all pools in the child.  Returns 0, or an errno value. */
int rpool__fork_guard(void);

/* Returns a serial that no pool of the process has had. */
uint64_t rpool__next_serial(void);

#endif
