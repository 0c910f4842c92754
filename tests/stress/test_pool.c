/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Threads call one pool at random: acquire in each way, release, discard,
 * detach, use stale handles, recycle, resize, suspend, read statistics.  At the
 * end one thread closes the pool while the others go on.
 */
#include "support_stress.h"

#include "harness.h"

#include <poll.h>
#include <pthread.h>

enum { THREADS = 8, LARGEST = 12, OPERATIONS = 14 };

struct hammer {
    struct stress *stress;
    rpool *pool;
    uint64_t random;
    int64_t until; /* after this time it goes on until the pool is closed */
    rpool_item *stale;
    uint64_t leases, wrong;
};

static void end_lease(struct hammer *h, rpool_item **item)
{
    struct stress_resource *resource = rpool_resource(*item);
    stress_leave(resource);
    switch (stress_random(&h->random, 12)) {
    case 0:
        rpool_discard(item);
        break;
    case 1:
        stress_end_detached(rpool_detach(item));
        break;
    default:
        rpool_release(item);
    }
}

static rpool_status borrow(struct hammer *h, int timeout_ms)
{
    rpool_item *item = NULL;
    rpool_failure why;
    rpool_status status = rpool_acquire(h->pool, timeout_ms, &item, &why);
    if (status != RPOOL_OK) {
        h->wrong += item != NULL;
        return status;
    }
    struct stress_resource *resource = rpool_resource(item);
    stress_enter(resource);
    h->leases++;
    if (stress_random(&h->random, 8) == 0)
        (void)poll(NULL, 0, 1);
    h->wrong += rpool_resource(item) != resource;
    h->stale = item;
    end_lease(h, &item);
    return RPOOL_OK;
}

static void misuse(struct hammer *h)
{
    h->wrong += rpool_resource(h->stale) != NULL;
    rpool_item *copy = h->stale;
    if (stress_random(&h->random, 2))
        rpool_release(&copy);
    else
        rpool_discard(&copy);
}

static void look(struct hammer *h)
{
    rpool_stats s = {.size = sizeof s};
    if (rpool_stats_get(h->pool, &s) != RPOOL_OK)
        return;
    h->wrong +=
        s.idle + s.in_use + s.checking + s.creating + s.closing != s.total;
    h->wrong += s.total > LARGEST;
}

static rpool_status step(struct hammer *h)
{
    switch (stress_random(&h->random, OPERATIONS)) {
    case 0:
        return borrow(h, 0);
    case 1:
        return borrow(h, (int)stress_random(&h->random, 3));
    case 2:
        misuse(h);
        return RPOOL_OK;
    case 3:
        look(h);
        return RPOOL_OK;
    case 4:
        if (stress_random(&h->random, 20) == 0)
            return rpool_recycle(h->pool);
        return RPOOL_OK;
    case 5: {
        int max = 1 + (int)stress_random(&h->random, LARGEST);
        int min = (int)stress_random(&h->random, (uint64_t)max);
        if (stress_random(&h->random, 20) == 0)
            return rpool_resize(h->pool, max, min);
        return RPOOL_OK;
    }
    case 6:
        if (stress_random(&h->random, 20) != 0)
            return RPOOL_OK;
        (void)rpool_suspend(h->pool);
        return rpool_resume(h->pool);
    default:
        return borrow(h, 1000);
    }
}

static void *hammer(void *arg)
{
    struct hammer *h = arg;
    rpool_status status;
    do {
        status = step(h);
        h->wrong += status == RPOOL_INVALID || status == RPOOL_NOMEM ||
                    status == RPOOL_SYSTEM || status == RPOOL_FORKED;
    } while (status != RPOOL_CLOSED);
    h->wrong += rpool_now() < h->until; /* the pool was closed too early */
    return NULL;
}

static void check_end(const struct stress *s)
{
    assert_int_equal(s->overlaps, 0);
    assert_int_equal(s->created, s->destroyed + s->detached);
    assert_int_equal(s->done, 1);
    assert_int_equal(s->freed, 1);
    assert_true(s->misused > 0);
}

static void run(int close_timeout_ms)
{
    struct stress s;
    stress_begin(&s);
    s.failing = 20;
    s.sockets = 1;
    int threads = stress_threads();
    rpool *pool = NULL;
    assert_int_equal(
        rpool_open(&pool, &s.provider, &s,
                   RPOOL_OPTIONS(.name = "stress", .max_size = 4,
                                 .create_concurrency = 3, .max_uses = 500,
                                 .idle_timeout_ms = 3, .max_lifetime_ms = 50,
                                 .check_after_ms = 1, .keepalive_ms = 5,
                                 .leak_after_ms = 2, .create_retry_max_ms = 5,
                                 .on_event = stress_on_event, .arg = &s),
                   NULL),
        RPOOL_OK);
    struct hammer h[THREADS];
    pthread_t id[THREADS];
    int64_t until = stress_until();
    for (int i = 0; i < THREADS; i++) {
        h[i] = (struct hammer){.stress = &s,
                               .pool = pool,
                               .random = s.seed + (uint64_t)i * 7919,
                               .until = until};
        assert_int_equal(pthread_create(&id[i], NULL, hammer, &h[i]), 0);
    }
    while (rpool_now() < until)
        (void)poll(NULL, 0, 10);
    rpool_status status = rpool_close(&pool, close_timeout_ms);
    uint64_t leases = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(id[i], NULL), 0);
        assert_int_equal(h[i].wrong, 0);
        leases += h[i].leases;
    }
    assert_true(status == RPOOL_OK ||
                (status == RPOOL_TIMEOUT && close_timeout_ms >= 0));
    assert_true(leases > THREADS);
    assert_int_equal(stress_threads_left(threads), 0);
    check_end(&s);
}

/* V01 F16 F21 A17 G09 */
static void
pool_stays_consistent_when_waiting_close_ends_random_calls(void **state)
{
    (void)state;
    run(-1);
}

/* V01 F06 I14 */
static void
pool_stays_consistent_when_immediate_close_ends_random_calls(void **state)
{
    (void)state;
    run(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            pool_stays_consistent_when_waiting_close_ends_random_calls),
        cmocka_unit_test(
            pool_stays_consistent_when_immediate_close_ends_random_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
