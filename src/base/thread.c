/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Linux gives a new thread the processors, the policy and the nice value of the
 * thread that starts it.  A borrower may be pinned to one processor or run with
 * real-time priority.  The pool's threads work for all borrowers, so they take
 * these values from the main thread instead.
 *
 * A value is set only if it differs.  A process whose threads are all alike
 * then makes no such system call, which a sandbox may refuse or answer with a
 * signal.
 */
#define _GNU_SOURCE /* affinity, pthread_setname_np, dl_iterate_phdr */
#include "base/thread.h"

#include <errno.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

_Thread_local struct thread_memo thread__memo;

/* ---- the stack ---- */

static int add_thread_locals(struct dl_phdr_info *object, size_t size,
                             void *total)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_TLS)
            *(size_t *)total +=
                object->dlpi_phdr[i].p_memsz + object->dlpi_phdr[i].p_align;
    return 0;
}

/* glibc keeps the thread-locals of the process on the thread's stack.  Adds
 * their size, and that of libraries that were loaded later. */
static size_t stack_size(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), thread_locals = 0;
    (void)dl_iterate_phdr(add_thread_locals, &thread_locals);
    return (THREAD_STACK + thread_locals + page - 1) / page * page;
}

/* ---- the processors ---- */

/* Room for 8192 processors, the most that kernels are built for. */
struct processors {
    unsigned long bits[8192 / (8 * sizeof(unsigned long))];
};

/* Returns 1 and sets *main_thread if the main thread may run on other
 * processors than the calling thread. */
static int processors_differ(struct processors *main_thread)
{
    struct processors own = {{0}};
    *main_thread = own;
    return sched_getaffinity(getpid(), sizeof *main_thread,
                             (cpu_set_t *)main_thread) == 0 &&
           sched_getaffinity(0, sizeof own, (cpu_set_t *)&own) == 0 &&
           memcmp(&own, main_thread, sizeof own) != 0;
}

static int prepare(pthread_attr_t *attr)
{
    int rc = pthread_attr_setstacksize(attr, stack_size());
#ifdef __GLIBC__
    struct processors main_thread;
    if (rc == 0 && processors_differ(&main_thread))
        rc = pthread_attr_setaffinity_np(attr, sizeof main_thread,
                                         (const cpu_set_t *)&main_thread);
#endif
    return rc;
}

/* The kernel may refuse the processors, and a tunable of glibc may reserve more
 * thread-locals than fit on the stack.  Then the thread is started with the
 * system's defaults. */
static int create(pthread_t *id, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);
    if (rc != 0)
        return rc;

    rc = prepare(&attr);
    if (rc == 0)
        rc = pthread_create(id, &attr, run, arg);
    (void)pthread_attr_destroy(&attr);
    if (rc == EPERM || rc == EINVAL)
        rc = pthread_create(id, NULL, run, arg);
    return rc;
}

int thread_start(struct thread *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc != 0)
        return rc;

    rc = create(&thread->id, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* ---- scheduling ---- */

/* With SCHED_RESET_ON_FORK, the real-time priority of the main thread is not
 * inherited: the new thread becomes an ordinary one. */
static void take_policy_of_main_thread(void)
{
    struct sched_param wanted, own;
    int policy = sched_getscheduler(getpid());
    if (policy < 0 || sched_getparam(getpid(), &wanted) != 0 ||
        sched_getparam(0, &own) != 0)
        return; /* always so with musl */

    int inherits = (policy & SCHED_RESET_ON_FORK) == 0;
    policy &= ~SCHED_RESET_ON_FORK;
    if (!inherits && (policy == SCHED_FIFO || policy == SCHED_RR)) {
        policy = SCHED_OTHER;
        wanted.sched_priority = 0;
    }
    if (sched_getscheduler(0) != policy ||
        own.sched_priority != wanted.sched_priority)
        (void)sched_setscheduler(0, policy, &wanted);
}

/* On Linux each thread has a nice value.  The id of the main thread is that of
 * the process. */
static void take_nice_of_main_thread(void)
{
    int wanted = getpriority(PRIO_PROCESS, (id_t)getpid());
    if (getpriority(PRIO_PROCESS, 0) != wanted)
        (void)setpriority(PRIO_PROCESS, 0, wanted);
}

void thread_begin(const char *name)
{
    char short_name[16]; /* the kernel's limit */
    (void)snprintf(short_name, sizeof short_name, "%s", name);
    (void)pthread_setname_np(pthread_self(), short_name);

#ifndef __GLIBC__ /* prepare() did it */
    struct processors main_thread;
    if (processors_differ(&main_thread))
        (void)sched_setaffinity(0, sizeof main_thread,
                                (const cpu_set_t *)&main_thread);
#endif
    take_policy_of_main_thread();
    take_nice_of_main_thread();
}

/* ---- the rest ---- */

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

int thread_at_fork(void (*in_child)(void))
{
    return pthread_atfork(NULL, NULL, in_child);
}
