/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * few_threads [TIMES]: runs every operation of the generic pool on real
 * threads. There are few threads, so that valgrind's tools can follow them.
 */
#include <pqpool/rpool.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 150 };

static atomic_int live;
static rpool *pool;

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    static atomic_int calls;
    (void)ctx, (void)deadline, (void)stop_fd, (void)why;
    if (atomic_fetch_add(&calls, 1) % 7 == 3)
        return -1;
    *resource = malloc(1);
    if (*resource == NULL)
        return -1;
    atomic_fetch_add(&live, 1);
    return 0;
}

static void destroy(void *ctx, void *resource)
{
    (void)ctx;
    free(resource);
    atomic_fetch_sub(&live, 1);
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    static atomic_int calls;
    (void)ctx, (void)resource, (void)idle_ms, (void)deadline;
    return atomic_fetch_add(&calls, 1) % 11 == 5 ? RPOOL_BAD : RPOOL_GOOD;
}

static void on_event(void *arg, const rpool_event *event)
{
    (void)arg, (void)event;
}

static void operate(int round)
{
    switch (round % 50) {
    case 10:
        (void)rpool_recycle(pool);
        break;
    case 20:
        (void)rpool_resize(pool, 1 + round % 3, 0);
        break;
    case 30:
        (void)rpool_suspend(pool);
        (void)rpool_resume(pool);
        break;
    default: {
        rpool_stats stats = {.size = sizeof stats};
        (void)rpool_stats_get(pool, &stats);
    }
    }
}

static void *borrow(void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        rpool_item *item = NULL;
        rpool_status status =
            rpool_acquire(pool, round % 5 == 0 ? 0 : 200, &item, NULL);
        if (status == RPOOL_OK && round % 13 == 0)
            rpool_discard(&item);
        else if (status == RPOOL_OK && round % 17 == 0)
            destroy(NULL, rpool_detach(&item));
        else
            rpool_release(&item);
        operate(round);
    }
    return NULL;
}

static int run(void)
{
    const rpool_provider provider = {.size = sizeof provider,
                                     .create = create,
                                     .destroy = destroy,
                                     .check = check};
    if (rpool_open(&pool, &provider, NULL,
                   RPOOL_OPTIONS(.max_size = 2, .check_after_ms = 1,
                                 .keepalive_ms = 5, .idle_timeout_ms = 20,
                                 .max_lifetime_ms = 100, .leak_after_ms = 50,
                                 .create_retry_max_ms = 2,
                                 .on_event = on_event),
                   NULL) != RPOOL_OK)
        return -1;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, borrow, NULL) != 0)
            return -1;
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    rpool_status status = rpool_close(&pool, -1);
    if (status == RPOOL_OK && atomic_load(&live) == 0)
        return 0;
    (void)fprintf(stderr, "close: %s, %d left\n", rpool_strerror(status),
                  atomic_load(&live));
    return -1;
}

int main(int argc, char **argv)
{
    for (long times = argc > 1 ? strtol(argv[1], NULL, 10) : 1; times > 0;
         times--)
        if (run() != 0)
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
