/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * For stress on real threads: a provider whose resources are memory and, now
 * and then, a socket that hangs up; it sees to it that no two threads have the
 * same resource, and that each is ended once.
 */
#ifndef SUPPORT_STRESS_H
#define SUPPORT_STRESS_H

#include <pqpool/rpool.h>

#include <stdatomic.h>
#include <stdint.h>

struct stress {
    rpool_provider provider;
    uint64_t seed;
    int failing; /* permille of creations, checks and resets that fail */
    int sockets; /* not 0: resources have one, and some hang up */
    atomic_int created, destroyed, detached, done, freed;
    atomic_int overlaps; /* two had the same resource: never */
    atomic_int misused;
};

struct stress_resource {
    struct stress *stress;
    atomic_int holders; /* 0, or 1 */
    int pair[2];        /* or -1 */
};

/* Sets up the provider, and prints the seed: PQPOOL_STRESS_SEED, or new. */
void stress_begin(struct stress *stress);

/* An on_event whose arg is the stress. */
void stress_on_event(void *arg, const rpool_event *event);

/* What a borrower does before and after its lease, or around a call. */
void stress_enter(struct stress_resource *resource);
void stress_leave(struct stress_resource *resource);

/* Ends what was detached. */
void stress_end_detached(struct stress_resource *resource);

/* Each worker of a test has a state of its own. */
uint64_t stress_random(uint64_t *state, uint64_t below);

/* The absolute time of rpool_now() until when to go on: PQPOOL_STRESS_MS. */
int64_t stress_until(void);

/* Threads of the process; and how many more than `before` there still are when
 * those that end had time to go. */
int stress_threads(void);
int stress_threads_left(int before);

#endif
