/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Callbacks: the provider's functions and the listener.  Lock: not held in any
 * of these calls.
 */
#ifndef CORE_CALLOUT_H
#define CORE_CALLOUT_H

#include "pool.h"

/*
 * A callback, on the stack of the thread that makes it.  Until the callback
 * returns, the thread must not wait for that pool, nor for the pools of the
 * outer callbacks: what it waits for may wait for the callback.
 */
struct callout {
    const struct pool *pool;
    const struct callout *outer;
};

static inline void rpool__callout_begin(struct callout *here,
                                        const struct pool *pool)
{
    struct thread_memo *memo = thread_memo();
    *here = (struct callout){pool, memo->callout};
    memo->callout = here;
}

static inline void rpool__callout_end(const struct callout *here)
{
    assert(thread_memo()->callout == here);
    thread_memo()->callout = here->outer;
}

/* Returns whether the calling thread is in a callback of that pool, or is one
 * of its threads. */
int rpool__in_callout(const struct pool *pool);

/* The message for a call that may not wait there. */
extern const char rpool__in_callout_text[]
    __attribute__((visibility("hidden")));

/* Calls the listener, if there is one. */
void rpool__emit(struct pool *pool, rpool_event *event);

/* The same for an event about a slot that the caller owns. */
void rpool__emit_slot(struct pool *pool, const struct slot *slot,
                      rpool_event_type type, int64_t ms);

/* The provider's functions, for a slot that the caller owns. */
int rpool__call_create(struct pool *pool, int64_t deadline, void **resource,
                       rpool_failure *why);
int rpool__call_check(struct pool *pool, struct slot *slot, int64_t deadline);
int rpool__call_look(struct pool *pool, struct slot *slot);
int rpool__call_reset(struct pool *pool, struct slot *slot);
void rpool__call_destroy(struct pool *pool, struct slot *slot);
void rpool__call_done(struct pool *pool);

/* Watches the resource's descriptor for the peer's close.  Returns 0, also if
 * there is no descriptor, or 1 if it cannot be watched. */
int rpool__watch_slot(struct pool *pool, struct slot *slot);

/* Ends that.  Called before the resource is destroyed or detached. */
void rpool__unwatch(struct pool *pool, struct slot *slot);

#endif
