/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Our core alone, with everything on that it can do without an event hook:
 * checks by idle age, leak tracking (LEAK_AFTER_MS), statistics. */
#include "bench.h"

#include <pqpool/rpool.h>

static rpool *pool;
static int are_real;

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    (void)ctx, (void)deadline, (void)stop_fd, (void)why;
    *resource = resource_make(are_real);
    return 0;
}

/* The process ends with its pool open. */
static void destroy(void *ctx, void *resource)
{
    (void)ctx, (void)resource;
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    (void)ctx, (void)resource, (void)idle_ms, (void)deadline;
    return RPOOL_GOOD;
}

int peer_open(int size, int threads, int real)
{
    (void)threads;
    are_real = real;
    const rpool_provider provider = {.size = sizeof provider,
                                     .create = create,
                                     .destroy = destroy,
                                     .check = check};
    rpool_failure why;
    if (rpool_open(&pool, &provider, NULL,
                   RPOOL_OPTIONS(.max_size = size, .min_size = size,
                                 .create_concurrency = 8,
                                 .leak_after_ms = LEAK_AFTER_MS),
                   &why) != RPOOL_OK ||
        rpool_wait(pool, 10000, &why) != RPOOL_OK)
        die(why.message);
    return size;
}

void *peer_acquire(int thread)
{
    (void)thread;
    rpool_item *item;
    if (rpool_acquire(pool, -1, &item, NULL) != RPOOL_OK)
        die("cannot acquire");
    return item;
}

void peer_release(int thread, void *lease)
{
    (void)thread;
    rpool_item *item = lease;
    rpool_release(&item);
}

void peer_run(void *lease, const char *sql)
{
    resource_run(rpool_resource(lease), sql);
}

void peer_lookup(void *lease, int key)
{
    resource_lookup(rpool_resource(lease), key);
}
