/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Removes operations, then choices, as long as the run still fails: first
 * halves, in the end single ones. */
#include "attempt.h"

#include <stdlib.h>
#include <string.h>

enum { WALKS = 40, ALONE = 5000 };

static void take_choices(struct attempt *attempt)
{
    free(attempt->choice);
    attempt->choices = outcome->choices;
    attempt->choice = calloc(attempt->choices + 1, sizeof *attempt->choice);
    if (attempt->choice == NULL)
        abort();
    if (attempt->choices > 0)
        memcpy(attempt->choice, outcome->choice,
               attempt->choices * sizeof *attempt->choice);
}

/* Returns whether it also fails with another schedule, alone in its process. */
static int fails_somehow(struct attempt *attempt)
{
    if (!attempt_walks(attempt, WALKS))
        return 0;
    struct attempt found = *attempt;
    found.replays = 0;
    found.walk = outcome->walk;
    if (!attempt_run(&found))
        return 0;
    attempt->walk = found.walk;
    take_choices(attempt);
    return 1;
}

static int drop(struct attempt *attempt, int from, int to)
{
    int dropped = 0;
    for (int i = from; i < to && i < MAX_DROPS; i++) {
        dropped += !attempt->dropped[i];
        attempt->dropped[i] = 1;
    }
    return dropped;
}

static void shrink_operations(struct attempt *attempt)
{
    for (int size = MAX_DROPS / 2; size > 0; size /= 2) {
        for (int at = 0; at < MAX_DROPS; at += size) {
            unsigned char before[MAX_DROPS];
            memcpy(before, attempt->dropped, sizeof before);
            if (drop(attempt, at, at + size) && !fails_somehow(attempt))
                memcpy(attempt->dropped, before, sizeof before);
        }
    }
}

static int fails_without(struct attempt *attempt, size_t from, size_t count)
{
    struct attempt shorter = *attempt;
    shorter.choices = attempt->choices - count;
    shorter.choice = calloc(shorter.choices + 1, sizeof *shorter.choice);
    if (shorter.choice == NULL)
        abort();
    memcpy(shorter.choice, attempt->choice, from * sizeof *shorter.choice);
    memcpy(shorter.choice + from, attempt->choice + from + count,
           (attempt->choices - from - count) * sizeof *shorter.choice);
    int fails = attempt_run(&shorter);
    free(shorter.choice);
    if (fails)
        take_choices(attempt);
    return fails;
}

static void shrink_choices(struct attempt *attempt)
{
    for (size_t size = attempt->choices; size > 0; size /= 2) {
        for (size_t at = 0; at < attempt->choices;) {
            size_t rest = attempt->choices - at;
            size_t count = size < rest ? size : rest;
            size_t before = attempt->choices;
            if (!fails_without(attempt, at, count) ||
                attempt->choices >= before)
                at += count;
        }
    }
}

/* For a failure in a process that had run others before: the library was not
 * new there, so the same schedule may not exist alone. */
static int fails_alone(struct attempt *attempt)
{
    for (attempt->walk = 0; attempt->walk < ALONE; attempt->walk++) {
        if (attempt_run(attempt))
            return 1;
    }
    return 0;
}

void attempt_shrink(struct attempt *attempt)
{
    attempt->replays = 0;
    if (!fails_alone(attempt))
        return;
    take_choices(attempt);
    shrink_operations(attempt);
    attempt->replays = 1;
    if (!attempt_run(attempt))
        return;
    shrink_choices(attempt);
    (void)attempt_run(attempt);
}
