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

/* Starts with every signal blocked, so that the application's handlers run in
 * the application's threads.  0, or an errno value.  *thread may be set only
 * after the new one has run, and even ended: it is the caller's own, and others
 * have what thread_self() said there. */
int thread_start(struct thread *thread, void *(*run)(void *), void *arg);
void thread_self(struct thread *thread);
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);

/* Names the calling thread, for debuggers and top; the kernel keeps 15 bytes.
 * By itself, because whoever started it may find it ended already, and with it
 * whatever the name belonged to. */
void thread_set_name(const char *name);

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
