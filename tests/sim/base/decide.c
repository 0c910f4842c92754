/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Makes every decision that is not determined: which coroutine is next, whether
 * time slips, whether a wait returns spuriously, and sim_chance() for the
 * test's own provider.  Each decision has a number and a default.  Decisions
 * that differ from the default are logged, and the log replays the run.
 */
#include "base/sched.h"

#include <stdlib.h>

enum { MAX_DEPTH = 8, MAX_SPINS = 2000 };

enum mode { MODE_FIFO, MODE_SEARCH, MODE_REPLAY };

static enum mode mode;
static struct sim_search search;
static uint64_t policy_state, random_state;
static uint32_t decisions;
static struct sim_choice *choices;
static size_t choice_count, choice_room;
static const struct sim_choice *replay;
static size_t replay_count, replay_next;
static uint64_t change_at[MAX_DEPTH];
static int64_t lowest;

static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

void decide_begin(uint64_t seed)
{
    mode = seed == SIM_FIFO ? MODE_FIFO : MODE_SEARCH;
    policy_state = seed;
    random_state = ~seed;
    decisions = 0;
    choice_count = 0;
    sim_search(&(struct sim_search){.walk = 200});
}

void sim_search(const struct sim_search *wanted)
{
    search = *wanted;
    lowest = 0;
    policy_state ^= search.shuffle;
    uint64_t steps = search.steps > 0 ? (uint64_t)search.steps : 1;
    for (int i = 0; i < search.depth && i < MAX_DEPTH; i++)
        change_at[i] = mix(&policy_state) % steps;
}

int decide_is_fifo(void)
{
    return mode == MODE_FIFO;
}

static void log_choice(uint32_t index, uint32_t value)
{
    if (choice_count == choice_room) {
        choice_room = choice_room == 0 ? 1024 : 2 * choice_room;
        choices = realloc(choices, choice_room * sizeof *choices);
        if (choices == NULL)
            abort();
    }
    choices[choice_count++] = (struct sim_choice){index, value};
}

uint32_t decide(uint32_t wanted, uint32_t n)
{
    if (mode == MODE_FIFO)
        return 0;
    uint32_t index = decisions++;
    if (mode == MODE_REPLAY) {
        wanted = 0;
        while (replay_next < replay_count && replay[replay_next].index < index)
            replay_next++;
        if (replay_next < replay_count && replay[replay_next].index == index)
            wanted = replay[replay_next].value % n;
    }
    if (wanted != 0)
        log_choice(index, wanted);
    return wanted;
}

uint32_t decide_any(uint32_t n)
{
    return decide((uint32_t)(mix(&policy_state) % n), n);
}

int sim_chance(int permille)
{
    if (permille <= 0 || mode == MODE_FIFO)
        return 0;
    return decide(mix(&policy_state) % 1000 < (uint64_t)permille, 2) != 0;
}

int decide_slip(void)
{
    return sim_chance(search.slip);
}

int decide_spurious(void)
{
    return sim_chance(search.spurious);
}

uint64_t decide_random(void)
{
    return mix(&random_state);
}

int64_t decide_priority(void)
{
    return search.depth > 0 ? (int64_t)(mix(&policy_state) >> 8) : 0;
}

/* Probabilistic concurrency testing: the coroutine with the highest priority
 * runs. At `depth` points of the run its priority falls below all others. */
static uint32_t pct_next(struct sim_thread *const *ready, uint32_t n)
{
    struct sim_thread *self = sched_self();
    for (int i = 0; i < search.depth && i < MAX_DEPTH; i++) {
        if (change_at[i] == sched_counts.points)
            self->priority = --lowest;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (ready[i]->priority > ready[best]->priority)
            best = i;
    }
    return best;
}

uint32_t decide_next(struct sim_thread *const *ready, uint32_t n, int stay)
{
    struct sim_thread *self = sched_self();
    uint32_t wanted;
    if (stay && self->spins % MAX_SPINS == MAX_SPINS - 1) {
        /* It may be waiting for another coroutine by trying again and again. */
        self->priority = --lowest;
        return 1;
    }
    if (search.depth > 0)
        wanted = pct_next(ready, n);
    else if (!stay)
        wanted = (uint32_t)(mix(&policy_state) % n);
    else if (mix(&policy_state) % 1000 < (uint64_t)search.walk)
        wanted = 1 + (uint32_t)(mix(&policy_state) % (n - 1));
    else
        wanted = 0;
    return decide(wanted, n);
}

size_t sim_choices(const struct sim_choice **list)
{
    *list = choices;
    return choice_count;
}

void sim_replay(const struct sim_choice *list, size_t count)
{
    mode = MODE_REPLAY;
    replay = list;
    replay_count = count;
    replay_next = 0;
}
