/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/thread.h on coroutines: each has its own memo. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/memo.h"

struct thread {
    struct sim_thread *id;
};

int thread_start(struct thread *thread, void *(*run)(void *), void *arg);
void thread_self(struct thread *thread);
void thread_begin(const char *name);
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);
int thread_at_fork(void (*in_child)(void));

struct thread_memo *thread_memo(void);

#endif
