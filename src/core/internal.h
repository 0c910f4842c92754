/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the core share: slots, pools, and the words of both.
 *
 * A slot's word is the only truth about its item: state, serial, reasons to
 * leave.  Whoever made the transition into LEASED, CHECKING, RETURNING,
 * CREATING or DISPOSING owns the slot, alone, until the transition out of it:
 * its plain fields and, since its pool cannot end, those of the pool.  Four
 * transitions are one swap without the mutex: IDLE to LEASED or CHECKING
 * (claim), LEASED to RETURNING and RETURNING to IDLE (give back).  A use
 * (rpool_begin_use) is a flag of LEASED, set and cleared by the same swaps:
 * while it is set nobody else makes the transition out of LEASED.
 *
 * A pool's gate is its serial and the obstacles between a caller and the quick
 * path.  Obstacles change under the mutex only.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

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

/* ---- handles and words ---- */

/*
 * item handle | serial 38 | slot 14 | shell 12 |
 * slot word   | serial 38 | flags and state 26 |
 * pool handle | serial 52           | shell 12 |
 * gate        | serial 52           | obstacles 12 |
 *
 * So a lease is good if handle and word agree above bit 26, and the quick path
 * is open if handle and gate agree above bit 12 and no obstacle is set.
 * Shells count from 1: no handle is NULL.  A shell without a pool has serial 0
 * and is closed, so that no handle opens it.
 */
enum {
    SHELL_BITS = 12,
    SLOT_BITS = 14,
    SHELL_MASK = (1 << SHELL_BITS) - 1,
    SLOT_MASK = (1 << SLOT_BITS) - 1,
    SERIAL_SHIFT = SHELL_BITS + SLOT_BITS,
    MAX_SIZE = 10000
};
#define SERIAL_ONE  ((uint64_t)1 << SERIAL_SHIFT)
#define SERIAL_MASK (~(SERIAL_ONE - 1))

enum slot_state {
    SLOT_EMPTY,     /* no resource; everything else is occupied */
    SLOT_CREATING,  /* a worker's */
    SLOT_IDLE,      /* nobody's: who wins the swap */
    SLOT_CHECKING,  /* a borrower's, a waiter's or a worker's */
    SLOT_LEASED,    /* a borrower's */
    SLOT_RETURNING, /* the releasing thread's */
    SLOT_DISPOSING, /* in the queue of disposals, or the destroying thread's */
    SLOT_STATES
};
enum {
    SLOT_STATE_MASK = 15,
    SLOT_HUNG_UP = 1 << 4,  /* the other end closed it */
    SLOT_RECYCLED = 1 << 5, /* made before the last recycle */
    SLOT_LEAVE = SLOT_HUNG_UP | SLOT_RECYCLED,
    SLOT_ANSWER = 1 << 6, /* check must read an answer before the next lease */
    SLOT_IN_USE = 1 << 7, /* LEASED: a call of its borrower is under way */
    SLOT_ENDED = 1 << 8,  /* and its lease was ended meanwhile */
    SLOT_PROVEN = 1 << 9, /* a worker checked it for its next lease */
    SLOT_USED = 1 << 10   /* LEASED: its borrower has had the resource */
};

enum { /* obstacles */
       GATE_CLOSED = 1,
       GATE_SUSPENDED = 2,
       GATE_LINE = 4,   /* somebody waits */
       GATE_OVER = 8,   /* more items than max_size */
       GATE_FORKED = 16 /* a child's copy: nothing may be touched */
};

static inline enum slot_state word_state(uint64_t word)
{
    return (enum slot_state)(word & SLOT_STATE_MASK);
}

static inline uint64_t word_with(uint64_t word, enum slot_state state)
{
    return (word & ~(uint64_t)SLOT_STATE_MASK) | state;
}

static inline uint64_t gate_open(uint64_t handle)
{
    return handle & ~(uint64_t)SHELL_MASK;
}

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

/* Waiters that are woken between two looks at the list of answered ones. */
enum { WAKE_BATCH = 16 };

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
    WORKERS = MAX_CONCURRENCY + 1 + MAX_CHECKERS + MAX_STUCK
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
    rpool_stats stats; /* the counters only */
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

