/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* No pool at all: each thread has a resource of its own.  The floor. */
#include "bench.h"

#include <stdlib.h>

static void **own;

int peer_open(int size, int threads, int real)
{
    int n = size > threads ? size : threads;
    own = calloc((size_t)n, sizeof *own);
    if (own == NULL)
        die("out of memory");
    for (int i = 0; i < n; i++)
        own[i] = resource_make(real);
    return n;
}

void *peer_acquire(int thread)
{
    return own[thread];
}

void peer_release(int thread, void *lease)
{
    (void)thread, (void)lease;
}

void peer_run(void *lease, const char *sql)
{
    resource_run(lease, sql);
}

void peer_lookup(void *lease, int key)
{
    resource_lookup(lease, key);
}
