/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Threads of the pool, what each thread of the process remembers, and fork. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/memo.h"

#include <pthread.h>

struct thread {
    pthread_t id;
};

/* For the name service, OpenSSL and the application's listener. */
enum { THREAD_STACK = 512 * 1024 };

/*
 * Starts a thread that takes nothing over from the thread that starts it, which
 * may be any thread of the application:
 * - Every signal is blocked, so that the application's handlers run in the
 *   application's threads.
 * - It may run on the processors of the process's main thread.
 * - Its stack has THREAD_STACK bytes beside the thread-locals of the process.
 *
 * Returns 0, or an errno value.  *thread may be set only after the new thread
 * has run, and even ended: *thread is the caller's own, and others have what
 * thread_self() said there.
 */
int thread_start(struct thread *thread, void *(*run)(void *), void *arg);
void thread_self(struct thread *thread);
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);

/*
 * The first call of a thread of the pool.  Names the calling thread, for
 * debuggers and top (the kernel keeps 15 bytes), and gives it the scheduling
 * policy, priority and nice value of the process's main thread.  A thread that
 * may not set one of these keeps what it has.
 *
 * The thread does that itself, because the thread that started it may find it
 * ended already, and with it the owner of the name.
 */
void thread_begin(const char *name);

/* Calls in_child in every child that fork() makes from now on, in its only
 * thread.  0, or an errno value. */
int thread_at_fork(void (*in_child)(void));

/* musl refuses to dlopen a library with initial-exec thread-locals; glibc
 * keeps room for them, and they cost no call. */
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
