/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * sim: searches schedules of random scripts over the pool for one that breaks a
 * rule.
 *
 *     sim [--first N] [--seeds N] [--seconds S]
 *     sim --seed N [--replay LIST] [--trace]
 *
 * A failure is shortened and printed with the line that replays it.
 */
#include "attempt.h"

#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 100, ENOUGH = 5000 };

struct wish {
    uint64_t first, seeds;
    long seconds;
    int alone;
    struct attempt attempt;
};

static const char *const names[SLOT_STATES] = {
    "empty",  "creating",  "idle",     "checking",
    "leased", "returning", "disposing"};

static long seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec;
}

/* Returns not 0 if a transition that can happen did not happen. */
static int print_table(void)
{
    int missing = 0;
    (void)printf("%-10s", "from \\ to");
    for (int i = 0; i < SLOT_STATES; i++)
        (void)printf("%11s", names[i]);
    for (int i = 0; i < SLOT_STATES; i++) {
        (void)printf("\n%-10s", names[i]);
        for (int j = 0; j < SLOT_STATES; j++) {
            if (!model_legal[i][j]) {
                (void)printf("%11s", "-");
                continue;
            }
            missing += outcome->taken[i][j] == 0;
            (void)printf("%11llu", (unsigned long long)outcome->taken[i][j]);
        }
    }
    (void)printf("\n");
    return missing;
}

static int report(struct attempt *attempt, const char *advice)
{
    char text[sizeof outcome->text];
    (void)snprintf(text, sizeof text, "%s", outcome->text);
    attempt_shrink(attempt);
    if (!outcome->failed) {
        (void)printf("FAILED: seed %llu, not alone but %s: %s\n",
                     (unsigned long long)attempt->seed, advice, text);
        return 1;
    }
    static struct script script;
    script_draw(&script, attempt->seed);
    (void)printf("FAILED: %s\n", outcome->text);
    script_print(&script, attempt->dropped);
    attempt->traced = 1;
    (void)attempt_run(attempt);
    (void)printf("replay: sim ");
    attempt_print(attempt);
    return 1;
}

static int search(const struct wish *wish)
{
    long end = seconds_now() + wish->seconds;
    uint64_t seed = wish->first;
    while (seed < wish->first + wish->seeds && seconds_now() < end) {
        uint64_t left = wish->first + wish->seeds - seed;
        uint64_t count = left < BATCH ? left : BATCH;
        if (attempt_seeds(seed, count)) {
            char advice[64];
            (void)snprintf(advice, sizeof advice, "with --first %llu",
                           (unsigned long long)seed);
            struct attempt attempt = {.seed = outcome->seed};
            return report(&attempt, advice);
        }
        seed += count;
    }
    int missing = print_table();
    (void)printf("%llu seeds from %llu, %llu steps: nothing found\n",
                 (unsigned long long)(seed - wish->first),
                 (unsigned long long)wish->first,
                 (unsigned long long)outcome->points);
    if (missing > 0 && seed - wish->first >= ENOUGH)
        (void)printf("FAILED: %d transitions were never taken\n", missing);
    return missing > 0 && seed - wish->first >= ENOUGH;
}

static int run_alone(struct wish *wish)
{
    static struct script script;
    struct attempt *attempt = &wish->attempt;
    script_draw(&script, attempt->seed);
    if (!attempt->replays && !attempt->traced) {
        if (attempt_run(attempt))
            return report(attempt, "alone");
    } else {
        script_print(&script, attempt->dropped);
        if (attempt_run(attempt)) {
            (void)printf("FAILED: %s\n", outcome->text);
            return 1;
        }
    }
    (void)printf("seed %llu, %llu steps: nothing found\n",
                 (unsigned long long)attempt->seed,
                 (unsigned long long)outcome->points);
    return 0;
}

static int parse(struct wish *wish, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--trace") == 0) {
            wish->attempt.traced = 1;
            continue;
        }
        if (value == NULL)
            return -1;
        i++;
        if (strcmp(name, "--replay") == 0) {
            if (attempt_parse(&wish->attempt, value) != 0)
                return -1;
            continue;
        }
        char *end;
        uint64_t number = strtoull(value, &end, 10);
        if (*value == '\0' || *end != '\0')
            return -1;
        if (strcmp(name, "--seed") == 0) {
            wish->attempt.seed = number;
            wish->alone = 1;
        } else if (strcmp(name, "--first") == 0)
            wish->first = number;
        else if (strcmp(name, "--seeds") == 0)
            wish->seeds = number;
        else if (strcmp(name, "--seconds") == 0)
            wish->seconds = (long)number;
        else
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct wish wish = {.first = 1, .seeds = 1000000000, .seconds = 20};
    if (parse(&wish, argc, argv) != 0) {
        (void)fprintf(stderr,
                      "usage: sim [--first N] [--seeds N] [--seconds S]\n"
                      "       sim --seed N [--replay LIST] [--trace]\n");
        return 2;
    }
    outcome_make();
    return wish.alone ? run_alone(&wish) : search(&wish);
}
