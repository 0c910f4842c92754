/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a worker tells the listener for others: leases that are leaks, and what
 * the cleaner has to report.  One worker at a time.
 */
#include "internal.h"

int rpool__may_tell_locked(const struct pool *pool)
{
    return !pool->telling && (pool->to_tell != 0 || !list_empty(&pool->leaks));
}

static const char *next_degraded_locked(struct pool *pool) POOL_LOCKED(pool)
{
    static const char *const texts[] = {
        [STUCK_CREATE] = "a creation is stuck past its deadline",
        [STUCK_CHECK] = "a check is stuck past its deadline",
        [STUCK_DESTROY] = "a destroy is stuck",
        [NO_WORKER] = "cannot start another worker"};
    int what = __builtin_ctz(pool->to_tell);
    pool->to_tell &= pool->to_tell - 1;
    return texts[what];
}

/* The lease that is a leak, if it is one still.  What is read of the slot is of
 * that lease, if the word still is. */
static struct slot *next_leak_locked(struct pool *pool, rpool_event *event)
    POOL_LOCKED(pool)
{
    struct slot *slot = container_of(pool->leaks.next, struct slot, leaking);
    list_remove(&slot->leaking);
    uint64_t serial = atom_load(&slot->leak) & SERIAL_MASK;
    int64_t since = (int64_t)atom_peek(&slot->lent_since);
    *event = (rpool_event){
        .type = RPOOL_EVENT_LEAK,
        .item = atom_load(&slot->number),
        .ms = since == 0 ? 0 : (clock_now() - since) / CLOCK_MS,
        .site = {.file = (const char *)(uintptr_t)atom_load(&slot->file),
                 .func = (const char *)(uintptr_t)atom_load(&slot->func),
                 .line = (int)atom_load(&slot->line)}};
    atom_store(&slot->leak, serial | LEAK_TELLING);
    uint64_t word = atom_load(&slot->word);
    if (word_state(word) == SLOT_LENT && (word & SERIAL_MASK) == serial &&
        since != 0)
        return slot;
    atom_store(&slot->leak, LEAK_NONE);
    return NULL;
}

/* LEAK, and LEAK_RETURNED if the lease has ended meanwhile. */
static void tell_leak(struct pool *pool, struct slot *slot, rpool_event *event)
{
    uint64_t telling = atom_load(&slot->leak);
    int64_t began = clock_now();
    rpool__emit(pool, event);
    if (atom_cas(&slot->leak, &telling, (telling & SERIAL_MASK) | LEAK_TOLD))
        return;
    atom_store(&slot->leak, LEAK_NONE);
    event->type = RPOOL_EVENT_LEAK_RETURNED;
    event->ms += (clock_now() - began) / CLOCK_MS;
    rpool__emit(pool, event);
}

/* One worker at a time. */
void rpool__tell_one_locked(struct pool *pool, struct pool_thread *worker)
{
    rpool_event event = {.type = RPOOL_EVENT_DEGRADED};
    struct slot *slot = NULL;
    if (pool->to_tell != 0)
        event.message = next_degraded_locked(pool);
    else if ((slot = next_leak_locked(pool, &event)) == NULL)
        return;
    pool->telling = 1;
    rpool__begin_telling(pool, worker);
    if (slot != NULL)
        tell_leak(pool, slot, &event);
    else
        rpool__emit(pool, &event);
    lock_take(&pool->lock);
    rpool__end_telling_locked(pool, worker);
    pool->telling = 0;
    rpool__wake_workers_locked(pool);
}
