/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One run from beginning to end, on main. */
#include "world.h"

#include "base/sched.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;
int world_traced;

void world_trace(const char *format, ...)
{
    if (!world_traced)
        return;
    va_list args;
    va_start(args, format);
    (void)printf("%6lld.%03d ms  %-4s %2d  ", (long long)sim_now_ms(),
                 (int)(sched_now() / 1000 % 1000), sched_self()->name,
                 sim_self());
    (void)vprintf(format, args);
    (void)printf("\n");
    va_end(args);
}

enum { LONG_MS = 3000, VERY_LONG_MS = 60000, SLICE_MS = 100 };

static void world_reset(const struct script *script,
                        const unsigned char *dropped)
{
    for (int i = 0; i < world.thing_count; i++)
        free(world.things[i]);
    memset(&world, 0, sizeof world);
    world.script = script;
    world.dropped = dropped;
}

static int wait_for_actors(int ms)
{
    for (int i = 0; i < ms / SLICE_MS; i++) {
        if (world.finished == world.script->actors)
            return 1;
        if (world.healthy)
            (void)rpool_resume(world.eras[world.era_count - 1].handle);
        sim_sleep_ms(SLICE_MS);
    }
    return 0;
}

/* After this no call fails, so that waits without a deadline end. */
static void heal(void)
{
    world.healthy = 1;
    if (wait_for_actors(VERY_LONG_MS))
        return;
    for (int i = 0; i < world.script->actors; i++) {
        const struct actor *a = &world.actors[i];
        if (a->at < world.script->ops[i])
            sim_fail("actor %d does not return from operation %d", i, a->at);
    }
}

void world_run(const struct script *script, const unsigned char *dropped,
               const struct sim_choice *replay, size_t replay_count,
               uint64_t walk)
{
    struct sim_search search = script->search;
    search.shuffle = walk == 0 ? 0 : script_hash(script->seed, 2, walk);
    sim_begin(script_hash(script->seed, 1, 0) | 1);
    sim_search(&search);
    if (replay != NULL)
        sim_replay(replay, replay_count);
    world_reset(script, dropped);
    sim_observe(oracle_step, oracle_quiet);
    era_open(0);
    const struct misfortune *m = &script->misfortune;
    if (m->break_nth > 0)
        sim_break((enum sim_call)m->break_call, m->break_nth, 1);
    for (int i = 0; i < script->actors; i++) {
        world.actors[i].index = i;
        (void)sim_spawn(actor_run, &world.actors[i]);
    }
    if (!wait_for_actors(LONG_MS))
        heal();
    world.healthy = 1;
    for (int i = 0; i < world.era_count; i++) {
        if (!world.eras[i].closed)
            era_close(&world.eras[i], -1);
    }
    sim_advance_ms(VERY_LONG_MS);
    oracle_end();
    sim_end();
}
