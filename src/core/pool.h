/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The fields of slots, waiters, threads and pools.
 *
 * A slot's word says which thread owns the slot (word.h).  The owner may write
 * the slot's plain fields, and may read the pool's fields, because a pool does
 * not end while it has an occupied slot.  Each group of the pool's fields names
 * the file that writes it.  "Locked" means: under pool.lock.
 */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "word.h"

#include <pqpool/rpool.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/sleep.h"
#include "base/thread.h"
#include "base/watch.h"

#include <assert.h>
#include <stddef.h>

/* How many slots or waiters a thread visits under one hold of the mutex. */
enum { HOLD_BATCH = 64 };

/* ---- slots ---- */

struct slot {
    _Alignas(128) struct atom word;
    struct atom resource; /* of the provider; 0 if the slot is EMPTY */
    /* Times of clock_coarse().  The owner writes them, any thread reads. */
    struct atom leased_since; /* 0 unless leased, and right after a claim */
    struct atom idle_since;
    struct atom proven;  /* the item was alive then */
    struct atom expires; /* the end of its lifetime, or CLOCK_NEVER */
    struct atom leases;  /* number of leases since the pool was opened */
    struct atom checks;  /* number of checks since the pool was opened */
    struct atom file, func, line; /* of the last acquire */
    struct atom number;      /* of the resource, unique in the process; 0 if
                                EMPTY */
    struct atom leak;        /* the serial of a reported lease, and enum leak */
    struct atom first_lease; /* `leases` when the resource was made */
    struct hint *hint;       /* constant: the word that has this slot's bit */
    int fd;                  /* the owner's: the watched descriptor, or -1 */
    uint32_t index;          /* constant */
    /* Locked. */
    int ageing; /* its lifetime ends soon: it does not count for min_size */
    int check_requested; /* the slot is in slot_lists.checks_requested */
    rpool_reason reason; /* CLOSING: why; set by slot.c */
    struct list node;    /* in one of slot_lists, but for `leaks`, or in none */
    struct list leak_node; /* in slot_lists.leaks, or in none */
};

/*
 * How far the report of a leak has come, in slot.leak.
 *
 * A worker stores LEAK_REPORTING there and then reads the slot's word.  A
 * release swaps the word and then reads slot.leak.  All four accesses are
 * sequentially consistent, so one of the two threads sees the other.  Therefore
 * LEAK is emitted before LEAK_RETURNED, and a release never waits for the
 * listener.
 */
enum leak {
    LEAK_NONE,
    LEAK_QUEUED,    /* the slot is in slot_lists.leaks */
    LEAK_REPORTING, /* a worker is in the listener, with LEAK */
    LEAK_REPORTED,  /* the release will emit LEAK_RETURNED */
    LEAK_ENDED      /* the lease is over: that worker emits LEAK_RETURNED */
};

/* One bit for each of 64 slots.  The bit of an idle slot is set.  That of
 * another slot may be set too. */
struct hint {
    _Alignas(128) struct atom maybe_idle;
};

/*
 * Slots are never moved and never freed, because a stale handle must find a
 * word to compare.  They are allocated in chunks: chunk 0 has slots 0 and 1,
 * and chunk k has slots 2^k to 2^(k + 1) - 1, so that a small pool has few.
 * chunk.c says what is in a chunk.
 */
enum { HINT_SLOTS = 64, CHUNKS = SLOT_BITS };

static inline uint32_t chunk_of(uint32_t index)
{
    return 31 ^ (uint32_t)__builtin_clz(index | 1);
}

static inline uint32_t chunk_first(uint32_t chunk)
{
    return chunk == 0 ? 0 : (uint32_t)1 << chunk;
}

/* ---- waiters ---- */

/* A waiter's record, on the stack of the waiting thread.  It is in
 * waiter_queue.waiters until it is answered or gives up, then in
 * waiter_queue.answered until its thread is woken or finds the answer. */
struct waiter {
    struct list node;
    uint64_t ticket; /* order of arrival */
    int needs_ready; /* a ping of this waiter was slow or failed: only a ready
                        item is granted, and the workers ping the others */
    int answered;    /* the fields below are set */
    rpool_status status;
    struct slot *slot; /* if RPOOL_OK: the waiter's own, LEASED or CHECKING */
    struct sleeper sleeper;
};

/* ---- threads ---- */

/*
 * The number of workers is at most create_concurrency + 1, plus one for each
 * check that a borrower waits for (MAX_CHECKERS), plus one for each worker that
 * is stuck in the provider or the listener (MAX_STUCK).
 */
