/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Support for stress tests on real threads.  The provider's resources are
 * memory and sometimes a socket that the peer closes.  The provider checks that
 * no two threads have the same resource, and that each resource is destroyed
 * once.
 */
#ifndef SUPPORT_STRESS_H
#define SUPPORT_STRESS_H

#include <pqpool/rpool.h>

#include <stdatomic.h>
#include <stdint.h>

struct stress {
    rpool_provider provider;
    uint64_t seed;
    int failing; /* permille of creates, checks and resets that fail */
    /* not 0: resources have a socket, and some are closed by the peer */
    int sockets;
    atomic_int created, destroyed, detached, done, freed;
    atomic_int overlaps; /* two threads had the same resource: must stay 0 */
    atomic_int misused;
};

struct stress_resource {
    struct stress *stress;
    atomic_int holders; /* threads that have it: 0 or 1 */
    int pair[2];        /* or -1 */
};

/* Sets up the provider, and prints the seed: PQPOOL_STRESS_SEED, or a new one.
 */
void stress_begin(struct stress *stress);

/* A listener whose arg is the struct stress. */
void stress_on_event(void *arg, const rpool_event *event);

/* A borrower calls these after acquire and before release, or around a call. */
void stress_enter(struct stress_resource *resource);
void stress_leave(struct stress_resource *resource);

/* Ends a resource that was detached. */
void stress_end_detached(struct stress_resource *resource);

/* A random number below `below`.  Each thread of a test has a state of its own.
 */
uint64_t stress_random(uint64_t *state, uint64_t below);

/* Returns the end of the test as a time of rpool_now(); see PQPOOL_STRESS_MS.
 */
int64_t stress_until(void);

/* Return the number of threads of the process, and how many more than `before`
 * remain after those that are ending had time to end. */
int stress_threads(void);
int stress_threads_left(int before);

#endif
