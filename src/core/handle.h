/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_HANDLE_H
#define CORE_HANDLE_H

#include "pool.h"

extern struct atom rpool__cells[CELL_MASK + 1] /* handle.c */
    __attribute__((visibility("hidden")));

/* NULL: no such shell. */
static inline struct pool *rpool__pool_of(uint64_t handle)
{
    return (struct pool *)(uintptr_t)atom_load(
        &rpool__cells[handle & CELL_MASK]);
}

/* NULL: there never was such a slot. */
static inline struct slot *rpool__slot_of(uint64_t handle, struct pool **pool)
{
    uint32_t index = (uint32_t)(handle >> CELL_BITS) & SLOT_MASK;
    *pool = rpool__pool_of(handle);
    if (*pool == NULL || index >= atom_load(&(*pool)->slots.count))
        return NULL;
    return pool_slot(*pool, index);
}

/* handle.c */
rpool_status rpool__cell_take(struct pool **out, rpool_failure *why);
void rpool__cell_free(struct pool *pool);
int rpool__fork_guard(void);
uint64_t rpool__next_serial(void);
void rpool__cell_close_files(struct pool *pool);

#endif
