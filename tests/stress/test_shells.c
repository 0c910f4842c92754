/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Threads open and close pools while other threads use any handle that they
 * have seen: of a pool that is closing, or closed, or whose cell is another
 * pool by now, or of another thread's lease, which they may end while it is in
 * use.
 */
#include "support_stress.h"

#include "harness.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

enum { THREADS = 6, SEEN = 16 };

struct world {
    struct stress stress;
    _Atomic(rpool *) pool;       /* of the present or the last pool */
    _Atomic(rpool_item *) lease; /* all threads see it, one thread has it */
    atomic_int stop;
};

struct user {
    struct world *world;
    uint64_t random;
    rpool *seen[SEEN];
    uint64_t leases, refused, wrong;
};

static void use_lease(struct user *u, const rpool_item *item)
{
    void *resource = NULL;
    rpool_status status = rpool_begin_use(item, &resource);
    u->wrong += status != RPOOL_OK && status != RPOOL_INVALID;
    if (status != RPOOL_OK)
        return;
    stress_enter(resource);
    if (stress_random(&u->random, 4) == 0)
        (void)poll(NULL, 0, 1);
    stress_leave(resource);
    rpool_end_use(item);
}

static void borrow(struct user *u, rpool *pool)
{
    rpool_item *item = NULL;
    rpool_status status =
        rpool_acquire(pool, (int)stress_random(&u->random, 3), &item, NULL);
    if (status != RPOOL_OK) {
        u->refused += status == RPOOL_CLOSED;
        u->wrong += item != NULL || status == RPOOL_SYSTEM;
        return;
    }
    u->leases++;
    rpool_item *copy = item;
    if (stress_random(&u->random, 2) == 0)
        atomic_store(&u->world->lease, item); /* for thieves */
    use_lease(u, item);
    rpool_release(&item);
    atomic_store(&u->world->lease, copy);
}

static void *use(void *arg)
{
    struct user *u = arg;
    while (!atomic_load(&u->world->stop)) {
        uint64_t i = stress_random(&u->random, SEEN);
        if (stress_random(&u->random, 4) == 0)
            u->seen[i] = atomic_load(&u->world->pool);
        if (u->seen[i] == NULL)
            continue;
        borrow(u, u->seen[i]);
        rpool_item *stale = atomic_load(&u->world->lease);
        if (stale != NULL && stress_random(&u->random, 4) == 0)
            rpool_release(&stale);
        if (stress_random(&u->random, 50) == 0)
            (void)rpool_recycle(u->seen[i]);
    }
    return NULL;
}

static void open_and_close(struct world *w, uint64_t *random)
{
    struct stress *s = &w->stress;
    rpool *pool = NULL;
    int listening = stress_random(random, 2) == 0;
    assert_int_equal(
        rpool_open(&pool, &s->provider, s,
                   RPOOL_OPTIONS(.max_size = 3, .min_size = 1,
                                 .create_retry_max_ms = 5,
                                 .on_event = listening ? stress_on_event : NULL,
                                 .arg = s),
                   NULL),
        RPOOL_OK);
    atomic_store(&w->pool, pool);
    (void)poll(NULL, 0, (int)stress_random(random, 4));
    rpool *copy = pool;
    int timeout = stress_random(random, 2) == 0 ? -1 : 0;
    rpool_status status = rpool_close(&pool, timeout);
    assert_true(status == RPOOL_OK || status == RPOOL_TIMEOUT);
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(copy, -1, &item, NULL), RPOOL_CLOSED);
}

/* F20 I-04 I-08 N16: no thread gets the resource of another pool. */
static void
stale_handles_are_refused_when_threads_open_and_close_pools(void **state)
{
    (void)state;
    static struct world w;
    stress_begin(&w.stress);
    w.stress.failing = 10;
    int threads = stress_threads(), opened = 0;
    struct user u[THREADS];
    pthread_t id[THREADS];
    for (int i = 0; i < THREADS; i++) {
        u[i] = (struct user){.world = &w,
                             .random = w.stress.seed + (uint64_t)i * 104729};
        assert_int_equal(pthread_create(&id[i], NULL, use, &u[i]), 0);
    }
    uint64_t random = w.stress.seed;
    for (int64_t until = stress_until(); rpool_now() < until; opened++)
        open_and_close(&w, &random);
    atomic_store(&w.stop, 1);
    uint64_t leases = 0, refused = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(id[i], NULL), 0);
        assert_int_equal(u[i].wrong, 0);
        leases += u[i].leases;
        refused += u[i].refused;
    }
    assert_true(opened > 1 && leases > 0 && refused > 0);
    assert_int_equal(stress_threads_left(threads), 0);
    assert_int_equal(w.stress.overlaps, 0);
    assert_int_equal(w.stress.created, w.stress.destroyed);
    assert_int_equal(w.stress.done, opened);
}

/* The handle is read without a lock and without an order, so that only the
 * pool's own words keep the threads apart. */
static void *knock(void *arg)
{
    struct world *w = arg;
    while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        rpool_item *item = NULL;
        rpool *pool = atomic_load_explicit(&w->pool, memory_order_relaxed);
        if (pool != NULL && rpool_acquire(pool, 1, &item, NULL) == RPOOL_OK)
            rpool_release(&item);
    }
    return NULL;
}

/* F20 N16: the lock-free acquire reads fields of a cell that becomes another
 * pool. */
static void
acquire_is_safe_when_another_thread_reopens_the_pools_cell(void **state)
{
    (void)state;
    static struct world w;
    stress_begin(&w.stress);
    w.stress.provider.reset = NULL;
    pthread_t id[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&id[i], NULL, knock, &w), 0);
    int opened = 0;
    for (int64_t until = stress_until(); rpool_now() < until; opened++) {
        rpool *pool = NULL;
        assert_int_equal(rpool_open(&pool, &w.stress.provider, &w.stress,
                                    RPOOL_OPTIONS(.max_size = 2, .min_size = 1,
                                                  .check_always = opened % 2),
                                    NULL),
                         RPOOL_OK);
        atomic_store_explicit(&w.pool, pool, memory_order_relaxed);
        (void)nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
        assert_int_equal(rpool_close(&pool, -1), RPOOL_OK);
    }
    atomic_store(&w.stop, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(w.stress.overlaps, 0);
    assert_int_equal(w.stress.done, opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            stale_handles_are_refused_when_threads_open_and_close_pools),
        cmocka_unit_test(
            acquire_is_safe_when_another_thread_reopens_the_pools_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
