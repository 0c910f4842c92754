/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Events and failure texts.  Nothing here is called with the mutex held, but
 * rpool__fail, which touches the caller's storage only. */
#include "internal.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>

void rpool__emit(struct pool *pool, rpool_event *event)
{
    if (pool->on_event == NULL)
        return;
    event->size = sizeof *event;
    event->pool = pool->name;
    if (event->message == NULL)
        event->message = "";
    struct inside here;
    rpool__go_in(&here, pool);
    pool->on_event(pool->arg, event);
    rpool__go_out(&here);
}

void rpool__emit_slot(struct pool *pool, const struct slot *slot,
                      rpool_event_type type, int64_t ms)
{
    if (pool->on_event == NULL)
        return;
    rpool__emit(
        pool,
        &(rpool_event){
            .type = type,
            .reason =
                type == RPOOL_EVENT_CLOSED ? slot->reason : RPOOL_REASON_NONE,
            .item = atom_peek(&slot->number),
            .resource = slot_resource(slot),
            .ms = ms,
            .site = {.file = (const char *)(uintptr_t)atom_peek(&slot->file),
                     .func = (const char *)(uintptr_t)atom_peek(&slot->func),
                     .line = (int)atom_peek(&slot->line)}});
}

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

void rpool_misused(rpool *pool_handle, uint64_t number, const char *message)
{
    struct pool *pool = rpool__pool_of((uintptr_t)pool_handle);
    if (pool != NULL && (atom_load(&pool->gate) & GATE_FORKED) == 0)
        rpool__misuse(pool, number, message);
}

void rpool_tell(rpool *pool_handle, void (*tell)(void *arg), void *arg)
{
    struct inside here;
    if (tell == NULL)
        return;
    rpool__go_in(&here, rpool__pool_of((uintptr_t)pool_handle));
    tell(arg);
    rpool__go_out(&here);
}

rpool_status rpool__fail(rpool_failure *why, rpool_status status,
                         const char *format, ...)
{
    if (why == NULL)
        return status;
    *why = (rpool_failure){0};
    struct text text;
    text_init(&text, why->message, sizeof why->message);
    va_list args;
    va_start(args, format);
    text_add_list(&text, format, args);
    va_end(args);
    return status;
}

/* -1: there is none. */
static int64_t oldest_lease_ms(const struct pool *pool)
{
    int64_t now = clock_coarse(), oldest = CLOCK_NEVER;
    for (uint32_t i = 0; i < atom_load(&pool->nslots); i++) {
        const struct slot *slot = pool_slot(pool, i);
        int64_t since = (int64_t)atom_peek(&slot->lent_since);
        if (word_state(atom_load(&slot->word)) == SLOT_LENT && since != 0 &&
            since < oldest)
            oldest = since;
    }
    return oldest == CLOCK_NEVER ? -1 : (now - oldest) / CLOCK_MS;
}

void rpool__explain(struct pool *pool, rpool_failure *why, rpool_status status,
                    int64_t waited_ms)
{
    if (why == NULL)
        return;
    int64_t oldest = oldest_lease_ms(pool);
    struct text text;
    text_init(&text, why->message, sizeof why->message);
    lock_take(&pool->lock);
    int failing = pool_is_failing(pool);
    rpool_failure last = pool->failure;
    int max = pool->max_size, occupied = pool->occupied;
    int creating = pool->creating, closing = pool->leaving;
    int waiting = pool->waiting;
    lock_drop(&pool->lock);
    why->permanent = status == RPOOL_CREATE && last.permanent;
    (void)memcpy(why->code, failing ? last.code : "",
                 failing ? sizeof last.code : 1);
    text_add(&text, "pool \"%s\": %s", pool->name, rpool_strerror(status));
    if (waited_ms >= 0)
        text_add(&text, " after %lld ms", (long long)waited_ms);
    text_add(&text, ": %d of %d there (%d creating, %d closing), %d waiting",
             occupied, max, creating, closing, waiting);
    if (oldest >= 0)
        text_add(&text, ", oldest lease %lld ms", (long long)oldest);
    if (failing)
        text_add(&text, "; last failure%s%s: %s", last.code[0] ? " " : "",
                 last.code, last.message);
}
