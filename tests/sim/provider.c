/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The provider and the listener of a run.  They fail as the script says, and
 * check each resource from its creation to its end.
 */
#include "world.h"

#include "base/sched.h"

#include <stdio.h>
#include <stdlib.h>

enum roll {
    ROLL_FAIL,
    ROLL_PERMANENT,
    ROLL_NULL,
    ROLL_HANG,
    ROLL_BAD,
    ROLL_LATE,
    ROLL_DISCARD,
    ROLL_CHECK,
    ROLL_SLOW,
    ROLL_HOOK,
    ROLL_CALL,
    ROLL_MS
};

static uint64_t number(enum roll kind)
{
    return script_hash(world.script->seed, 100 + kind, world.rolls[kind]++);
}

static int roll(enum roll kind, int permille)
{
    return number(kind) % 1000 < (uint64_t)permille && !world.healthy;
}

/* Returns the time until which a call lasts. */
static int64_t some_time(void)
{
    const struct misfortune *m = &world.script->misfortune;
    int64_t now = clock_now();
    if (!roll(ROLL_SLOW, m->slow))
        return now;
    return now +
           (1 + (int64_t)(number(ROLL_MS) % (uint64_t)m->slow_ms)) * CLOCK_MS;
}

static struct thing *enter(void *ctx, void *resource, const char *call,
                           int leased)
{
    struct thing *t = resource;
    if (sim_locks_held() > 0)
        sim_fail("%s is called with a lock held", call);
    if (t->era != ctx)
        sim_fail("%s of another pool's resource %d", call, t->number);
    if (t->gone || (t->detached && leased >= 0))
        sim_fail("%s of resource %d, which is gone", call, t->number);
    if (t->busy)
        sim_fail("%s of resource %d overlaps another call", call, t->number);
    if (leased >= 0 && t->leased != leased)
        sim_fail("%s of resource %d, which is%s leased", call, t->number,
                 leased ? " not" : "");
    t->busy = 1;
    return t;
}

static void *make(struct era *era)
{
    struct thing *t = calloc(1, sizeof *t);
    if (t == NULL || world.thing_count == MAX_THINGS)
        sim_fail("too many resources");
    world.things[world.thing_count++] = t;
    t->era = era;
    t->number = world.thing_count;
    t->fd = sim_fd_open();
    era->made++;
    return t;
}

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    const struct misfortune *m = &world.script->misfortune;
    struct era *era = ctx;
    if (sim_locks_held() > 0)
        sim_fail("create is called with a lock held");
    if (era->over || era->freed)
        sim_fail("create is called after the pool was closed");
    int fails = roll(ROLL_FAIL, m->create_fails);
    int permanent = fails && roll(ROLL_PERMANENT, m->create_permanent);
    int null = roll(ROLL_NULL, m->create_null);
    int64_t until =
        roll(ROLL_HANG, m->create_hangs) ? CLOCK_NEVER : some_time();
    int late = until > deadline;
    if (sim_stop_wait(stop_fd, late ? deadline : until) || late || fails) {
        why->permanent = permanent;
        (void)snprintf(why->message, sizeof why->message, "no luck");
        era->permanent |= permanent;
        world_trace("create fails%s", permanent ? " for good" : "");
        return -1;
    }
    *resource = null ? NULL : make(era);
    return 0;
}

static void destroy(void *ctx, void *resource)
{
    struct era *era = ctx;
    struct thing *t = enter(ctx, resource, "destroy", 0);
    if (!t->closing && !world.script->mute)
        sim_fail("resource %d is destroyed, but was not closed", t->number);
    if (sim_fd_watched(t->fd))
        sim_fail("resource %d is destroyed, but watched", t->number);
    sim_sleep_until(some_time());
    t->gone = 1;
    era->destroyed++;
    sim_fd_close(t->fd);
}

/* Returns whether a check is justified.  Coarse times may be two ticks old. */
static int is_check_due(const struct thing *t, int64_t idle_ms)
{
    const rpool_options *o = &world.script->options;
    if (t->owes || t->era->suspects || o->check_always)
        return 1;
    int worker = sched_self()->of_pool; /* also for a try_acquire */
    return (o->check_after_ms != RPOOL_NEVER &&
            idle_ms + 8 >= o->check_after_ms) ||
           (worker && o->keepalive_ms != RPOOL_NEVER &&
            idle_ms + 8 >= o->keepalive_ms);
}

