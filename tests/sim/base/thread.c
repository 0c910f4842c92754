/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/thread.h"

#include "base/sched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_HANDLERS = 8 };
static void (*handlers[MAX_HANDLERS])(void);
static int handler_count;

int thread_start(struct thread *thread, void *(*run)(void *), void *arg)
{
    sched_counts.system++;
    sched_point();
    if (sched_broken(SIM_THREAD_START))
        return EAGAIN;
    struct sim_thread *id = sched_start("thread", run, arg);
    /* the thread may run, and end, before its starter continues */
    sched_point();
    thread->id = id;
    return 0;
}

void thread_self(struct thread *thread)
{
    thread->id = sched_self();
}

void thread_begin(const char *name)
{
    struct sim_thread *self = sched_self();
    (void)snprintf(self->name, sizeof self->name, "%s", name);
}

void thread_join(struct thread *thread)
{
    sched_counts.system++;
    sched_point();
    sched_join(thread->id);
}

void thread_detach(struct thread *thread)
{
    sched_counts.system++;
    sched_point();
    sched_detach(thread->id);
}

struct thread_memo *thread_memo(void)
{
    return &sched_self()->memo;
}

/* Handlers stay for later runs, as the library does. */
int thread_at_fork(void (*in_child)(void))
{
    if (sched_broken(SIM_AT_FORK) || handler_count == MAX_HANDLERS)
        return ENOMEM;
    handlers[handler_count++] = in_child;
    return 0;
}

int sim_fork(int (*run)(void *), void *arg)
{
    pid_t child = fork();
    if (child < 0)
        sim_fail("fork failed: %d", errno);
    if (child == 0) {
        struct sim_thread *t;
        for (int i = 1; (t = sched_thread(i)) != NULL; i++)
            t->state = SIM_ENDED;
        for (int i = 0; i < handler_count; i++)
            handlers[i]();
        _exit(run(arg));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