extern struct atom rpool__shells[SHELL_MASK + 1] /* handle.c */
    __attribute__((visibility("hidden")));

/* NULL: no such shell. */
static inline struct pool *rpool__pool_of(uint64_t handle)
{
    return (struct pool *)(uintptr_t)atom_load(
        &rpool__shells[handle & SHELL_MASK]);
}

/* NULL: there never was such a slot. */
static inline struct slot *rpool__slot_of(uint64_t handle, struct pool **pool)
{
    uint32_t index = (uint32_t)(handle >> SHELL_BITS) & SLOT_MASK;
    *pool = rpool__pool_of(handle);
    if (*pool == NULL || index >= atom_load(&(*pool)->nslots))
        return NULL;
    return pool_slot(*pool, index);
}

#define POOL_LOCKED(pool) LOCK_HELD((pool)->lock)

/* handle.c */
rpool_status rpool__shell_take(struct pool **out, rpool_failure *why);
void rpool__shell_free(struct pool *pool);
int rpool__fork_guard(void);
uint64_t rpool__next_serial(void);
/* Not 0: the mutex of the pool (of rpool__pool_of(handle)) is taken, it is the
 * one that handle means, and the caller counted in inside. */
int rpool__enter(struct pool *pool, uint64_t handle)
    LOCK_ATTRIBUTE(try_acquire_capability(1, pool->lock));
/* Why rpool__enter said no; why may be NULL. */
rpool_status rpool__refusal(const struct pool *pool, rpool_failure *why);

/* slot.c */
/* How many slots and waiters are worked on under one hold of the mutex. */
enum { HOLD_BATCH = 64 };
/* CHECKING to LEASED; 0 if a reason to leave came in: still the owner's. */
int rpool__make_leased(struct slot *slot);
rpool_reason rpool__flag_reason(uint64_t word);
/* Makes room for so many slots; the new ones are put into *fresh, which is an
 * initialised list, for rpool__add_locked.  Not 0: no memory.  Lock: not held.
 * Thread: one, of those that open or resize. */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh);
/* The pool has so many slots, if it had not before. */
void rpool__add_locked(struct pool *pool, uint32_t nslots, struct list *fresh)
    POOL_LOCKED(pool);

/* settle.c: all with the mutex held */
/* Brings the pool to rest after any change: a closed pool keeps nothing idle,
 * nor does one over its size; idle items go to the head of the line; workers
 * learn what there is to do.  One call looks at a batch of slots and waiters at
 * most.  If there are more, the calling thread settles again, with the mutex
 * free in between, when it comes to rpool__step_out. */
void rpool__settle_locked(struct pool *pool) POOL_LOCKED(pool);
/* The same for who holds neither the mutex nor anything of the pool: it may be
 * over, or the shell another pool's by now. */
void rpool__settle(struct pool *pool);
/* An owned slot into the queue of disposals. */
void rpool__dispose_locked(struct pool *pool, struct slot *slot,
                           rpool_reason reason) POOL_LOCKED(pool);
/* Marks an item that must leave; disposes of it if it is idle. */
void rpool__mark_locked(struct pool *pool, struct slot *slot, uint64_t flag)
    POOL_LOCKED(pool);
/* A slot without resource. */
void rpool__empty_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* Drops the mutex, wakes the answered waiters, starts a worker if one is
 * missing.  The mutex may be taken and dropped again meanwhile. */
