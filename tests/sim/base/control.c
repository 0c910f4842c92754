/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The functions that tests call to begin, steer and observe a run; see sim.h.
 */
#include "base/sched.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    int skip, times;
} broken[SIM_CALL_COUNT];

void sim_begin(uint64_t seed)
{
    sched_reset(seed);
    memset(broken, 0, sizeof broken);
    watch_forget();
    sim_random(SIM_SEEDED);
}

void sim_end(void)
{
    sim_settle();
    struct sim_thread *t;
    for (int i = 1; (t = sched_thread(i)) != NULL; i++) {
        if (t->state == SIM_ENDED && !t->of_pool)
            t->state = SIM_FREE;
        if (t->state == SIM_ENDED)
            sim_fail("%s was never joined", t->name);
        if (t->state != SIM_FREE)
            sim_fail("%s has not ended, it waits: %s", t->name, t->why);
    }
    const char *left = watch_left();
    if (left != NULL)
        sim_fail("at the end %s", left);
}

struct spawned {
    void (*run)(void *);
    void *arg;
};

static void *run_spawned(void *arg)
{
    struct spawned spawned = *(struct spawned *)arg;
    free(arg);
    spawned.run(spawned.arg);
    return NULL;
}

int sim_spawn(void (*run)(void *), void *arg)
{
    struct spawned *spawned = malloc(sizeof *spawned);
    if (spawned == NULL)
        abort();
    *spawned = (struct spawned){run, arg};
    struct sim_thread *t = sched_start("test", run_spawned, spawned);
    t->of_pool = 0;
    return t->id;
}

int sim_done(int id)
{
    return sched_thread(id)->state == SIM_ENDED;
}

void sim_join(int id)
{
    sched_join(sched_thread(id));
}

void sim_sleep_until(int64_t deadline)
{
    (void)sched_block(sched_self(), deadline, "sleep");
}

void sim_sleep_ms(int64_t ms)
{
    sim_sleep_until(clock_after(sched_now(), ms));
}

void sim_advance_ms(int64_t ms)
{
    sim_sleep_ms(ms);
    sim_settle();
}

int64_t sim_now_ms(void)
{
    return (sched_now() - SCHED_START) / CLOCK_MS;
}

struct sim_counts sim_counts(void)
{
    return sched_counts;
}

void sim_forget_holds(void)
{
    sched_counts.held = 0;
}

int sim_self(void)
{
    return sched_self()->id;
}

int sim_locks_held(void)
{
    return sched_self()->locks;
}

struct sim_view sim_thread(const char *part)
{
    struct sim_view view = {.woke_ms = -1};
    const struct sim_thread *t;
    for (int i = 1; (t = sched_thread(i)) != NULL; i++) {
        if (!t->of_pool || t->state == SIM_FREE || t->state == SIM_ENDED ||
            (strstr(t->name, part) == NULL &&
             (t->why == NULL || strcmp(t->why, part) != 0)))
            continue;
        if (view.live++ > 0)
            continue;
        (void)snprintf(view.name, sizeof view.name, "%s", t->name);
        view.wakes = t->wakes;
        if (t->woke_at >= 0)
            view.woke_ms = (t->woke_at - SCHED_START) / CLOCK_MS;
    }
    return view;
}

void sim_break(enum sim_call call, int nth, int times)
{
    broken[call].skip = nth - 1;
    broken[call].times = times;
}

int sched_broken(enum sim_call call)
{
    if (broken[call].skip > 0) {
        broken[call].skip--;
        return 0;
    }
    if (broken[call].times == 0)
        return 0;
    broken[call].times--;
    return 1;
}
