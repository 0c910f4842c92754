/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The nth allocation, thread creation or descriptor of the generic pool fails,
 * for every n.  The call that needed it must report an error, nothing may leak,
 * and afterwards the pool, or the next pool, must work.
 */
#include "support_nth.h"

#include <pqpool/rpool.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { RESOURCES = 64, SOON_MS = 5000 };

static char resources[RESOURCES];
static atomic_int made, ended, over;

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    (void)ctx, (void)deadline, (void)stop_fd, (void)why;
    int n = atomic_fetch_add(&made, 1);
    nth_check(n < RESOURCES, "too many resources are created");
    *resource = &resources[n];
    return 0;
}

static void destroy(void *ctx, void *resource)
{
    (void)ctx, (void)resource;
    atomic_fetch_add(&ended, 1);
}

static void done(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&over, 1);
}

static rpool_status open_once(rpool **pool)
{
    const rpool_provider provider = {.size = sizeof provider,
                                     .create = create,
                                     .destroy = destroy,
                                     .done = done};
    rpool_failure why = {0};
    rpool_status status =
        rpool_open(pool, &provider, NULL, RPOOL_OPTIONS(.max_size = 4), &why);
    nth_check((status == RPOOL_OK) == (*pool != NULL),
              "open must return a pool only with OK");
    nth_check(status == RPOOL_OK || status == RPOOL_NOMEM ||
                  status == RPOOL_SYSTEM,
              "open returned an unexpected status");
    nth_check(status == RPOOL_OK || why.message[0] != '\0',
              "open returned no message");
    return status;
}

static void *borrow(void *pool)
{
    rpool_item *item = NULL;
    rpool_failure why;
    nth_check(rpool_acquire(pool, SOON_MS, &item, &why) == RPOOL_OK,
              "an acquire failed");
    nth_check(rpool_resource(item) != NULL, "a lease has no resource");
    rpool_release(&item);
    return NULL;
}

static void use(rpool *pool)
{
    rpool_item *items[4] = {NULL};
    rpool_failure why;
    for (int i = 0; i < 4; i++)
        nth_check(rpool_acquire(pool, SOON_MS, &items[i], &why) == RPOOL_OK,
                  "an acquire failed");
    for (int i = 0; i < 4; i++)
        rpool_release(&items[i]);
}

static void open_use_and_close(void)
{
    rpool *pool = NULL;
    if (open_once(&pool) != RPOOL_OK) {
        nth_check(over == 0, "done was called although open failed");
        nth_heal();
        nth_check(open_once(&pool) == RPOOL_OK, "the second open failed");
    }
    use(pool);
    rpool_status status = rpool_resize(pool, 1000, 0);
    nth_check(status == RPOOL_OK || status == RPOOL_NOMEM, "resize failed");
    use(pool);
    nth_heal();
    nth_check(rpool_resize(pool, 1000, 6) == RPOOL_OK, "resize failed");
    nth_check(rpool_wait(pool, SOON_MS, NULL) == RPOOL_OK,
              "min_size is not reached");
    (void)borrow(pool);
    nth_check(rpool_close(&pool, -1) == RPOOL_OK, "close left items");
    nth_check(made == ended, "not every resource was destroyed");
    nth_check(over == 1, "done was not called exactly once");
}

static void
pool_works_afterwards_when_nth_allocation_or_call_fails_once(void **state)
{
    (void)state;
    int points = nth_for_every(open_use_and_close, 0);
    print_message("%d points\n", points);
    assert_true(points > 15);
}

static void
pool_works_afterwards_when_every_call_from_the_nth_fails(void **state)
{
    (void)state;
    int points = nth_for_every(open_use_and_close, 1);
    print_message("%d points\n", points);
    assert_true(points > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            pool_works_afterwards_when_nth_allocation_or_call_fails_once),
        cmocka_unit_test(
            pool_works_afterwards_when_every_call_from_the_nth_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
