/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Calls of the provider and of the listener. */
#include "callout.h"
#include "handle.h"

const char rpool__inside_text[] =
    "a call inside a callback of the pool would wait for that callback";

int rpool__is_inside(const struct pool *pool)
{
    const struct inside *at = thread_memo()->inside;
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

void rpool_call_listener(rpool *pool_handle, void (*tell)(void *arg), void *arg)
{
    struct inside here;
    if (tell == NULL)
        return;
    rpool__go_in(&here, rpool__pool_of((uintptr_t)pool_handle));
    tell(arg);
    rpool__go_out(&here);
}

static int fd_of(const struct pool *pool, const struct slot *slot)
{
    struct inside here;
    rpool__go_in(&here, pool);
    int fd = pool->provider.fd(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
    return fd;
}

void rpool__unwatch(struct pool *pool, struct slot *slot)
{
    if (slot->fd >= 0 && fd_of(pool, slot) == slot->fd)
        watch_remove(&pool->watch, slot->fd);
}

/* Not 0: it should be watched, and cannot be. */
int rpool__watch_slot(struct pool *pool, struct slot *slot)
{
    int fd = pool->provider.fd == NULL ? -1 : fd_of(pool, slot);
    if (fd < 0)
        return 0;
    uint64_t token = atom_peek(&slot->number) << SLOT_BITS | slot->index;
    if (watch_add(&pool->watch, fd, token) != 0)
        return 1;
    slot->fd = fd;
    return 0;
}

void rpool__destroy(struct pool *pool, struct slot *slot)
{
    rpool__unwatch(pool, slot);
    struct inside here;
    rpool__go_in(&here, pool);
    pool->provider.destroy(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
}

/* Of the provider's answers one that is bad makes all items that were idle then
 * suspect: they are pinged before they are leased, whatever their age. */
static int judge(struct pool *pool, int verdict)
{
    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        atom_put(&pool->suspect, (uint64_t)clock_now());
    return verdict;
}

int rpool__run_check(struct pool *pool, struct slot *slot, int64_t deadline)
{
    if (pool->provider.check == NULL)
        return RPOOL_GOOD;
    int64_t now = clock_now();
    int64_t idle = now - (int64_t)atom_peek(&slot->idle_since);
    atom_put(&slot->checks, atom_peek(&slot->checks) + 1);
    struct inside here;
    rpool__go_in(&here, pool);
    int verdict = pool->provider.check(pool->ctx, slot_resource(slot),
                                       idle / CLOCK_MS, deadline);
    rpool__go_out(&here);
    if (verdict ==
        RPOOL_GOOD) /* not the coarse time: it may be before suspect */
        atom_put(&slot->proven, (uint64_t)clock_now());
    return judge(pool, verdict);
}

int rpool__run_look(struct pool *pool, struct slot *slot)
{
    if (pool->provider.look == NULL)
        return rpool__run_check(pool, slot, 0);
    struct inside here;
    rpool__go_in(&here, pool);
    int verdict = pool->provider.look(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
    return judge(pool, verdict);
}

int rpool__run_reset(struct pool *pool, struct slot *slot)
{
    struct inside here;
    rpool__go_in(&here, pool);
    int verdict = pool->provider.reset(pool->ctx, slot_resource(slot));
    rpool__go_out(&here);
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