static int verdict_of(struct thing *t, int64_t *until, int64_t deadline)
{
    const struct misfortune *m = &world.script->misfortune;
    int bad = roll(ROLL_BAD, m->check_bad) || t->hung;
    *until = some_time();
    if (roll(ROLL_LATE, m->check_late) && deadline != CLOCK_NEVER)
        *until = CLOCK_NEVER;
    if (*until > clock_now() && *until > deadline) {
        *until = deadline;
        return RPOOL_AGAIN;
    }
    return bad ? RPOOL_BAD : RPOOL_GOOD;
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    struct thing *t = enter(ctx, resource, "check", 0);
    if (idle_ms < 0)
        sim_fail("resource %d was idle for %d ms", t->number, (int)idle_ms);
    if (!is_check_due(t, idle_ms))
        sim_fail("resource %d is checked for no reason", t->number);
    int64_t until;
    int verdict = verdict_of(t, &until, deadline);
    sim_sleep_until(until);
    world_trace("check of resource %d says %d", t->number, verdict);
    t->busy = 0;
    t->checked_at = clock_now();
    t->owes = verdict == RPOOL_AGAIN;
    t->bad = verdict == RPOOL_BAD;
    t->era->suspects |= t->bad;
    return verdict;
}

/* Only for a resource with a pending answer, or one that was idle for a while.
 */
static int look(void *ctx, void *resource)
{
    const struct misfortune *m = &world.script->misfortune;
    struct thing *t = enter(ctx, resource, "look", 0);
    sim_sleep_ms(0);
    t->busy = 0;
    if (t->owes && roll(ROLL_LATE, m->check_late))
        return RPOOL_AGAIN;
    t->owes = 0;
    t->bad = roll(ROLL_BAD, m->check_bad) || t->hung;
    t->era->suspects |= t->bad;
    return t->bad ? RPOOL_BAD : RPOOL_GOOD;
}

static int reset(void *ctx, void *resource)
{
    const struct misfortune *m = &world.script->misfortune;
    struct thing *t = enter(ctx, resource, "reset", !world.script->mute);
    sim_sleep_ms(0);
    t->busy = 0;
    t->unfit = roll(ROLL_DISCARD, m->reset_discard);
    if (t->unfit)
        return RPOOL_DISCARD;
    t->owes = roll(ROLL_CHECK, m->reset_check) && !world.script->no_check;
    return t->owes ? RPOOL_CHECK : RPOOL_REUSE;
}

static int fd(void *ctx, void *resource)
{
    struct thing *t = enter(ctx, resource, "fd", -1);
    t->busy = 0;
    return t->fd;
}

static void done(void *ctx)
{
    struct era *era = ctx;
    if (++era->done > 1)
        sim_fail("done is called twice");
    era->freed |= world.script->mute;
    if (era->made != era->destroyed + era->detached)
        sim_fail("done is called with %d made, %d destroyed, %d detached",
                 era->made, era->destroyed, era->detached);
}

const rpool_provider world_provider = {.size = sizeof(rpool_provider),
                                       .create = create,
                                       .destroy = destroy,
                                       .check = check,
                                       .look = look,
                                       .reset = reset,
                                       .fd = fd,
                                       .done = done};

/* ---- events
 * ------------------------------------------------------------------ */

static struct thing *thing_of(const struct era *era, uint64_t item)
{
    for (int i = world.thing_count; i-- > 0;) {
        if (world.things[i]->era == era && world.things[i]->item == item)
            return world.things[i];
    }
    sim_fail("an event about item %d, which is unknown", (int)item);
}

static void expect(int fact, const rpool_event *event, const struct thing *t)
{
    if (!fact)
        sim_fail("%s of resource %d, which was%s%s%s",
                 rpool_event_name(event->type), t->number,
                 t->leased ? " leased" : " not leased",
                 t->closing ? " closed" : "", t->detached ? " detached" : "");
}

