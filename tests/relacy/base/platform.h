/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The base of the core on relacy; see src/base/platform.h. */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include "base/annotate.h"
#include "base/memo.h"

#include <stdint.h>

struct LOCK_ATTRIBUTE(capability("mutex")) lock {
    void *cell;
};

/* A wait with a deadline may time out at any moment. */
struct cond {
    int alive;
    void *cell; /* NULL: no thread has slept on it yet */
};

/* The futex word has a cell that lives as long as the run, because relacy does
 * not know that stacks are used again. */
struct sleeper {
    void *cell;
};

/* There are no sockets: a watch is a place to sleep, with a bell. */
struct watch {
    struct lock lock;
    struct cond bell;
    int rung;
};

/* The pool's threads are threads of the case: thread_start() only notes what
 * machine_run() is to run, and fails after the first two. */
struct thread {
    int index;
};

/* Time stands still, except that a wait that times out sets it to its
 * deadline. */
int64_t clock_now(void);

static inline int64_t clock_coarse(void)
{
    return clock_now();
}

struct thread_memo *thread_memo(void);

#endif