void rpool__step_out(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* Before a sleep: does what rpool__step_out does, if there is anything to do,
 * and takes the mutex again.  Returns 0 if there was nothing to do, so that the
 * caller may sleep; else it must look at its predicate again. */
int rpool__notify_locked(struct pool *pool) POOL_LOCKED(pool);
/* Sleeps on one of the pool's condition variables; returns also for nothing. */
void rpool__sleep_locked(struct pool *pool, struct cond *cond, int64_t deadline)
    POOL_LOCKED(pool);
/* The end of a call: before the mutex is dropped, what only the last one can
 * do, destroy when the workers are gone and end a pool that is over. */
void rpool__unlock(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* The same for who leaves the destroying to others: workers end when nothing is
 * queued, and whoever queues something later does it by itself. */
void rpool__depart(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* waiter.c */
/* Stands in line until served, or the deadline; ticket 0 is a newcomer, and is
 * given one.  pinged: see struct waiter.  The mutex is held before and after.
 */
rpool_status rpool__wait_locked(struct pool *pool, uint64_t *ticket, int pinged,
                                int64_t deadline, struct slot **slot)
    POOL_LOCKED(pool);
void rpool__answer_locked(struct pool *pool, struct waiter *w,
                          rpool_status status, struct slot *slot)
    POOL_LOCKED(pool);

/* demand.c */
/* When the next creation may begin.  Until then a permanent failure is fresh
 * enough to refuse a caller with it. */
int64_t rpool__retry_due_locked(const struct pool *pool) POOL_LOCKED(pool);
/* Creations that should be under way, less those that are. */
int rpool__need_locked(const struct pool *pool) POOL_LOCKED(pool);
/* One of them may begin, as soon as rpool__retry_due_locked() says. */
int rpool__may_create_locked(const struct pool *pool) POOL_LOCKED(pool);
/* A creation has succeeded.  That ends the pause of one that has failed, but
 * not of an item that was lost: what becomes of this one is not known yet. */
void rpool__end_pause_locked(struct pool *pool) POOL_LOCKED(pool);
/* A creation has failed.  Of those that began in one round only the first that
 * fails is a step of the back-off: an outage fails them all together. */
void rpool__count_failure_locked(struct pool *pool, uint64_t round,
                                 const rpool_failure *why) POOL_LOCKED(pool);
/* An item is about to leave for that reason.  If nobody ever had it, and it was
 * made a moment ago, then its creation failed after all. */
void rpool__lost_locked(struct pool *pool, const struct slot *slot,
                        rpool_reason reason) POOL_LOCKED(pool);

/* worker.c */
/* Wakes an idle worker for each thing there is to do, or says that one is
 * missing. */
void rpool__wake_workers_locked(struct pool *pool) POOL_LOCKED(pool);
int rpool__worker_missing_locked(const struct pool *pool) POOL_LOCKED(pool);
/* How many workers there may be now. */
int rpool__most_workers_locked(const struct pool *pool) POOL_LOCKED(pool);
/* From here on, until busy is counted down, the provider or a listener may keep
 * this thread of the pool: a close past its deadline leaves it behind. */
void rpool__go_busy_locked(struct pool *pool) POOL_LOCKED(pool);
/* 0, or an errno value.  Lock: not held; the place was taken and counted. */
int rpool__start_worker(struct pool *pool, int index);
void *rpool__worker_run(void *arg);
/* Destroys the first in the queue, which is not empty; without a worker, all
 * of them.  Drops the mutex meanwhile. */
void rpool__run_disposals_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* Takes a slot out of the workers' list that it is in, if it is in one. */
void rpool__unqueue_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* The first slot of a list that is not empty, out of it. */
struct slot *rpool__pop_locked(struct pool *pool, struct list *list)
    POOL_LOCKED(pool);
/* Hands a CHECKING slot of the caller's to the workers. */
void rpool__hand_over_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* Wishes that a worker checks that slot, for a borrower. */
void rpool__wish_locked(struct pool *pool, struct slot *slot) POOL_LOCKED(pool);
/* No worker is free, and the system refuses another one for now. */
int rpool__workers_refused_locked(const struct pool *pool) POOL_LOCKED(pool);
/* The provider's verdict: after a ping, which ends at the deadline and with 0
 * at once, or on what has arrived already.  Thread: the owner. */
int rpool__run_check(struct pool *pool, struct slot *slot, int64_t deadline);
int rpool__run_look(struct pool *pool, struct slot *slot);

/* stuck.c */
/* A worker is about to call the provider.  A call that outlasts `deadline` by
 * more than a second is stuck. */
void rpool__begin_call_locked(struct pool *pool, struct pool_thread *worker,
                              enum call call, int64_t deadline)
    POOL_LOCKED(pool);
void rpool__end_call_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* Drops the mutex for a job that a worker has taken. */
void rpool__begin_job(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* The same for a call of the listener.  If it lasts, and something waits for
 * the worker, another one takes its place. */
void rpool__begin_telling(struct pool *pool, struct pool_thread *worker)
    LOCK_ATTRIBUTE(release_capability(pool->lock));
/* The mutex is held again. */
void rpool__end_telling_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);
/* Notes the workers that are in a call past its deadline: they count no longer,
 * and a worker is to report them.  Returns how many they are; lowers *next to
 * when another may be. */
int rpool__note_stuck_locked(struct pool *pool, int64_t now, int64_t *next)
    POOL_LOCKED(pool);
/* When a listener has kept a worker for too long; a borrower that waits notes
 * that by itself then. */
int64_t rpool__listener_due_locked(const struct pool *pool) POOL_LOCKED(pool);
/* Has the cleaner wake in time for the others. */
void rpool__watch_workers_locked(struct pool *pool) POOL_LOCKED(pool);
/* Before the resource ends or leaves.  One whose descriptor was closed already
 * is asked for it again and says another: the number may be in a new
 * connection's hands, and a closed descriptor is watched by nobody. */
void rpool__unwatch(struct pool *pool, struct slot *slot);

/* tell.c */
/* A worker is to tell the listener of that, if there is a listener. */
void rpool__degraded_locked(struct pool *pool, enum degraded what)
    POOL_LOCKED(pool);
int rpool__may_tell_locked(const struct pool *pool) POOL_LOCKED(pool);
/* Tells the listener of one thing, if it still holds. */
void rpool__tell_one_locked(struct pool *pool, struct pool_thread *worker)
    POOL_LOCKED(pool);

/* cleaner.c */
void *rpool__cleaner_run(void *arg);
void rpool__arm_slowly(struct pool *pool, int64_t when);
/* Lock: not held.  A pool that is over by now has a next_wake of 0. */
static inline void rpool__arm(struct pool *pool, int64_t when)
{
    if (when < (int64_t)atom_load(&pool->next_wake))
        rpool__arm_slowly(pool, when);
}
void rpool__arm_locked(struct pool *pool, int64_t when) POOL_LOCKED(pool);
/* For what is due of one slot; what is due now begins. */
void rpool__arm_slot_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
void rpool__set_idle_due_locked(struct pool *pool) POOL_LOCKED(pool);

/* life.c */
/* No acquire succeeds from now on. */
void rpool__begin_close_locked(struct pool *pool) POOL_LOCKED(pool);
int rpool__is_over_locked(const struct pool *pool) POOL_LOCKED(pool);
void rpool__end_locked(struct pool *pool)
    LOCK_ATTRIBUTE(release_capability(pool->lock));

/* event.c */
/*
 * A call of the provider or of a listener, on the stack of the thread that
 * makes it: until it returns the thread must not wait for that pool, nor for
 * those whose calls it is nested in.  rpool_close asks.
 */
struct inside {
    const struct pool *pool;
    const struct inside *outer;
};
static inline void rpool__go_in(struct inside *here, const struct pool *pool)
{
    struct thread_memo *memo = thread_memo();
    *here = (struct inside){pool, memo->inside};
    memo->inside = here;
}
static inline void rpool__go_out(const struct inside *here)
{
    thread_memo()->inside = here->outer;
}
/* Is the thread in a callback of that pool?  It must not wait there for what
 * may wait for the callback. */
int rpool__is_inside(const struct pool *pool);
extern const char rpool__inside_text[] __attribute__((visibility("hidden")));
void rpool__emit(struct pool *pool, rpool_event *event);
/* An event about a slot the caller owns. */
void rpool__emit_slot(struct pool *pool, const struct slot *slot,
                      rpool_event_type type, int64_t ms);
/* Counts it and tells of it; item: the resource's number, or 0.  Lock: not
 * held, and the pool may be over. */
void rpool__misuse(struct pool *pool, uint64_t item, const char *message);
rpool_status rpool__fail(rpool_failure *why, rpool_status status,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Why an acquire got nothing. */
void rpool__explain(struct pool *pool, rpool_failure *why, rpool_status status,
                    int64_t waited_ms);

#endif
