/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reports of misuse. */
#include "misuse.h"
#include "callout.h"
#include "entry.h"
#include "handle.h"

void rpool__misuse(struct pool *pool, uint64_t number, const char *message)
{
    lock_take(&pool->lock);
    if (!pool_is_open(pool)) {
        rpool__unlock_quietly(pool);
        return;
    }
    pool->stats.misused++;
    pool->refs++;
    rpool__unlock_quietly(pool);

    rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_MISUSE,
                                     .item = number,
                                     .message = message});
    lock_take(&pool->lock);
    rpool__leave_and_drain(pool);
}

void rpool_report_misuse(rpool *pool_handle, uint64_t number,
                         const char *message)
{
    struct pool *pool = rpool__pool_of((uintptr_t)pool_handle);
    if (pool != NULL && (atom_load(&pool->gate) & GATE_FORKED) == 0)
        rpool__misuse(pool, number, message);
}
