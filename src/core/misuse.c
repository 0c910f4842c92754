/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reports of misuse. */
#include "misuse.h"
#include "callout.h"
#include "entry.h"
#include "handle.h"

void rpool__misuse(struct pool *pool, uint64_t item, const char *message)
{
    lock_take(&pool->lock);
    if (!pool_is_open(pool)) {
        lock_drop(&pool->lock);
        return;
    }
    pool->stats.misused++;
    pool->inside++;
    lock_drop(&pool->lock);
    rpool__emit(pool, &(rpool_event){.type = RPOOL_EVENT_MISUSE,
                                     .item = item,
                                     .message = message});
    lock_take(&pool->lock);
    pool->inside--;
    rpool__unlock(pool);
}

void rpool_report_misuse(rpool *pool_handle, uint64_t number,
                         const char *message)
{
    struct pool *pool = rpool__pool_of((uintptr_t)pool_handle);
    if (pool != NULL && (atom_load(&pool->gate) & GATE_FORKED) == 0)
        rpool__misuse(pool, number, message);
}
