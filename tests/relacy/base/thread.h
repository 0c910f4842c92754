/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The pool's threads are threads of the case: thread_start() only notes what
 * machine_run() is to run, and fails beyond the first two. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/memo.h"

struct thread {
    int index;
};

int thread_start(struct thread *thread, void *(*run)(void *), void *arg);
void thread_self(struct thread *thread);
void thread_begin(const char *name);
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);
int thread_at_fork(void (*in_child)(void));

struct thread_memo *thread_memo(void);

#endif