/* Returns whether the reason that the pool gives has really happened. */
static int is_reason(const struct thing *t, rpool_reason reason)
{
    const rpool_options *o = &world.script->options;
    switch (reason) {
    case RPOOL_REASON_IDLE:
        return o->idle_timeout_ms != RPOOL_NEVER;
    case RPOOL_REASON_LIFETIME:
        return o->max_lifetime_ms != RPOOL_NEVER;
    case RPOOL_REASON_USES:
        return o->max_uses != RPOOL_NEVER;
    case RPOOL_REASON_HANGUP:
        return t->hung;
    case RPOOL_REASON_CHECK:
        return t->bad;
    case RPOOL_REASON_RESET:
        return t->unfit;
    case RPOOL_REASON_DISCARD:
        return 1;
    case RPOOL_REASON_RECYCLE:
        return t->era->recycled;
    case RPOOL_REASON_RESIZE:
        return t->era->resized;
    case RPOOL_REASON_SHUTDOWN:
        return t->era->closing;
    default:
        return 0;
    }
}

static void follow(struct era *era, const rpool_event *event)
{
    if (event->type == RPOOL_EVENT_CREATED) {
        struct thing *made = (struct thing *)(uintptr_t)event->resource;
        expect(made->item == 0 && event->item != 0, event, made);
        made->item = event->item;
        return;
    }
    struct thing *t = thing_of(era, event->item);
    expect(!t->closing && !t->detached, event, t);
    switch (event->type) {
    case RPOOL_EVENT_ACQUIRED:
        expect(!t->leased && event->resource == t, event, t);
        t->leased = 1;
        break;
    case RPOOL_EVENT_RELEASED:
        expect(t->leased && event->resource == t, event, t);
        t->leased = t->holder = 0;
        break;
    case RPOOL_EVENT_DETACHED:
        expect(t->leased, event, t);
        t->leased = t->holder = 0;
        t->detached = 1;
        era->detached++;
        break;
    default: /* CLOSED */
        expect(!t->leased, event, t);
        if (!is_reason(t, event->reason))
            sim_fail("resource %d is closed, but not %s", t->number,
                     rpool_reason_text(event->reason));
        t->closing = 1;
    }
}

/* The listener may call the pool; a close there only begins. */
static void call_back(struct era *era, const rpool_event *event)
{
    if (event->type == RPOOL_EVENT_FREED || world.calls_back ||
        !roll(ROLL_HOOK, world.script->misfortune.hook))
        return;
    rpool *handle = era->handle;
    rpool_stats stats = {.size = sizeof stats};
    world.calls_back = 1;
    switch (number(ROLL_CALL) % 16) {
    case 0:
        era->closing++;
        if (handle != NULL && rpool_close(&handle, -1) == RPOOL_TIMEOUT)
            sim_fail("close in an event waits");
        break;
    case 1:
        era->recycled = 1;
        (void)rpool_recycle(handle);
        break;
    case 2:
        (void)rpool_suspend(handle);
        (void)rpool_resume(handle);
        break;
    default:
        (void)rpool_stats_get(handle, &stats);
    }
    world.calls_back = 0;
}

void world_on_event(void *arg, const rpool_event *event)
{
    struct era *era = arg;
    if (sim_locks_held() > 0)
        sim_fail("an event with a lock held");
    if (era->freed)
        sim_fail("%s comes after FREED", rpool_event_name(event->type));
    world.events[sim_self()][event->type]++;
    world_trace("event %s, item %d %s%s", rpool_event_name(event->type),
                (int)event->item, rpool_reason_text(event->reason),
                event->message);
    switch (event->type) {
    case RPOOL_EVENT_CREATED:
    case RPOOL_EVENT_CLOSED:
    case RPOOL_EVENT_ACQUIRED:
    case RPOOL_EVENT_RELEASED:
    case RPOOL_EVENT_DETACHED:
        follow(era, event);
        break;
    case RPOOL_EVENT_LEAK:
        thing_of(era, event->item)->leaks++;
        break;
    case RPOOL_EVENT_LEAK_RETURNED:
        if (--thing_of(era, event->item)->leaks < 0)
            sim_fail("item %d is LEAK_RETURNED without LEAK", (int)event->item);
        break;
    case RPOOL_EVENT_FREED:
        era->freed = 1;
        break;
    default:
        break;
    }
    sim_sleep_ms(0);
    call_back(era, event);
}
