/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Other threads of a test of the core: a caller is a coroutine that acquires
 * once, holds the lease, gives it back, and remembers how that went.
 */
#ifndef SUPPORT_CALLER_H
#define SUPPORT_CALLER_H

#include "support_fake.h"

#include "harness.h"

#define CALLER_KEEPS (-1) /* hold_ms: the lease stays in item */

struct caller {
    rpool *pool;
    int64_t start_ms; /* sleeps that long first */
    int timeout_ms;   /* of the acquire */
    int64_t hold_ms;
    /* What became of it. */
    int id, answered;
    int turn; /* who was answered later has a higher one */
    rpool_status status;
    rpool_failure why;
    rpool_item *item;
    int resource; /* its number in the fake */
    int64_t at_ms;
};

/* Starts it, and lets it come as far as it can. */
void caller_start(struct caller *caller);

/* The same without running it yet: for seeds. */
void caller_spawn(struct caller *caller);

/* The status of a caller that must have been answered by now. */
rpool_status caller_status(const struct caller *caller);

/* Closes without a deadline; fails if anything is left. */
void close_pool(rpool **pool);

/* `count` idle items of a pool: leased together, then given back in order. */
void make_idle(rpool *pool, int count);

#define FAKE_TEST(f)                                                           \
    cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

#endif
