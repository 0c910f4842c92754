/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE /* pthread_setname_np */
#include "base/thread.h"

#include <signal.h>
#include <stdio.h>

_Thread_local struct thread_memo thread__memo;

int thread_start(struct thread *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc != 0)
        return rc;
    rc = pthread_create(&thread->id, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void thread_self(struct thread *thread)
{
    thread->id = pthread_self();
}

void thread_join(struct thread *thread)
{
    (void)pthread_join(thread->id, NULL);
}

void thread_detach(struct thread *thread)
{
    (void)pthread_detach(thread->id);
}

void thread_set_name(const char *name)
{
    char short_name[16]; /* the kernel's limit */
    (void)snprintf(short_name, sizeof short_name, "%s", name);
    (void)pthread_setname_np(pthread_self(), short_name);
}

int thread_at_fork(void (*in_child)(void))
{
    return pthread_atfork(NULL, NULL, in_child);
}
