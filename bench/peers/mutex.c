/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* A mutex, locked and unlocked: the unit in which naive is judged. */
#include "bench.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int peer_open(int size, int threads, int real)
{
    (void)threads, (void)real;
    return size;
}

void *peer_acquire(int thread)
{
    (void)thread;
    (void)pthread_mutex_lock(&lock);
    return &lock;
}

void peer_release(int thread, void *lease)
{
    (void)thread;
    (void)pthread_mutex_unlock(lease);
}

void peer_run(void *lease, const char *sql)
{
    (void)lease, (void)sql;
}

void peer_lookup(void *lease, int key)
{
    (void)lease, (void)key;
}
