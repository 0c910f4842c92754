/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Threads of the pool, what each thread of the process remembers, and fork. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/platform.h"

/* Enough stack for the name service, OpenSSL and the application's listener. */
enum { THREAD_STACK = 512 * 1024 };

/*
 * Starts a thread.  The calling thread may be any thread of the application, so
 * the new thread inherits nothing from it:
 * - Every signal is blocked, so that the application's handlers run in the
 *   application's threads.
 * - It may run on the processors of the process's main thread.
 * - Its stack has THREAD_STACK bytes beside the thread-locals of the process.
 *
 * Returns 0, or an errno value.  *thread may be set only after the new thread
 * has run, or even ended.  Therefore only the caller reads *thread, and the new
 * thread stores its own id with thread_self() for all others.
 */
int thread_start(struct thread *thread, void *(*run)(void *), void *arg);
void thread_self(struct thread *thread);
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);

/*
 * A new thread of the pool calls this first.  Names the calling thread for
 * debuggers and top (the kernel keeps 15 bytes), and gives it the scheduling
 * policy, priority and nice value of the process's main thread.  If the process
 * may not set one of these, the thread keeps its own.
 *
 * The new thread does this itself, because it may end, and the pool with its
 * name, before thread_start() returns.
 */
void thread_begin(const char *name);

/* From now on, each child of fork() calls in_child() in its only thread.
 * Returns 0, or an errno value. */
int thread_at_fork(void (*in_child)(void));

/* platform.h defines thread_memo(), which returns the memo (memo.h) of the
 * calling thread. */

#endif
