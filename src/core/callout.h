/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_CALLOUT_H
#define CORE_CALLOUT_H

#include "pool.h"

/*
 * A call of the provider or of a listener, on the stack of the thread that
 * makes it: until it returns the thread must not wait for that pool, nor for
 * those whose calls it is nested in.  rpool_close asks.
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
    thread_memo()->callout = here->outer;
}
/* Is the thread in a callback of that pool?  It must not wait there for what
 * may wait for the callback. */
int rpool__in_callout(const struct pool *pool);
extern const char rpool__in_callout_text[]
    __attribute__((visibility("hidden")));
void rpool__emit(struct pool *pool, rpool_event *event);
/* An event about a slot the caller owns. */
void rpool__emit_slot(struct pool *pool, const struct slot *slot,
                      rpool_event_type type, int64_t ms);
int rpool__call_create(struct pool *pool, int64_t deadline, void **resource,
                       rpool_failure *why);
/* The pool is over. */
void rpool__call_done(struct pool *pool);
int rpool__call_reset(struct pool *pool, struct slot *slot);
void rpool__call_destroy(struct pool *pool, struct slot *slot);
/* Not 0: it should be watched, and cannot be. */
int rpool__watch_slot(struct pool *pool, struct slot *slot);
/* Before the resource ends or leaves.  One whose descriptor was closed already
 * is asked for it again and says another: the number may be in a new
 * connection's hands, and a closed descriptor is watched by nobody. */
void rpool__unwatch(struct pool *pool, struct slot *slot);
/* The provider's verdict: after a ping, which ends at the deadline and with 0
 * at once, or on what has arrived already.  Thread: the owner. */
int rpool__call_check(struct pool *pool, struct slot *slot, int64_t deadline);
int rpool__call_look(struct pool *pool, struct slot *slot);

#endif
