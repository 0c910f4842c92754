/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Runs in child processes; see the header. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "attempt.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome *outcome;

static jmp_buf failed;

void outcome_make(void)
{
    outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED) {
        perror("sim");
        exit(2);
    }
}

static void on_failure(const char *text)
{
    (void)snprintf(outcome->text, sizeof outcome->text, "%s, at %lld ms", text,
                   (long long)sim_now_ms());
    longjmp(failed, 1);
}

static void keep_choices(void)
{
    const struct sim_choice *list;
    size_t count = sim_choices(&list);
    outcome->choices = count < MAX_CHOICES ? count : MAX_CHOICES;
    if (outcome->choices > 0)
        memcpy(outcome->choice, list, outcome->choices * sizeof *list);
}

/* In the child.  Returns not 0 if the run failed. */
static int run(const struct attempt *attempt)
{
    static struct script script;
    static const struct sim_choice none;
    script_draw(&script, attempt->seed);
    outcome->seed = attempt->seed;
    outcome->walk = attempt->walk;
    outcome->runs++;
    world_traced = attempt->traced;
    sim_on_failure(on_failure);
    if (setjmp(failed) == 0)
        world_run(&script, attempt->dropped,
                  !attempt->replays         ? NULL
                  : attempt->choice != NULL ? attempt->choice
                                            : &none,
                  attempt->choices, attempt->walk);
    else
        outcome->failed = 1;
    outcome->points += sim_counts().points;
    keep_choices();
    return outcome->failed;
}

static void keep_taken(void)
{
    for (int i = 0; i < SLOT_STATES; i++)
        for (int j = 0; j < SLOT_STATES; j++)
            outcome->taken[i][j] += model_taken[i][j];
}

/* Forks.  Returns 1 in the child, and 0 in the parent when the child has ended.
 */
static int in_child(void)
{
    outcome->failed = 0;
    outcome->text[0] = '\0';
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        return 1;
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("sim");
        exit(2);
    }
    if (status != 0) {
        outcome->failed = 1;
        outcome->choices = 0;
        (void)snprintf(outcome->text, sizeof outcome->text,
                       "the process died: status %d", status);
    }
    return 0;
}

static _Noreturn void leave_child(void)
{
    keep_taken();
    (void)fflush(NULL);
    _exit(0);
}

int attempt_run(const struct attempt *attempt)
{
    if (in_child()) {
        (void)run(attempt);
        leave_child();
    }
    return outcome->failed;
}

int attempt_seeds(uint64_t first, uint64_t count)
{
    if (in_child()) {
        struct attempt attempt = {.seed = first};
        while (attempt.seed < first + count && !run(&attempt))
            attempt.seed++;
        leave_child();
    }
    return outcome->failed;
}

int attempt_walks(const struct attempt *attempt, uint64_t count)
{
    if (in_child()) {
        struct attempt other = *attempt;
        other.replays = 0;
        for (uint64_t i = 0; i < count; i++) {
            other.walk = attempt->walk + i;
            if (run(&other))
                break;
        }
        leave_child();
    }
    return outcome->failed;
}

void attempt_print(const struct attempt *attempt)
{
    static struct script script;
    const char *comma = "";
    script_draw(&script, attempt->seed);
    (void)printf("--seed %llu --replay ", (unsigned long long)attempt->seed);
    for (int i = 0; i < MAX_DROPS; i++) {
        if (attempt->dropped[i] && i % MAX_OPS < script.ops[i / MAX_OPS]) {
            (void)printf("%s-%d", comma, i);
            comma = ",";
        }
    }
    for (size_t i = 0; i < attempt->choices; i++) {
        (void)printf("%s%u:%u", comma, attempt->choice[i].index,
                     attempt->choice[i].value);
        comma = ",";
    }
    (void)printf("%s\n", *comma == '\0' ? "none" : "");
}

int attempt_parse(struct attempt *attempt, const char *text)
{
    attempt->replays = 1;
    attempt->choices = 0;
    attempt->choice = calloc(strlen(text) + 1, sizeof *attempt->choice);
    if (attempt->choice == NULL)
        return -1;
    if (strcmp(text, "none") == 0)
        return 0;
    for (const char *at = text;; at++) {
        char *end;
        unsigned long index = strtoul(at + (*at == '-'), &end, 10);
        if (*at == '-' && index < MAX_DROPS)
            attempt->dropped[index] = 1;
        else if (*end == ':')
            attempt->choice[attempt->choices++] = (struct sim_choice){
                (uint32_t)index, (uint32_t)strtoul(end + 1, &end, 10)};
        else
            return -1;
        if (*end == '\0')
            return 0;
        if (*end != ',')
            return -1;
        at = end;
    }
}
