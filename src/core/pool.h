/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The fields of slots, waiters, threads and pools. */
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

/* ---- slots ---- */

struct slot {
    _Alignas(128) struct atom word;
    struct atom resource; /* the owner's; IDLE: nobody's */
    /* Written by the owner, read by anybody: times of clock_coarse(). */
    struct atom leased_since; /* 0 unless leased, also right after a claim */
    struct atom idle_since;
    struct atom proven;  /* known alive then: created, released or checked */
    struct atom expires; /* the end of its lifetime */
    struct atom leases;  /* since the pool was opened */
    struct atom checks;
    struct atom file, func, line; /* of the last acquire */
    struct atom number;           /* of the resource, unique in the process */
    struct atom leak; /* serial of a lease that is a leak, and enum leak */
    struct atom first_lease; /* leases when its resource was made */
    struct hint *hint;       /* constant: where its bit is */
    int fd;                  /* the owner's: watched, or -1 */
    uint32_t index;          /* constant */
    /* Under the mutex. */
    int ageing; /* its lifetime ends soon: it does not count for min_size */
    int wished; /* it is in the list of that name */
    rpool_reason reason; /* DISPOSING: why */
    struct list
        node; /* in the list of empty slots, in a workers' list, or none */
    struct list leaking; /* in leaks, or in none */
};

/*
 * How far the report of a leak has come, in the slot's atom `leak`.  A worker
 * stores LEAK_TELLING there and then reads the slot's word; a release swaps the
 * word and then reads `leak`.  All four are sequentially consistent, so one of
 * the two sees the other.  Therefore LEAK comes before LEAK_RETURNED, and the
 * release waits for no listener.
 */
enum leak {
    LEAK_NONE,
    LEAK_QUEUED,  /* it is in the list of leaks */
    LEAK_TELLING, /* a worker is in the listener, with LEAK */
    LEAK_TOLD,    /* the release tells of LEAK_RETURNED */
    LEAK_ENDED    /* the lease is over: that worker tells of it */
};

/* A bit for each of up to 64 slots: set if idle, and perhaps also if not. */
struct hint {
    _Alignas(128) struct atom maybe_idle;
};

/*
 * Slots are never moved and never freed: a stale handle must find a word to
 * compare.  Chunk 0 has slots 0 and 1, each other chunk k has slots 2^k to
 * 2^(k + 1) - 1, so that a small pool has few.  A chunk is one allocation: the
 * hints that begin with one of its slots, then its slots.
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

/* The DEGRADED events that a worker is to tell, a bit each in pool.to_tell. */
enum degraded { STUCK_CREATE, STUCK_CHECK, STUCK_DESTROY, NO_WORKER };

/* ---- the line ---- */

/* A waiter's record, on its own stack.  It stands in `line` until it is
 * answered or gives up, and in `answered` until it is woken. */
struct waiter {
    struct list node;
    uint64_t ticket; /* order of arrival */
    int pinged;      /* one ping was slow or failed: only a ready item will do,
                        and the workers ping the others */
    int answered;    /* the rest is set, and it is out of the line */
    rpool_status status;
    struct slot *slot; /* OK: its own, LEASED or CHECKING */
    struct sleeper sleeper;
};

/* ---- the pool ---- */

/*
 * How many workers there may be: create_concurrency + 1, one for each check
 * that somebody waits for, up to MAX_CHECKERS, and one for each that is stuck
 * in the provider past its deadline, up to MAX_STUCK.
 */
enum {
    MAX_CONCURRENCY = 64,
    MAX_CHECKERS = 16,
    MAX_STUCK = 16,
    WORKERS = MAX_CONCURRENCY + 1 + MAX_CHECKERS + MAX_STUCK,
    THREADS = WORKERS + 1 /* with the cleaner */
};

enum call { CALL_NONE, CALL_CREATE, CALL_CHECK, CALL_KEEPALIVE, CALL_DESTROY };

struct pool_thread {
    struct thread thread; /* noted by itself, before it does anything */
    struct pool *pool;
    int running, exited;
    enum call call;     /* of the provider, that it is in */
    int64_t overdue_at; /* when that is stuck */
    int telling;        /* it is in the listener instead */
    enum { ON_TIME, STUCK, STUCK_AND_REPLACED } stuck;
};

struct pool {
    /* The quick path reads these before it owns anything, and so perhaps while
     * the shell becomes another pool's. */
    struct atom gate;
    struct atom next_wake; /* when the cleaner wakes by itself */
    struct atom idle_due;  /* how long a slot may be idle before the cleaner
                              must look at it, or CLOCK_NEVER */
    struct atom check_due; /* an item proven so long ago must be checked:
                              INT64_MIN: always; CLOCK_NEVER: nothing */
    struct atom look_due;  /* an item proven so long ago is looked at first */
    struct atom ready_due; /* the earlier of the two */
    struct atom suspect;   /* an item proven before that time is checked */
    struct atom nslots;
    struct atom marks_use;    /* 1: a lease notes that it was used */
    uintptr_t chunks[CHUNKS]; /* where slot 0 would be, or 0: not made yet */

