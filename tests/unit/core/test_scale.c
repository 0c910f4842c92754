/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a pool costs that has 10,000 slots and 1,000 waiters.  The cost is the
 * number of operations on ordered atomics: a slot that is looked at costs at
 * least one.
 */
#include "support_caller.h"

#include <stdlib.h>

enum { SMALL = 100, LARGE = 10000 };

/* A full pool of that size, whose items do not expire. */
struct scale {
    struct fake fake;
    rpool *pool;
    int size;
    rpool_item **items;
};

static void open_scale(struct scale *s, int size)
{
    *s = (struct scale){.size = size};
    fake_begin(&s->fake, SIM_FIFO);
    s->items = calloc((size_t)size, sizeof *s->items);
    assert_non_null(s->items);
    s->pool = fake_open_with(&s->fake,
                             RPOOL_OPTIONS(.max_size = size, .min_size = size,
                                           .create_concurrency = 8,
                                           .idle_timeout_ms = RPOOL_NEVER,
                                           .max_lifetime_ms = RPOOL_NEVER));
    assert_int_equal(rpool_wait(s->pool, -1, NULL), RPOOL_OK);
}

static void close_scale(struct scale *s)
{
    close_pool(&s->pool);
    free(s->items);
    fake_end(&s->fake);
}

/* ---- linear in total ---- */

static uint64_t fill(int size)
{
    struct scale s;
    open_scale(&s, size);
    uint64_t atoms = sim_counts().atoms;
    close_scale(&s);
    return atoms;
}

/* An item of the large pool costs no more than a tenth above one of the small
 * pool. */
static void expect_linear(uint64_t (*cost)(int size))
{
    double small = (double)cost(SMALL) / SMALL;
    double large = (double)cost(LARGE) / LARGE;
    print_message("for each item of %d: %.1f, of %d: %.1f\n", SMALL, small,
                  LARGE, large);
    assert_true(large < small * 1.1);
}

static void fill_is_linear_when_a_pool_is_large(void **state)
{
    (void)state;
    expect_linear(fill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_is_linear_when_a_pool_is_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
