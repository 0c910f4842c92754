/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Only the lock-free acquire and release, without reset and events.  There are
 * more threads than items.  No item may be leased twice at a time, or stay idle
 * while a thread waits.
 */
#include "support_stress.h"

#include "harness.h"

#include <poll.h>
#include <pthread.h>

enum { THREADS = 8, ITEMS = 3 };

struct borrower {
    struct stress *stress;
    rpool *pool;
    int64_t until;
    uint64_t leases, failed;
};

static void *borrow_again_and_again(void *arg)
{
    struct borrower *b = arg;
    while (rpool_now() < b->until) {
        for (int i = 0; i < 100; i++) {
            rpool_item *item = NULL;
            if (rpool_acquire(b->pool, 20000, &item, NULL) != RPOOL_OK) {
                b->failed++;
                continue;
            }
            struct stress_resource *resource = rpool_resource(item);
            stress_enter(resource);
            b->leases++;
            stress_leave(resource);
            rpool_release(&item);
        }
    }
    return NULL;
}

/* I2 I3 A18: an item that is lost makes an acquire fail after twenty seconds.
 */
static void no_item_is_leased_twice_or_lost_when_threads_compete(void **state)
{
    (void)state;
    struct stress s;
    stress_begin(&s);
    s.provider.reset = NULL;
    int threads = stress_threads();
    rpool *pool = NULL;
    assert_int_equal(
        rpool_open(&pool, &s.provider, &s,
                   RPOOL_OPTIONS(.max_size = ITEMS, .check_after_ms = 1), NULL),
        RPOOL_OK);
    struct borrower b[THREADS];
    pthread_t id[THREADS];
    int64_t until = stress_until();
    for (int i = 0; i < THREADS; i++) {
        b[i] = (struct borrower){.stress = &s, .pool = pool, .until = until};
        assert_int_equal(
            pthread_create(&id[i], NULL, borrow_again_and_again, &b[i]), 0);
    }
    uint64_t leases = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(id[i], NULL), 0);
        assert_int_equal(b[i].failed, 0);
        leases += b[i].leases;
    }
    rpool_stats stats = {.size = sizeof stats};
    assert_int_equal(rpool_stats_get(pool, &stats), RPOOL_OK);
    assert_int_equal(stats.acquired, leases);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_in_range(s.created, 1, ITEMS);
    assert_int_equal(rpool_close(&pool, -1), RPOOL_OK);
    assert_int_equal(s.overlaps, 0);
    assert_int_equal(s.created, s.destroyed);
    assert_int_equal(stress_threads_left(threads), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_item_is_leased_twice_or_lost_when_threads_compete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
