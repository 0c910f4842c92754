/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The wrapped functions, and the processes in which they are called. */
#include "support_nth.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_S = 60, RUNS = 5000, GOOD = 0, NOTHING_FAILED = 10, BAD = 11 };

static atomic_long left = LONG_MAX; /* calls until one fails */
static atomic_int lasts;

static int fails(void)
{
    long before = atomic_fetch_sub(&left, 1);
    return before == 1 || (before < 1 && atomic_load(&lasts));
}

void nth_heal(void)
{
    atomic_store(&lasts, 0);
    if (atomic_load(&left) > 0) /* fewer calls than that were made */
        atomic_store(&left, LONG_MAX);
}

void nth_check(int ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "%s\n", what);
    _exit(BAD);
}

static int run(void (*body)(void), int n, int lasting)
{
    pid_t child = fork();
    if (child < 0)
        return BAD;
    if (child == 0) {
        (void)alarm(LIMIT_S);
        atomic_store(&lasts, lasting);
        atomic_store(&left, n);
        body();
        exit(atomic_load(&left) > 0 ? NOTHING_FAILED : GOOD);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return BAD;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int nth_for_every(void (*body)(void), int lasting)
{
    for (int n = 1; n <= RUNS; n++) {
        int outcome = run(body, n, lasting);
        if (outcome == NOTHING_FAILED)
            return n - 1;
        if (outcome != GOOD)
            fail_msg("with call %d failing the run ends with %d", n, outcome);
    }
    fail_msg("the runs do not end");
    return 0;
}

/* ---- the calls ---- */

/* Defines a wrapped function: what it returns instead, and with which errno. */
#define WRAP(type, name, parameters, arguments, failure, error)                \
    type __real_##name parameters;                                             \
    type __wrap_##name parameters;                                             \
    type __wrap_##name parameters                                              \
    {                                                                          \
        if (!fails())                                                          \
            return __real_##name arguments;                                    \
        errno = (error);                                                       \
        return (failure);                                                      \
    }

WRAP(void *, malloc, (size_t n), (n), NULL, ENOMEM)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL, ENOMEM)
WRAP(void *, realloc, (void *p, size_t n), (p, n), NULL, ENOMEM)
WRAP(void *, aligned_alloc, (size_t to, size_t n), (to, n), NULL, ENOMEM)
WRAP(char *, strdup, (const char *s), (s), NULL, ENOMEM)
WRAP(char *, strndup, (const char *s, size_t n), (s, n), NULL, ENOMEM)
WRAP(int, pthread_create,
     (pthread_t * id, const pthread_attr_t *a, void *(*start)(void *),
      void *arg),
     (id, a, start, arg), EAGAIN, EAGAIN)
WRAP(int, pthread_mutex_init,
     (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a), EAGAIN,
     EAGAIN)
WRAP(int, pthread_cond_init, (pthread_cond_t * c, const pthread_condattr_t *a),
     (c, a), EAGAIN, EAGAIN)
WRAP(int, pthread_atfork,
     (void (*before)(void), void (*parent)(void), void (*in_child)(void)),
     (before, parent, in_child), ENOMEM, ENOMEM)
WRAP(int, epoll_create1, (int flags), (flags), -1, EMFILE)
WRAP(int, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event),
     (epoll, what, fd, event), -1, ENOSPC)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), -1, EMFILE)
WRAP(int, getaddrinfo,
     (const char *node, const char *service, const struct addrinfo *hints,
      struct addrinfo **list),
     (node, service, hints, list), EAI_MEMORY, ENOMEM)