    /* Read-only while open. */
    rpool_provider provider;
    void *ctx;
    char *name;
    rpool_event_fn on_event;
    void *arg;
    int plain; /* a lease that was not used ends without a call */
    int shell; /* index in the table of shells */
    int create_concurrency, max_waiters;
    uint64_t max_uses;
    int64_t create_timeout, create_retry_max;                     /* ns */
    int64_t idle_timeout, lifetime, check_after, keepalive, leak; /* ns */
    struct watch watch;
    int stop_fd;

    /* Under the mutex.  It is taken and written to by others while the quick
     * path reads what is above: a line of its own, and the next one, which the
     * processor fetches with it. */
    _Alignas(128) struct lock lock;
    int max_size, min_size;
    int unsettled;         /* the last settle left something to the next */
    int growing;           /* a resize makes room for more slots */
    uint32_t made;         /* slots that were ever made; that thread's */
    int occupied;          /* slots that are not EMPTY */
    int creating, leaving; /* of these: CREATING, DISPOSING */
    int ageing;            /* of these: neither, and near their end */
    int may_leave;         /* more than min_size: 1 an ageing one, 2 any */
    int keeping;           /* workers that keep an idle item alive: 0 or 1,
                              beside those that are stuck */
    /* Workers that are in a call past its deadline, and the creations among
     * them: each is replaced by another worker, up to MAX_STUCK. */
    int stuck, stuck_creating;
    int checkers; /* others that check an item for a borrower */
    int awaiting; /* calls of rpool_wait */
    int asked;    /* a try found nothing and wants one more item */
    uint64_t tickets;
    struct list line; /* waiters, by ticket */
    int waiting;
    /* Waiters that are to be woken by the thread that holds the mutex, in the
     * order of their answers. */
    struct list answered;
    /* Slots, for the workers.  Those in `handed` are CHECKING and belong to the
     * list: a borrower's ping of them was slow.  Those in `wished` are to be
     * checked for a borrower, and those in `keepalives` are due; they are in
     * any state, and a worker claims one only if it is still IDLE.  So no
     * missing or busy worker hides an idle item. */
    struct list disposals, handed, wished, keepalives;
    struct list empty; /* EMPTY slots: the last that was emptied comes first */
    struct list leaks; /* leases that a worker is to tell of */
    unsigned to_tell;  /* the cleaner's DEGRADED events, by enum degraded */
    int telling;       /* a worker tells of one of these */
    int tellers;       /* workers in the listener */
    struct cond work;  /* for idle workers */
    struct cond changed; /* for wait and close */
    int workers, idle_workers;
    int threads;      /* workers and cleaner, running */
    int busy;         /* of these: in the provider or the listener */
    int64_t alarm_at; /* a worker wakes by itself then, or CLOCK_NEVER */
    int64_t hire_at;  /* starting one failed: not again before that */
    int cleaner_asleep;
    int failures;       /* rounds of creations that failed, in a row */
    uint64_t round;     /* those that began in one and fail are one failure */
    int64_t retry_at;   /* 0: the last one did not fail */
    int64_t urgent_at;  /* the same while a caller waits */
    int lost;           /* it did, but only by what became of its item */
    int64_t good_since; /* when the first of those that did not was made */
    rpool_failure failure; /* of the last creation that failed */
    int64_t last_create_ns;
    int stopping; /* the threads end */
    int inside;   /* calls that still need the pool's fields */
    struct pool_thread worker[WORKERS], cleaner;
    void *(*worker_run)(void *worker); /* constant: what a worker does */
    rpool_stats stats;                 /* the counters only */
    /* The allocations of the chunks: a leak checker finds them by these. */
    void *memory[CHUNKS];
};

static_assert(offsetof(struct pool, lock) % 128 == 0,
              "the mutex shares a cache line with what the quick path reads");

static inline struct slot *pool_slot(const struct pool *pool, uint32_t index)
{
    return (struct slot *)(pool->chunks[chunk_of(index)] +
                           index * sizeof(struct slot));
}

static inline void *slot_resource(const struct slot *slot)
{
    return (void *)(uintptr_t)atom_load(&slot->resource);
}

static inline int pool_is_open(const struct pool *pool)
{
    return atom_load(&pool->gate) > SHELL_MASK;
}

/* The last creation has failed. */
static inline int pool_is_failing(const struct pool *pool)
{
    return pool->retry_at != 0;
}

/* Items that exist: made, and not on their way out.  A creation that is under
 * way counts only where it stands for an item to come. */
static inline int pool_existing(const struct pool *pool)
{
    return pool->occupied - pool->creating - pool->leaving;
}

static inline int pool_live(const struct pool *pool)
{
    return pool_existing(pool) + pool->creating;
}

static inline int pool_surplus(const struct pool *pool)
{
    return pool_existing(pool) - pool->min_size;
}

/* How many slots and waiters are worked on under one hold of the mutex. */
enum { HOLD_BATCH = 64 };

#define POOL_LOCKED(pool) LOCK_HELD((pool)->lock)

#endif
