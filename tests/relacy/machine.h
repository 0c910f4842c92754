/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the cases, which are C, and relacy, which is C++, know of each other.
 *
 * A case is a few threads that call the unmodified core, compiled on the base
 * in this folder; relacy runs it under one schedule after the other.  It fails
 * if a machine_check() does, if all threads that are left are blocked, if a
 * mutex or condition variable is misused, or if two threads touch the same
 * resource and nothing orders them.
 */
#ifndef RELACY_MACHINE_H
#define RELACY_MACHINE_H

#ifdef __cplusplus
extern "C" {
#endif

enum { MACHINE_THREADS = 4, MACHINE_RESOURCES = 8 };

struct machine_case {
    const char *name;
    int threads;   /* 2 to MACHINE_THREADS */
    int timed;     /* one more thread lets time pass */
    int preempted; /* systematic search: at most this many preemptions */
    void (*before)(void);
    void (*thread)(int index);
    void (*after)(void);
};
extern const struct machine_case machine_cases[]; /* the last one has no name */

void machine_check(int ok, const char *what);

/* A plain access; relacy checks that it is ordered. */
void machine_touch(int resource);

/* Only in before(): runs what thread_start() noted as the nth (the cleaner is
 * 0, the worker is 1) until it would sleep. */
void machine_prime(int n);

/* Runs it to its end. */
void machine_run(int n);

/* Takes the cells from all words, so that their memory may be freed. */
void machine_forget(void);

#ifdef __cplusplus
}
#endif
#endif
