/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The base of the core on coroutines with virtual time; see
 * src/base/platform.h. Locks, condition variables and sleepers know whether
 * they are alive, so that a use after their end is a failure.  Descriptors
 * exist only in watch.c.
 */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include "base/annotate.h"
#include "base/memo.h"

#include <stdint.h>

struct sim_thread;

struct LOCK_ATTRIBUTE(capability("mutex")) lock {
    uint64_t alive;
    const struct sim_thread *owner;
    uint64_t since; /* sched_counts.atoms when the owner took it */
};

struct cond {
    uint64_t alive;
};

/* A wake-up whose sleeper is gone wakes the coroutine that sleeps at the same
 * address by then, as in the kernel. */
struct sleeper {
    uint64_t alive;
    const struct sim_thread *owner;
    int roused;
};

struct watch {
    int open, woken;
};

struct thread {
    struct sim_thread *id;
};

int64_t clock_now(void);
int64_t clock_coarse(void);

/* Each coroutine has its own memo. */
struct thread_memo *thread_memo(void);

#endif