enum {
    MAX_CONCURRENCY = RPOOL_CONCURRENCY_LIMIT,
    MAX_CHECKERS = 16,
    MAX_STUCK = 16,
    WORKERS = MAX_CONCURRENCY + 1 + MAX_CHECKERS + MAX_STUCK,
    THREADS = WORKERS + 1 /* with the cleaner */
};

enum call { CALL_NONE, CALL_CREATE, CALL_CHECK, CALL_KEEPALIVE, CALL_DESTROY };

/* The DEGRADED events that a worker is to emit, as bits of reports.degraded. */
enum degraded { STUCK_CREATE, STUCK_CHECK, STUCK_DESTROY, NO_WORKER };

struct pool_thread {
    struct thread thread; /* the thread itself sets it first of all */
    struct pool *pool;
    int running;        /* this place is taken; cleared by threads.c */
    int exited;         /* the thread has stopped and must be joined */
    enum call call;     /* the call of the provider that it is in */
    int in_listener;    /* it is in the listener instead */
    int64_t overdue_at; /* a call is stuck from then on */
    enum { ON_TIME, STUCK, STUCK_AND_REPLACED } stuck;
};

/* ---- the groups of a pool's fields ---- */

/* What lock-free calls read about the cleaner.  Written locked, by alarm.c. */
struct alarm {
    struct atom wake_at;  /* when the cleaner wakes, unless it is woken */
    struct atom idle_due; /* how long a slot may be idle until the cleaner must
                             visit it, or CLOCK_NEVER */
};

/* Which idle items need a check before a lease.  Set by open.c; `suspect` is
 * raised by callout.c. */
struct check_rules {
    struct atom check_due;  /* an item proven so long ago is checked: INT64_MIN
                               for all items, CLOCK_NEVER for none */
    struct atom look_due;   /* an item proven so long ago is looked at */
    struct atom ready_due;  /* the earlier of these two */
    struct atom suspect;    /* an item proven before that time is checked */
    struct atom tracks_use; /* 1: a lease records that it was used */
};

/* Where the slots are.  Written by chunk.c. */
struct slot_table {
    struct atom count;        /* of the pool's slots */
    uintptr_t chunks[CHUNKS]; /* the address that slot 0 would have if all
                                 slots stood in that chunk, or 0 */
};

/* The options that do not change.  Set by open.c; times are in ns. */
struct config {
    int create_concurrency, max_waiters;
    uint64_t max_uses;
    int64_t create_timeout, create_retry_max;
    int64_t idle_timeout, lifetime, keepalive, leak_after;
};

/* The options that rpool_resize() changes.  Set by open.c and control.c. */
struct limits {
    int max_size, min_size;
    int growing; /* a resize is allocating slots without the mutex */
};

/* Numbers of slots.  Counted by slot.c. */
struct counts {
    int occupied; /* slots that are not EMPTY */
    int creating; /* of these: CREATING */
    int closing;  /* of these: CLOSING */
    int ageing;   /* of these: neither, and near the end of their lifetime */
};

/* Slots by what is to be done with them.  Moved by slot.c.  A slot in
 * checks_requested or keepalives may be in any state, and a worker claims it
 * only if it is still IDLE, so that no missing or busy worker hides an idle
 * item. */
struct slot_lists {
    struct list empty;            /* EMPTY; the last one emptied comes first */
    struct list closing;          /* CLOSING: resources to destroy */
    struct list checks_begun;     /* CHECKING, and owned by the list: a
                                     borrower's ping was slow */
    struct list checks_requested; /* to be checked for a borrower */
    struct list keepalives;       /* due for a ping */
    struct list leaks;            /* leases to be reported, by leak_node */
};

/* Waiters.  Written by queue.c; GATE_QUEUE is set while length > 0. */
struct waiter_queue {
    struct list waiters;  /* by ticket */
    struct list answered; /* to be woken by the thread that holds the mutex */
    int length;           /* of `waiters` */
    uint64_t last_ticket;
};

/* What callers want beside the waiters. */
struct demand {
    int create_requested; /* set if a try-acquire found nothing; cleared when a
                             creation starts */
    int min_size_waits;   /* calls of rpool_wait() that are running */
    int64_t create_time;  /* of the last creation, in ns */
};

/* The pause of creations after a failure.  Written by demand.c; control.c ends
 * it when the pool is recycled. */
struct backoff {
    int failures;          /* rounds of failed creations in a row */
    uint64_t round;        /* creations that start in the same round and fail
                              count as one failure */
    int64_t until;         /* the end of the pause, or 0: no failure */
    int64_t urgent_until;  /* the same while a caller waits */
    int stillborn;         /* the failure was that a new item died */
    int64_t healthy_since; /* when the first creation after the pause ended */
    rpool_failure failure; /* of the last creation that failed */
};

