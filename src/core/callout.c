/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Calls of the provider and of the listener. */
#include "callout.h"
#include "handle.h"

const char rpool__in_callout_text[] =
    "a call inside a callback of the pool would wait for that callback";

int rpool__in_callout(const struct pool *pool)
{
    const struct callout *at = thread_memo()->callout;
    while (at != NULL && at->pool != pool)
        at = at->outer;
    return at != NULL;
}

void rpool__emit(struct pool *pool, rpool_event *event)
{
    if (pool->on_event == NULL)
        return;
    event->size = sizeof *event;
    event->pool = pool->name;
    if (event->message == NULL)
        event->message = "";
    struct callout here;
    rpool__callout_begin(&here, pool);
    pool->on_event(pool->on_event_arg, event);
    rpool__callout_end(&here);
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

void rpool_call_listener(rpool *pool_handle, void (*tell)(void *arg), void *arg)
{
    struct callout here;
    if (tell == NULL)
        return;
    rpool__callout_begin(&here, rpool__pool_of((uintptr_t)pool_handle));
    tell(arg);
    rpool__callout_end(&here);
}

static int call_fd(const struct pool *pool, const struct slot *slot)
{
    struct callout here;
    rpool__callout_begin(&here, pool);
    int fd = pool->provider.fd(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
    return fd;
}

void rpool__unwatch(struct pool *pool, struct slot *slot)
{
    if (slot->fd >= 0 && call_fd(pool, slot) == slot->fd)
        watch_remove(&pool->watch, slot->fd);
}

/* Not 0: it should be watched, and cannot be. */
int rpool__watch_slot(struct pool *pool, struct slot *slot)
{
    int fd = pool->provider.fd == NULL ? -1 : call_fd(pool, slot);
    if (fd < 0)
        return 0;
    uint64_t token = atom_peek(&slot->number) << SLOT_BITS | slot->index;
    if (watch_add(&pool->watch, fd, token) != 0)
        return 1;
    slot->fd = fd;
    return 0;
}

void rpool__call_destroy(struct pool *pool, struct slot *slot)
{
    rpool__unwatch(pool, slot);
    struct callout here;
    rpool__callout_begin(&here, pool);
    pool->provider.destroy(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
}

/* Of the provider's answers one that is bad makes all items that were idle then
 * suspect: they are pinged before they are leased, whatever their age. */
static int note_verdict(struct pool *pool, int verdict)
{
    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        atom_put(&pool->rules.suspect, (uint64_t)clock_now());
    return verdict;
}

int rpool__call_check(struct pool *pool, struct slot *slot, int64_t deadline)
{
    if (pool->provider.check == NULL)
        return RPOOL_GOOD;
    int64_t now = clock_now();
    int64_t idle = now - (int64_t)atom_peek(&slot->idle_since);
    atom_put(&slot->checks, atom_peek(&slot->checks) + 1);
    struct callout here;
    rpool__callout_begin(&here, pool);
    int verdict = pool->provider.check(pool->ctx, slot_resource(slot),
                                       idle / CLOCK_MS, deadline);
    rpool__callout_end(&here);
    if (verdict ==
        RPOOL_GOOD) /* not the coarse time: it may be before suspect */
        atom_put(&slot->proven, (uint64_t)clock_now());
    return note_verdict(pool, verdict);
}

int rpool__call_look(struct pool *pool, struct slot *slot)
{
    if (pool->provider.look == NULL)
        return rpool__call_check(pool, slot, 0);
    struct callout here;
    rpool__callout_begin(&here, pool);
    int verdict = pool->provider.look(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
    return note_verdict(pool, verdict);
}

int rpool__call_reset(struct pool *pool, struct slot *slot)
{
    struct callout here;
    rpool__callout_begin(&here, pool);
    int verdict = pool->provider.reset(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
    return verdict;
}

/* The thread is a worker, and so in a callback of the pool all the time. */
int rpool__call_create(struct pool *pool, int64_t deadline, void **resource,
                       rpool_failure *why)
{
    return pool->provider.create(pool->ctx, deadline, pool->stop_fd, resource,
                                 why);
}

void rpool__call_done(struct pool *pool)
{
    if (pool->provider.done != NULL)
        pool->provider.done(pool->ctx);
}
