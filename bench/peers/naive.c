/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The pool that everybody writes first: a mutex, a condition variable and a
 * stack.  The unit in which the others are judged. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
static void **idle;
static int idle_count;

int peer_open(int size, int threads, int real)
{
    (void)threads;
    idle = calloc((size_t)size, sizeof *idle);
    if (idle == NULL)
        die("out of memory");
    while (idle_count < size)
        idle[idle_count++] = resource_make(real);
    return size;
}

void *peer_acquire(int thread)
{
    (void)thread;
    (void)pthread_mutex_lock(&lock);
    while (idle_count == 0)
        (void)pthread_cond_wait(&freed, &lock);
    void *resource = idle[--idle_count];
    (void)pthread_mutex_unlock(&lock);
    return resource;
}

void peer_release(int thread, void *lease)
{
    (void)thread;
    (void)pthread_mutex_lock(&lock);
    idle[idle_count++] = lease;
    (void)pthread_cond_signal(&freed);
    (void)pthread_mutex_unlock(&lock);
}

void peer_run(void *lease, const char *sql)
{
    resource_run(lease, sql);
}

void peer_lookup(void *lease, int key)
{
    resource_lookup(lease, key);
}