/* Checks that workers are running, but for stuck ones.  worker.c, stuck.c. */
struct checks {
    int for_borrowers;
    int keepalives; /* 0 or 1, so that the other items can be leased */
};

/* Events that a worker emits for other threads.  jobs.c, report.c, stuck.c. */
struct reports {
    unsigned degraded; /* a bit for each enum degraded */
    int running;       /* a worker emits one of these now */
    int listeners;     /* workers in the listener */
};

/* Workers and the cleaner.  Written by threads.c, worker.c and cleaner.c. */
struct threads {
    struct pool_thread worker[WORKERS], cleaner;
    void *(*worker_run)(void *worker); /* set by open.c */
    int workers, idle_workers;
    int running; /* workers and cleaner */
    int busy;    /* of these: perhaps in the provider or in the listener */
    int stuck, stuck_creating; /* workers that are replaced; stuck.c */
    int64_t worker_wake_at;    /* when an idle worker wakes, or CLOCK_NEVER */
    int64_t spawn_retry_at; /* starting a worker failed: no retry until then */
    int cleaner_asleep;
    int stopping; /* set by close.c: the threads end */
};

/* ---- the pool ---- */

struct pool {
    /* The lock-free path reads these fields before it owns a slot.  Meanwhile
     * the cell may become another pool's. */
    struct atom gate;
    struct alarm alarm;
    struct check_rules rules;
    struct slot_table slots;

    /* Constant while the pool is open.  Set by open.c. */
    rpool_provider provider;
    void *ctx; /* the provider's first argument */
    char *name;
    rpool_event_fn on_event;
    void *on_event_arg;
    int release_is_trivial; /* a lease that was not used ends without a
                               callback */
    int cell;               /* index in the table of cells */
    struct config config;
    struct watch watch;
    int stop_fd; /* readable from close on */

    /* Locked.  Other threads take the mutex while the lock-free path reads the
     * fields above, so it has its own cache line and the one that the processor
     * fetches with it. */
    _Alignas(128) struct lock lock;
    struct cond work_available; /* idle workers sleep here */
    struct cond state_changed;  /* wait and close sleep here */
    int refs;      /* threads between entering and leaving the pool; entry.c */
    int unsettled; /* the last settle stopped at HOLD_BATCH; settle.c */
    int closable_idle; /* alarm.c: idle timeouts may close 1: an ageing item,
                          2: any, because there are more than min_size */
    struct limits limits;
    struct counts counts;
    struct slot_lists lists;
    struct waiter_queue queue;
    struct demand demand;
    struct backoff backoff;
    struct checks checks;
    struct reports reports;
    struct threads threads;
    rpool_stats stats; /* only the counters */

    /* The allocated slots, which a later pool in this cell takes over.  Owned
     * by the thread that opens or grows the pool; chunk.c. */
    uint32_t made;        /* slots that were ever initialised */
    void *memory[CHUNKS]; /* the allocations, for leak checkers */
};

static_assert(
    offsetof(struct pool, lock) % 128 == 0,
    "the mutex shares a cache line with fields of the lock-free path");
static_assert(offsetof(struct pool, slots.chunks) <= 9 * sizeof(struct atom),
              "the lock-free path reads more than one pair of cache lines");

static inline struct slot *pool_slot(const struct pool *pool, uint32_t index)
{
    return (struct slot *)(pool->slots.chunks[chunk_of(index)] +
                           index * sizeof(struct slot));
}

static inline void *slot_resource(const struct slot *slot)
{
    return (void *)(uintptr_t)atom_load(&slot->resource);
}

/* Returns whether the cell has a pool, which may be closed but is not over. */
static inline int pool_is_open(const struct pool *pool)
{
    return atom_load(&pool->gate) > CELL_MASK;
}

/* Returns whether the last creation failed. */
static inline int pool_is_failing(const struct pool *pool)
{
    return pool->backoff.until != 0;
}

/* Returns the number of items that exist and are not closing. */
static inline int pool_existing(const struct pool *pool)
{
    return pool->counts.occupied - pool->counts.creating - pool->counts.closing;
}

/* Returns the number of items that exist or are being created. */
static inline int pool_live(const struct pool *pool)
{
    return pool_existing(pool) + pool->counts.creating;
}

/* Returns how many items exist beyond min_size; negative if some are missing.
 */
static inline int pool_surplus(const struct pool *pool)
{
    return pool_existing(pool) - pool->limits.min_size;
}

#define POOL_LOCKED(pool) LOCK_HELD((pool)->lock)

/* Marks a function that only asserts call: a release has none. */
#define ASSERT_ONLY __attribute__((unused))

#endif
