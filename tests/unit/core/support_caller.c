/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Callers as coroutines; see the header. */
#include "support_caller.h"

static int turns;

static void call(void *arg)
{
    struct caller *c = arg;
    sim_sleep_ms(c->start_ms);
    c->status = rpool_acquire(c->pool, c->timeout_ms, &c->item, &c->why);
    c->answered = 1;
    c->turn = ++turns;
    c->at_ms = sim_now_ms();
    if (c->status != RPOOL_OK)
        return;
    c->resource = fake_of(c->item)->number;
    if (c->hold_ms == CALLER_KEEPS)
        return;
    sim_sleep_ms(c->hold_ms);
    rpool_release(&c->item);
}

void caller_spawn(struct caller *caller)
{
    caller->id = sim_spawn(call, caller);
}

void caller_start(struct caller *caller)
{
    caller_spawn(caller);
    sim_settle();
}

rpool_status caller_status(const struct caller *caller)
{
    if (!caller->answered)
        sim_fail("a caller was not answered");
    return caller->status;
}

void close_pool(rpool **pool)
{
    rpool_status status = rpool_close(pool, -1);
    if (status != RPOOL_OK)
        sim_fail("close: %s", rpool_strerror(status));
}

void make_idle(rpool *pool, int count)
{
    static rpool_item *items[1024];
    if (count > 1024)
        sim_fail("make_idle() has no room for %d", count);
    for (int i = 0; i < count; i++)
        items[i] = fake_lease(pool);
    for (int i = 0; i < count; i++)
        rpool_release(&items[i]);
}
