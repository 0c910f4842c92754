/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * scale SIZE WAITERS: what a pool of SIZE items that cost nothing takes for
 * each item, with WAITERS threads in line at its close.  Prints lines of
 * "figure value".
 *
 *   fill       from open until all items are ready: us of CPU for each item
 *   keepalive  all items are checked while they are idle: the same
 *   try        a try that fails, with its message: us of CPU
 *   stats      us of CPU
 *   recycle    until all items are new: us of CPU for each item
 *   shrink     all items are released after a resize to one: the same
 *   close      all items are released after a close: the same
 *   refuse     close with the waiters in line: us of CPU for each waiter
 *   memory     of a pool without its threads: bytes for each slot
 */
#include "bench.h"

#include <pqpool/rpool.h>

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Atomic int created, checked, destroyed;

_Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    (void)deadline, (void)stop_fd, (void)why;
    *resource = ctx;
    atomic_fetch_add(&created, 1);
    return 0;
}

static void destroy(void *ctx, void *resource)
{
    (void)ctx, (void)resource;
    atomic_fetch_add(&destroyed, 1);
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    (void)ctx, (void)resource, (void)idle_ms, (void)deadline;
    atomic_fetch_add(&checked, 1);
    return RPOOL_GOOD;
}

static rpool *open_pool(int size, int min_size, int keepalive_ms)
{
    static int resource;
    const rpool_provider provider = {.size = sizeof provider,
                                     .create = create,
                                     .destroy = destroy,
                                     .check = check};
    rpool *pool;
    rpool_failure why;
    created = checked = destroyed = 0;
    if (rpool_open(&pool, &provider, &resource,
                   RPOOL_OPTIONS(.max_size = size, .min_size = min_size,
                                 .create_concurrency = 8,
                                 .keepalive_ms = keepalive_ms),
                   &why) != RPOOL_OK ||
        rpool_wait(pool, 60000, &why) != RPOOL_OK)
        die(why.message);
    return pool;
}

/* ---- figures ---- */

static double cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double began;

static void begin(void)
{
    began = cpu_us();
}

static void end(const char *figure, int count)
{
    printf("%s %.3f\n", figure, (cpu_us() - began) / count);
}

static void await(const _Atomic int *counter, int count)
{
    while (atomic_load(counter) < count)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void close_pool(rpool *pool)
{
    if (rpool_close(&pool, 60000) != RPOOL_OK)
        die("a close takes a minute");
}

static void lease_all(rpool *pool, rpool_item **items, int size)
{
    for (int i = 0; i < size; i++)
        if (rpool_acquire(pool, -1, &items[i], NULL) != RPOOL_OK)
            die("cannot acquire");
}

static void release_all(rpool_item **items, int size)
{
    for (int i = 0; i < size; i++)
        rpool_release(&items[i]);
}

/* ---- the cases ---- */

static void measure_memory(int size)
{
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    rpool *pool = open_pool(size, 0, RPOOL_NEVER);
    size_t bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    printf("memory %.1f\n", (double)bytes / size);
    close_pool(pool);
}

static void measure_fill_and_recycle(int size)
{
    begin();
    rpool *pool = open_pool(size, size, RPOOL_NEVER);
    end("fill", size);

    rpool_stats stats = {.size = sizeof stats};
    begin();
    (void)rpool_stats_get(pool, &stats);
    end("stats", 1);

    begin();
    (void)rpool_recycle(pool);
    await(&created, 2 * size);
    end("recycle", size);
    close_pool(pool);
}

static void measure_keepalive(int size)
{
    rpool *pool = open_pool(size, size, 200);
    begin();
    await(&checked, size);
    end("keepalive", size);
    close_pool(pool);
}

static void measure_shrink(int size, rpool_item **items)
{
    rpool *pool = open_pool(size, size, RPOOL_NEVER);
    lease_all(pool, items, size);
    rpool_item *more = NULL;
    rpool_failure why;
    begin();
    if (rpool_acquire(pool, 0, &more, &why) != RPOOL_BUSY)
        die("a try succeeds");
    end("try", 1);

    begin();
    (void)rpool_resize(pool, 1, 0);
    release_all(items, size);
    await(&destroyed, size - 1);
    end("shrink", size);
    close_pool(pool);
}

static void measure_close(int size, rpool_item **items)
{
    rpool *pool = open_pool(size, size, RPOOL_NEVER);
    lease_all(pool, items, size);
    begin();
    (void)rpool_close(&pool, 0);
    release_all(items, size);
    await(&destroyed, size);
    end("close", size);
}

static void *wait_in_line(void *pool)
{
    rpool_item *item;
    if (rpool_acquire(pool, -1, &item, NULL) != RPOOL_CLOSED)
        die("a waiter is not refused");
    return NULL;
}

static void measure_refuse(int size, int waiters)
{
    pthread_t *threads = calloc((size_t)waiters, sizeof *threads);
    rpool *pool = open_pool(size, size, RPOOL_NEVER);
    pthread_attr_t attr;
    if (threads == NULL || pthread_attr_init(&attr) != 0 ||
        pthread_attr_setstacksize(&attr, 65536) != 0)
        die("out of memory");
    (void)rpool_suspend(pool);
    for (int i = 0; i < waiters; i++)
        if (pthread_create(&threads[i], &attr, wait_in_line, pool) != 0)
            die("cannot start a thread");
    rpool_stats stats = {.size = sizeof stats};
    do
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    while (rpool_stats_get(pool, &stats) == RPOOL_OK &&
           stats.waiting < waiters);
    begin();
    close_pool(pool);
    for (int i = 0; i < waiters; i++)
        (void)pthread_join(threads[i], NULL);
    end("refuse", waiters);
    free(threads);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: scale SIZE WAITERS");
    int size = (int)strtol(argv[1], NULL, 10);
    int waiters = (int)strtol(argv[2], NULL, 10);
    rpool_item **items = calloc((size_t)size, sizeof(rpool_item *));
    if (items == NULL)
        die("out of memory");
    measure_memory(size);
    measure_fill_and_recycle(size);
    measure_keepalive(size);
    measure_shrink(size, items);
    measure_close(size, items);
    measure_refuse(size, waiters);
    free(items);
    return 0;
}
