/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Threads of a test of the core.  A caller is a coroutine that acquires once,
 * holds the lease, releases it, and records the results.
 */
#ifndef SUPPORT_CALLER_H
#define SUPPORT_CALLER_H

#include "support_fake.h"

#include "harness.h"

#define CALLER_KEEPS (-1) /* for hold_ms: the lease stays in item */

struct caller {
    rpool *pool;
    int64_t start_ms; /* it sleeps this long first */
    int timeout_ms;   /* timeout of the acquire */
    int64_t hold_ms;
    /* The results. */
    int id, answered;
    int turn; /* a caller that is answered later has a higher turn */
    rpool_status status;
    rpool_failure why;
    rpool_item *item;
    int resource; /* its number in the fake provider */
    int64_t at_ms;
};

/* Starts the caller, and runs it until it blocks. */
void caller_start(struct caller *caller);

/* Starts the caller without running it yet, for tests with seeds. */
void caller_spawn(struct caller *caller);

/* Returns the status of a caller, or fails if it was not answered yet. */
rpool_status caller_status(const struct caller *caller);

/* Closes without a deadline, and fails if the close does. */
void close_pool(rpool **pool);

/* Leases `count` items together, then releases them in order. */
void make_idle(rpool *pool, int count);

#define FAKE_TEST(f)                                                           \
    cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

#endif
