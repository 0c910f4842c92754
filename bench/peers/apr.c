/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* APR's resource list. */
#include "bench.h"

#include <apr_reslist.h>

static apr_reslist_t *pool;

static apr_status_t make(void **resource, void *real, apr_pool_t *memory)
{
    (void)memory;
    *resource = resource_make(real != NULL);
    return APR_SUCCESS;
}

static apr_status_t end(void *resource, void *real, apr_pool_t *memory)
{
    (void)resource, (void)real, (void)memory;
    return APR_SUCCESS;
}

int peer_open(int size, int threads, int real)
{
    (void)threads;
    static int is_real;
    apr_pool_t *memory;
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&memory, NULL) != APR_SUCCESS ||
        apr_reslist_create(&pool, size, size, size, 0, make, end,
                           real ? &is_real : NULL, memory) != APR_SUCCESS)
        die("cannot make a resource list");
    return size;
}

void *peer_acquire(int thread)
{
    (void)thread;
    void *resource;
    if (apr_reslist_acquire(pool, &resource) != APR_SUCCESS)
        die("cannot acquire");
    return resource;
}

void peer_release(int thread, void *lease)
{
    (void)thread;
    (void)apr_reslist_release(pool, lease);
}

void peer_run(void *lease, const char *sql)
{
    resource_run(lease, sql);
}

void peer_lookup(void *lease, int key)
{
    resource_lookup(lease, key);
}
