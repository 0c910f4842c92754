/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The provider that tests of the core control; see the header. */
#include "support_fake.h"

#include "base/clock.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The array grows when its length is a power of two. */
static void *grown(void *array, int count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    array = realloc(array, (count == 0 ? 1 : 2 * (size_t)count) * size);
    if (array == NULL)
        abort();
    return array;
}

static void outside(const char *call)
{
    if (sim_locks_held() > 0)
        sim_fail("%s is called with a lock held", call);
    sim_sleep_ms(0); /* a scheduling point */
}

static struct fake_step next(struct fake_step *step)
{
    struct fake_step now = *step;
    if (step->times > 0 && --step->times == 0)
        *step = (struct fake_step){0};
    return now;
}

static int64_t timeout_ms(int64_t deadline)
{
    if (deadline == CLOCK_NEVER)
        return -1;
    return deadline == 0 ? 0 : clock_ms_until(deadline, clock_now());
}

static struct fake_resource *enter(void *resource, const char *call)
{
    outside(call);
    struct fake_resource *r = resource;
    if (r->gone)
        sim_fail("%s of resource %d, which is gone", call, r->number);
    if (r->busy)
        sim_fail("%s of resource %d overlaps another call", call, r->number);
    r->busy = 1;
    return r;
}

/* ---- the provider -----------------------------------------------------------
 */

static struct fake_resource *resource_new(struct fake *fake)
{
    struct fake_resource *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    fake->resources =
        grown(fake->resources, fake->created, sizeof *fake->resources);
    fake->resources[fake->created++] = r;
    r->fake = fake;
    r->number = fake->created;
    r->fd = sim_fd_open();
    if (++fake->live > fake->peak)
        fake->peak = fake->live;
    return r;
}

/* Returns not 0 if the creation has to fail. */
static int create_sleep(struct fake *fake, const struct fake_step *step,
                        int64_t deadline, int stop_fd)
{
    int64_t until = clock_after(clock_now(), step->ms);
    int late = step->ms != 0 && until >= deadline;
    if (sim_stop_wait(stop_fd, late ? deadline : until)) {
        fake->stopped++;
        return 1;
    }
    return late;
}

static int fake_create(void *ctx, int64_t deadline, int stop_fd,
                       void **resource, rpool_failure *why)
{
    struct fake *fake = ctx;
    outside("create");
    struct fake_step step = next(&fake->create);
    fake->creates++;
    fake->create_timeout_ms = timeout_ms(deadline);
    if (++fake->creating > fake->creating_peak)
        fake->creating_peak = fake->creating;
    int ended = create_sleep(fake, &step, deadline, stop_fd);
    fake->creating--;
    *resource = NULL;
    if (step.result == FAKE_NULL && !ended)
        return 0;
    if (step.result == FAKE_OK && !ended) {
        *resource = resource_new(fake);
        return 0;
    }
    why->permanent = step.result == FAKE_PERMANENT;
    (void)snprintf(why->code, sizeof why->code, "%s",
                   why->permanent ? "28P01" : "08006");
    (void)snprintf(why->message, sizeof why->message, "fake %s failure",
                   why->permanent ? "permanent" : "transient");
    for (size_t i = 0; step.result == FAKE_LONG && i < 99; i++)
        memcpy(why->message + 5 * i, "long ", sizeof "long ");
    return -1;
}

static void resource_end(struct fake_resource *r)
{
    r->gone = 1;
    sim_fd_close(r->fd);
}

static void fake_destroy(void *ctx, void *resource)
{
    struct fake *fake = ctx;
    struct fake_resource *r = enter(resource, "destroy");
    sim_sleep_ms(next(&fake->destroy).ms);
    fake->destroyed++;
    fake->live--;
    resource_end(r);
}

static int fake_check(void *ctx, void *resource, int64_t idle_ms,
                      int64_t deadline)
{
    struct fake *fake = ctx;
    struct fake_resource *r = enter(resource, "check");
    struct fake_step step = next(&fake->check);
    fake->checks++;
    r->checks++;
    fake->idle_ms = idle_ms;
    fake->check_timeout_ms = timeout_ms(deadline);
    int64_t until = clock_after(clock_now(), step.ms);
    if (step.ms != 0 && until > deadline) {
        until = deadline;
        if (step.ms != FAKE_HANG)
            step.result = RPOOL_AGAIN;
    }
    sim_sleep_until(until);
    r->busy = 0;
    return step.result;
}

int fake_look(void *ctx, void *resource)
{
    struct fake *fake = ctx;
    struct fake_resource *r = enter(resource, "look");
    fake->looks++;
    r->busy = 0;
    return next(&fake->look).result;
}

static int fake_reset(void *ctx, void *resource)
{
    struct fake *fake = ctx;
    struct fake_resource *r = enter(resource, "reset");
    struct fake_step step = next(&fake->reset);
    fake->resets++;
    r->resets++;
    sim_sleep_ms(step.ms);
    r->busy = 0;
    return step.result;
}

