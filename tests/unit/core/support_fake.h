/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A provider for tests of the core: it does what the test sets, counts, and
 * complains when it is called with a lock held, on a resource that is gone, or
 * twice at a time on one resource.  Runs on the simulated base only.
 *
 *     static void lends_what_it_made(void **state)
 *     {
 *         struct fake *fake = *state;
 *         rpool *pool = fake_open(fake, .max_size = 1);
 *         rpool_item *item = fake_lease(pool);
 *         assert_int_equal(fake->created, 1);
 *         rpool_release(&item);
 *         assert_int_equal(rpool_close(&pool, -1), RPOOL_OK);
 *     }
 *     ... cmocka_unit_test_setup_teardown(lends_what_it_made, fake_setup,
 *                                         fake_teardown)
 */
#ifndef SUPPORT_FAKE_H
#define SUPPORT_FAKE_H

#include "sim.h"

#include <pqpool/rpool.h>

/* Results of create.  FAKE_LONG fails with a message that fills its field. */
enum { FAKE_OK, FAKE_TRANSIENT, FAKE_PERMANENT, FAKE_NULL, FAKE_LONG };
#define FAKE_HANG (-1)

/* What a provider call does: it sleeps `ms`, then returns `result`, which is
 * one of the above or a result of rpool_provider's check and reset.  A deadline
 * ends every sleep: then create fails, and check returns AGAIN.  FAKE_HANG
 * sleeps until the deadline, and then returns `result`. */
struct fake_step {
    int result;
    int64_t ms;
    int times; /* for so many calls, then all zero; 0: always */
};

struct fake_resource {
    struct fake *fake;
    int number; /* the first resource has 1 */
    int fd;     /* sim_hang_up() takes it */
    int busy, gone;
    int checks, resets;
};

struct fake_event {
    rpool_event_type type;
    rpool_reason reason;
    uint64_t item;
    int resource; /* its number in the fake; 0: none */
    int64_t ms, at_ms;
    rpool_site site;
    rpool_failure failure;
    char message[256];
};

struct fake {
    rpool_provider provider; /* may be changed before fake_open() */
    struct fake_step create, check, look, reset, destroy;
    void (*hook)(struct fake *fake, const rpool_event *event);

    int creates; /* number of calls */
    /* running now, and the highest number at a time */
    int creating, creating_peak;
    int created, destroyed, detached, live, peak;
    int stopped; /* creations that were ended by the stop descriptor */
    int checks, looks, resets, done;
    int64_t idle_ms;          /* argument of the last check */
    int64_t check_timeout_ms; /* of the last check; 0: it may not wait */
    int64_t create_timeout_ms;

    /* every resource, in the order of creation */
    struct fake_resource **resources;
    struct fake_event *events;
    int event_count;
};

/* Begins a FIFO run.  *state becomes a new struct fake *. */
int fake_setup(void **state);

/* Fails unless every resource is gone and every coroutine has ended. */
int fake_teardown(void **state);

/* The same two steps for a test that chooses its seeds. */
void fake_begin(struct fake *fake, uint64_t seed);
void fake_end(struct fake *fake);

/* Opens a pool on the fake.  At least one field of rpool_options must be named.
 */
rpool *fake_open_with(struct fake *fake, const rpool_options *options);
#define fake_open(fake, ...)                                                   \
    fake_open_with((fake), RPOOL_OPTIONS(.on_event = fake_on_event,            \
                                         .arg = (fake), __VA_ARGS__))
void fake_on_event(void *arg, const rpool_event *event);

/* For provider.look; the provider has none unless a test sets it before
 * fake_open(). */
int fake_look(void *ctx, void *resource);

/* Acquires an item within a minute, or fails. */
rpool_item *fake_lease(rpool *pool);

/* Returns the resource of a lease. */
struct fake_resource *fake_of(const rpool_item *item);

/* Ends a resource that rpool_detach() returned. */
void fake_take(void *resource);

int fake_count(const struct fake *fake, rpool_event_type type);
int fake_closed_by(const struct fake *fake, rpool_reason reason);

/* Returns the latest event of that type, or fails if there is none. */
const struct fake_event *fake_last(const struct fake *fake,
                                   rpool_event_type type);

/* Returns the pool's current statistics. */
rpool_stats fake_stats(rpool *pool);

#endif
