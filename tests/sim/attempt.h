/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One run in a process of its own, so that a failure leaves nothing behind and
 * each run finds a new library.  Also the search for a shorter run that fails.
 */
#ifndef SIM_ATTEMPT_H
#define SIM_ATTEMPT_H

#include "world.h"

enum { MAX_DROPS = MAX_ACTORS * MAX_OPS, MAX_CHOICES = 1 << 18 };

struct attempt {
    uint64_t seed;
    uint64_t walk; /* selects another schedule of the same script */
    int replays;   /* follow `choice`, not the seed's own search */
    int traced;
    unsigned char dropped[MAX_DROPS]; /* operations */
    size_t choices;
    struct sim_choice *choice;
};

struct outcome { /* shared with the child */
    int failed;
    uint64_t seed, walk; /* of the run that failed, or of the last one */
    uint64_t runs, points;
    uint64_t taken[SLOT_STATES][SLOT_STATES];
    char text[1024];
    size_t choices;
    struct sim_choice choice[MAX_CHOICES];
};

/* Every child writes its outcome here; the sums are of all children. */
extern struct outcome *outcome;
void outcome_make(void);

/* Returns not 0 if the run failed. */
int attempt_run(const struct attempt *attempt);

/* Run seeds or walks one after the other in one child, until one fails. */
int attempt_seeds(uint64_t first, uint64_t count);
int attempt_walks(const struct attempt *attempt, uint64_t count);

/* Removes what the failure does not need. */
void attempt_shrink(struct attempt *attempt);

void attempt_print(const struct attempt *attempt);

/* Returns 0 if the text is a list as attempt_print() writes it. */
int attempt_parse(struct attempt *attempt, const char *text);

#endif