static int fake_fd(void *ctx, void *resource)
{
    (void)ctx;
    struct fake_resource *r = enter(resource, "fd");
    r->busy = 0;
    return r->fd;
}

static void fake_done(void *ctx)
{
    struct fake *fake = ctx;
    outside("done");
    if (++fake->done > 1)
        sim_fail("done is called twice");
    if (fake->live > 0)
        sim_fail("done is called while %d live", fake->live);
}

enum { MANY_EVENTS = 20000 }; /* more than any test emits */

void fake_on_event(void *arg, const rpool_event *event)
{
    struct fake *fake = arg;
    outside("an event");
    if (fake_count(fake, RPOOL_EVENT_FREED) > 0)
        sim_fail("%s comes after FREED", rpool_event_name(event->type));
    if (fake->event_count == MANY_EVENTS)
        sim_fail("too many events");
    fake->events = grown(fake->events, fake->event_count, sizeof *fake->events);
    struct fake_event *e = &fake->events[fake->event_count++];
    const struct fake_resource *r = event->resource;
    *e = (struct fake_event){.type = event->type,
                             .reason = event->reason,
                             .item = event->item,
                             .resource = r != NULL ? r->number : 0,
                             .ms = event->ms,
                             .at_ms = sim_now_ms(),
                             .site = event->site};
    if (event->failure != NULL)
        e->failure = *event->failure;
    (void)snprintf(e->message, sizeof e->message, "%s", event->message);
    if (event->type == RPOOL_EVENT_DETACHED) {
        fake->detached++;
        fake->live--;
    }
    if (fake->hook != NULL)
        fake->hook(fake, event);
}

/* ---- calls for tests ---- */

static void report(const char *text)
{
    fail_msg("%s", text);
}

void fake_begin(struct fake *fake, uint64_t seed)
{
    sim_begin(seed);
    sim_on_failure(report);
    *fake = (struct fake){.provider = {.size = sizeof(rpool_provider),
                                       .create = fake_create,
                                       .destroy = fake_destroy,
                                       .check = fake_check,
                                       .reset = fake_reset,
                                       .fd = fake_fd,
                                       .done = fake_done}};
}

void fake_end(struct fake *fake)
{
    sim_settle();
    if (fake->live != 0)
        sim_fail("%d resources are left", fake->live);
    if (sim_counts().late_removals > 0)
        sim_fail("a descriptor was unwatched after it was closed");
    sim_end();
    for (int i = 0; i < fake->created; i++)
        free(fake->resources[i]);
    free(fake->resources);
    free(fake->events);
}

int fake_setup(void **state)
{
    static struct fake fake;
    fake_begin(&fake, SIM_FIFO);
    *state = &fake;
    return 0;
}

int fake_teardown(void **state)
{
    fake_end(*state);
    return 0;
}

rpool *fake_open_with(struct fake *fake, const rpool_options *options)
{
    rpool *pool = NULL;
    rpool_failure why = {0};
    rpool_status status =
        rpool_open(&pool, &fake->provider, fake, options, &why);
    if (status != RPOOL_OK)
        sim_fail("open: %s: %s", rpool_strerror(status), why.message);
    return pool;
}

rpool_item *fake_lease(rpool *pool)
{
    rpool_item *item = NULL;
    rpool_failure why = {0};
    rpool_status status = rpool_acquire(pool, 60000, &item, &why);
    if (status != RPOOL_OK)
        sim_fail("acquire: %s: %s", rpool_strerror(status), why.message);
    return item;
}

struct fake_resource *fake_of(const rpool_item *item)
{
    return rpool_resource(item);
}

void fake_take(void *resource)
{
    resource_end(enter(resource, "detach"));
}

int fake_count(const struct fake *fake, rpool_event_type type)
{
    int count = 0;
    for (int i = 0; i < fake->event_count; i++)
        count += fake->events[i].type == type;
    return count;
}

int fake_closed_by(const struct fake *fake, rpool_reason reason)
{
    int count = 0;
    for (int i = 0; i < fake->event_count; i++) {
        const struct fake_event *e = &fake->events[i];
        count += e->type == RPOOL_EVENT_CLOSED && e->reason == reason;
    }
    return count;
}

const struct fake_event *fake_last(const struct fake *fake,
                                   rpool_event_type type)
{
    for (int i = fake->event_count; i-- > 0;) {
        if (fake->events[i].type == type)
            return &fake->events[i];
    }
    sim_fail("there was no event %s", rpool_event_name(type));
}

rpool_stats fake_stats(rpool *pool)
{
    rpool_stats stats = {.size = sizeof stats};
    rpool_status status = rpool_stats_get(pool, &stats);
    if (status != RPOOL_OK)
        sim_fail("statistics: %s", rpool_strerror(status));
    return stats;
}
