/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The only file that calls the provider and the listener. */
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

/* ---- the listener ---- */

void rpool__emit(struct pool *pool, rpool_event *event)
{
    if (pool->on_event == NULL)
        return;
    assert(pool->name != NULL);
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
    if (tell == NULL)
        return;
    struct callout here;
    rpool__callout_begin(&here, rpool__pool_of((uintptr_t)pool_handle));
    tell(arg);
    rpool__callout_end(&here);
}

/* ---- the provider ---- */

/* The calling thread is a worker, which is in a callout all the time. */
int rpool__call_create(struct pool *pool, int64_t deadline, void **resource,
                       rpool_failure *why)
{
    assert(rpool__in_callout(pool));
    return pool->provider.create(pool->ctx, deadline, pool->stop_fd, resource,
                                 why);
}

/* A bad item makes all items suspect that are idle now: each is pinged before
 * its next lease, however recently it was proven. */
static int note_verdict(struct pool *pool, int verdict)
{
    if (verdict != RPOOL_GOOD && verdict != RPOOL_AGAIN)
        atom_put(&pool->rules.suspect, (uint64_t)clock_now());
    return verdict;
}

int rpool__call_check(struct pool *pool, struct slot *slot, int64_t deadline)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CHECKING);
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

    /* The coarse clock is behind: it could give a time before `suspect`. */
    if (verdict == RPOOL_GOOD)
        atom_put(&slot->proven, (uint64_t)clock_now());
    return note_verdict(pool, verdict);
}

int rpool__call_look(struct pool *pool, struct slot *slot)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CHECKING);
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
    assert(word_state(atom_peek(&slot->word)) == SLOT_RETURNING);
    struct callout here;
    rpool__callout_begin(&here, pool);
    int verdict = pool->provider.reset(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
    return verdict;
}

void rpool__call_destroy(struct pool *pool, struct slot *slot)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CLOSING);
    rpool__unwatch(pool, slot);

    struct callout here;
    rpool__callout_begin(&here, pool);
    pool->provider.destroy(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
}

void rpool__call_done(struct pool *pool)
{
    assert(!pool_is_open(pool));
    if (pool->provider.done != NULL)
        pool->provider.done(pool->ctx);
}

/* ---- the watched descriptor ---- */

static int call_fd(const struct pool *pool, const struct slot *slot)
{
    struct callout here;
    rpool__callout_begin(&here, pool);
    int fd = pool->provider.fd(pool->ctx, slot_resource(slot));
    rpool__callout_end(&here);
    return fd;
}

int rpool__watch_slot(struct pool *pool, struct slot *slot)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CREATING);
    int fd = pool->provider.fd == NULL ? -1 : call_fd(pool, slot);
    if (fd < 0)
        return 0;

    uint64_t token = atom_peek(&slot->number) << SLOT_BITS | slot->index;
    if (watch_add(&pool->watch, fd, token) != 0)
        return 1;
    slot->fd = fd;
    return 0;
}

/* If the borrower has closed the descriptor, the kernel no longer watches it,
 * and its number may belong to another connection.  The provider then returns
 * another number. */
void rpool__unwatch(struct pool *pool, struct slot *slot)
{
    if (slot->fd >= 0 && call_fd(pool, slot) == slot->fd)
        watch_remove(&pool->watch, slot->fd);
}
