/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the base is made of on this platform: the types behind its mutex,
 * condition variable, sleeper, watch and thread, and the functions that are
 * inlined for speed.  The contracts are in clock.h, lock.h, sleep.h, thread.h
 * and watch.h, which include this file.
 *
 * The simulator and the model checker run the unmodified core on a base of
 * their own.  They replace this file and atomic.h, and use the contracts as
 * they are.
 */
#ifndef BASE_PLATFORM_H
#define BASE_PLATFORM_H

#include "base/annotate.h"
#include "base/memo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

struct LOCK_ATTRIBUTE(capability("mutex")) lock {
    pthread_mutex_t mutex;
};

struct cond {
    pthread_cond_t cond;
};

struct sleeper {
    _Atomic uint32_t roused; /* the futex word */
};

struct watch {
    int epoll, wake;
};

struct thread {
    pthread_t id;
};

/* ---- clocks ---- */

static inline int64_t clock_read(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static inline int64_t clock_coarse(void)
{
#ifdef __linux__
    enum { COARSE = 6 }; /* CLOCK_MONOTONIC_COARSE, which POSIX hides */
    return clock_read((clockid_t)COARSE);
#else
    return clock_now();
#endif
}

/* ---- the memo of the calling thread ---- */

/* With the initial-exec model, a thread-local costs no call.  glibc keeps room
 * for libraries that use it.  musl refuses to dlopen() them. */
#ifdef __GLIBC__
#define THREAD_MODEL __attribute__((tls_model("initial-exec")))
#else
#define THREAD_MODEL
#endif
extern _Thread_local struct thread_memo thread__memo THREAD_MODEL
    __attribute__((visibility("hidden")));

static inline struct thread_memo *thread_memo(void)
{
    return &thread__memo;
}

#endif
