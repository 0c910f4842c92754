/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Events that a worker emits for the cleaner: leases that are leaks, and
 * workers that are stuck or missing.  One worker emits one at a time. */
#include "report.h"
#include "callout.h"
#include "entry.h"
#include "jobs.h"
#include "stuck.h"

static const char *next_degraded_locked(struct pool *pool) POOL_LOCKED(pool)
{
    static const char *const texts[] = {
        [STUCK_CREATE] = "a creation is stuck past its deadline",
        [STUCK_CHECK] = "a check is stuck past its deadline",
        [STUCK_DESTROY] = "a destroy is stuck",
        [NO_WORKER] = "cannot start another worker"};
    assert(pool->reports.degraded != 0);
    int what = __builtin_ctz(pool->reports.degraded);
    pool->reports.degraded &= pool->reports.degraded - 1;
    return texts[what];
}

/* Takes the first slot out of the list of leaks and fills in the event.
 * Returns 0 if the lease has ended meanwhile.  The fields of the slot are read
 * before its word: if the word is still that of the lease, the fields are. */
static int next_leak_locked(struct pool *pool, struct slot **slot,
                            uint64_t *serial, rpool_event *event)
    POOL_LOCKED(pool)
{
    assert(!list_empty(&pool->lists.leaks));
    struct slot *at =
        container_of(pool->lists.leaks.next, struct slot, leak_node);
    list_remove(&at->leak_node);
    *slot = at;
    *serial = atom_load(&at->leak) & SERIAL_MASK;
    int64_t since = (int64_t)atom_peek(&at->leased_since);
    *event = (rpool_event){
        .type = RPOOL_EVENT_LEAK,
        .item = atom_load(&at->number),
        .ms = since == 0 ? 0 : (clock_now() - since) / CLOCK_MS,
        .site = {.file = (const char *)(uintptr_t)atom_load(&at->file),
                 .func = (const char *)(uintptr_t)atom_load(&at->func),
                 .line = (int)atom_load(&at->line)}};

    atom_store(&at->leak, *serial | LEAK_REPORTING);
    uint64_t word = atom_load(&at->word);
    if (word_state(word) == SLOT_LEASED && (word & SERIAL_MASK) == *serial &&
        since != 0)
        return 1;
    atom_store(&at->leak, LEAK_NONE);
    return 0;
}

/* Emits LEAK, and LEAK_RETURNED if the lease has ended meanwhile.  A later
 * lease of the slot may be a leak by then; its mark is left alone. */
static void report_leak(struct pool *pool, struct slot *slot, uint64_t serial,
                        rpool_event *event)
{
    int64_t began = clock_now();
    rpool__emit(pool, event);

    uint64_t leak = serial | LEAK_REPORTING;
    if (atom_cas(&slot->leak, &leak, serial | LEAK_REPORTED))
        return;
    if (leak == (serial | LEAK_ENDED))
        (void)atom_cas(&slot->leak, &leak, LEAK_NONE);
    event->type = RPOOL_EVENT_LEAK_RETURNED;
    event->ms += (clock_now() - began) / CLOCK_MS;
    rpool__emit(pool, event);
}

void rpool__report_one_locked(struct pool *pool, struct pool_thread *worker)
{
    assert(!pool->reports.running);
    rpool_event event = {.type = RPOOL_EVENT_DEGRADED};
    struct slot *slot = NULL;
    uint64_t serial = 0;
    if (pool->reports.degraded != 0)
        event.message = next_degraded_locked(pool);
    else if (!next_leak_locked(pool, &slot, &serial, &event))
        return;

    pool->reports.running = 1;
    rpool__begin_listener_locked(pool, worker);
    rpool__unlock_for_job(pool);
    if (slot != NULL)
        report_leak(pool, slot, serial, &event);
    else
        rpool__emit(pool, &event);
    lock_take(&pool->lock);
    rpool__end_listener_locked(pool, worker);
    pool->reports.running = 0;
    rpool__wake_workers_locked(pool);
}
