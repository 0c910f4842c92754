/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * rpool: a pool of anything that is expensive to make.  It knows nothing of
 * PostgreSQL: a provider says how a resource is created, checked, cleaned and
 * destroyed, and the pool decides when.
 *
 * Caveats, before anything else:
 * - A handle (rpool *, rpool_item *) is an opaque value, never a place in
 *   memory: it may be used after its end, from any thread, and is refused.
 *   It is good for 2^38 leases of one slot, and in the process that opened the
 *   pool: after fork() every call of the child on it answers RPOOL_FORKED.
 * - In an event or the provider fork() is only for exec or _exit: that child is
 *   in the middle of a call of the pool, and must not return to it.  A child of
 *   vfork() must not call at all.
 * - A callback must return: no C++ exception, longjmp() or pthread_exit() may
 *   leave an event, a line of the dump or a function of the provider.
 * - RLIMIT_NPROC and a seccomp filter must admit the threads of each pool: a
 *   cleaner and create_concurrency + 1 workers, up to 16 more while borrowers
 *   wait for checks, and one more, up to 16, for each that hangs in the
 *   provider past its deadline.
 * - An item is used by one thread at a time.  It may be released by another
 *   thread than the one that acquired it.
 * - No call may be made from a signal handler, and no thread may be cancelled
 *   inside a call.
 * - Times are milliseconds unless the name says otherwise; a deadline is an
 *   absolute time of rpool_now(), in nanoseconds.
 *
 * The ideas and where they come from: one table of functions and destruction
 * outside the lock (puddle, APR reslist), whichever comes first, a release or
 * a creation (HikariCP), strictly first come, first served (psycopg_pool),
 * the place in line kept when an item proves dead (SQLAlchemy).
 */
#ifndef PQPOOL_RPOOL_H
#define PQPOOL_RPOOL_H

#include <pqpool/export.h>
#include <pqpool/literal.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rpool rpool;           /* shared: any thread, also after close */
typedef struct rpool_item rpool_item; /* one lease: one thread at a time */

#define RPOOL_NEVER (-1)

#define RPOOL_STATUS_MAP(XX)                                                   \
    XX(OK, "success")                                                          \
    XX(INVALID, "invalid argument or misuse")                                  \
    XX(NOMEM, "out of memory")                                                 \
    XX(SYSTEM, "system call failed")                                           \
    XX(BUSY, "nothing free")                                                   \
    XX(TIMEOUT, "deadline passed")                                             \
    XX(CLOSED, "pool is closed")                                               \
    XX(CREATE, "cannot create")                                                \
    XX(FORKED, "pool belongs to the parent process")
#define XX(name, text) RPOOL_##name,
typedef enum rpool_status {
    RPOOL_STATUS_MAP(XX) RPOOL_STATUS_COUNT
} rpool_status;
#undef XX

/* Why a creation or an acquire failed.  A plain value in the caller's storage,
 * 512 bytes: nothing to free. */
typedef struct rpool_failure {
    int permanent;     /* trying again at once is useless (wrong password) */
    char code[12];     /* the provider's own short code; SQLSTATE for us */
    char message[496]; /* one line; "..." at its end if the pool cut it */
} rpool_failure;

/* Absolute monotonic time, nanoseconds.  Thread: any. */
PQP_EXPORT int64_t rpool_now(void);

/* ---- the provider ---- */

enum { RPOOL_GOOD, RPOOL_AGAIN, RPOOL_BAD };      /* answers of check */
enum { RPOOL_REUSE, RPOOL_CHECK, RPOOL_DISCARD }; /* answers of reset */

/*
 * What the pool calls.  Every call is made holding nothing, from any thread;
 * calls on one resource never overlap.  create, destroy and size are required.
 *
 * A create or check of a worker that outlasts its deadline by a second is
 * stuck: the event DEGRADED reports it, and another worker takes its place, up
 * to 16 times.  The same holds for a destroy of more than a second, if no other
 * worker is free.  A stuck create goes on counting for max_size, and
 * rpool_close leaves it behind.
 */
typedef struct rpool_provider {
    size_t size; /* sizeof(rpool_provider) */
    /* Makes one resource.  May block, until `deadline`, or until `stop_fd`
     * becomes readable, which means that the pool is closing.  0: *resource
     * is set and not NULL.  Else: *why says why and whether trying again at
     * once can help.  Worker threads only. */
    int (*create)(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why);
    /* Ends one resource.  Must not block for long: it may run in a thread
     * that releases after the pool was closed. */
    void (*destroy)(void *ctx, void *resource);
    /* Is it fit to lend?  Called when it has been idle for check_after_ms or
     * reset answered RPOOL_CHECK.  `idle_ms` is how long it was idle.
     * RPOOL_AGAIN: the deadline passed before the answer came; the resource
     * is alive and is asked again.  A deadline of 0 means: do not wait at
     * all.  NULL: always fit. */
    int (*check)(void *ctx, void *resource, int64_t idle_ms, int64_t deadline);
    /* Is it still fit to lend, by what has arrived?  Sends nothing and waits
     * for nothing, and should cost a system call at most.  Called before a
     * lease when reset answered RPOOL_CHECK, and when the resource was idle
     * for more than a few milliseconds.  RPOOL_AGAIN: an answer is outstanding
     * and not here yet.  NULL: nothing is looked at, and check with a deadline
     * of 0 reads what is outstanding. */
    int (*look)(void *ctx, void *resource);
    /* Cleans after a lease; must not block.  RPOOL_CHECK: something was sent
     * whose answer must be read, by check, before the next lease.  NULL:
     * RPOOL_REUSE. */
    int (*reset)(void *ctx, void *resource);
    /* A socket that is watched for a hang-up of the other end, or -1.
     * NULL: none.  Asked again before destroy: a resource that has closed
     * its socket by then answers -1. */
    int (*fd)(void *ctx, void *resource);
    /* Nothing of the pool runs any more; ctx may go.  NULL: nothing to do. */
    void (*done)(void *ctx);
    /* The noun for a resource in messages and in the dump, as "connection"; an
     * s makes it plural.  Static storage.  NULL: "item". */
    const char *noun;
    /* Not 0: a lease whose resource was never asked for, by rpool_resource()
     * or rpool_begin_use(), needs no cleaning, and reset is not called. */
    int unused_is_clean;
    int reserved;
} rpool_provider;
#define RPOOL_PROVIDER_INIT(...) PQP_LITERAL(rpool_provider, __VA_ARGS__)

/* ---- events ---- */

#define RPOOL_EVENT_MAP(XX)                                                    \
    XX(CREATED)       /* a resource was made */                                \
    XX(CREATE_FAILED) /* failure says why */                                   \
    XX(CLOSED)        /* a resource is about to be destroyed: reason */        \
    XX(ACQUIRED)      /* leased */                                             \
    XX(RELEASED)      /* given back, by release or discard: ms */              \
    XX(DETACHED)      /* left the pool with its borrower, not RELEASED: ms */  \
    XX(TIMED_OUT)     /* an acquire gave up */                                 \
    XX(REFUSED)       /* an acquire was refused: the line is full */           \
    XX(LEAK)          /* a lease lasts longer than leak_after_ms: ms, site */  \
    XX(LEAK_RETURNED) /* such a lease has ended, after its LEAK: ms, site */   \
    XX(MISUSE)        /* a handle was refused: message */                      \
    XX(DEGRADED)      /* a worker is missing or stuck, or a watch: message */  \
    XX(FREED)         /* the last event of all: arg may go */
#define XX(name) RPOOL_EVENT_##name,
typedef enum rpool_event_type {
    RPOOL_EVENT_MAP(XX) RPOOL_EVENT_COUNT
} rpool_event_type;
#undef XX

#define RPOOL_REASON_MAP(XX)                                                   \
    XX(NONE, "")                                                               \
    XX(IDLE, "idle for too long")                                              \
    XX(LIFETIME, "lifetime over")                                              \
    XX(USES, "used often enough")                                              \
    XX(HANGUP, "hung up by the other end")                                     \
    XX(CHECK, "failed its check")                                              \
    XX(RESET, "not fit for reuse after its lease")                             \
    XX(DISCARD, "discarded by its borrower")                                   \
    XX(RECYCLE, "recycled")                                                    \
    XX(RESIZE, "over the size")                                                \
    XX(SHUTDOWN, "pool closed")
#define XX(name, text) RPOOL_REASON_##name,
typedef enum rpool_reason {
    RPOOL_REASON_MAP(XX) RPOOL_REASON_COUNT
} rpool_reason;
#undef XX

/* Where an acquire stands in the source; static storage. */
typedef struct rpool_site {
    const char *file, *func;
    int line, reserved;
} rpool_site;

typedef struct rpool_event {
    size_t size;
    rpool_event_type type;
    rpool_reason reason;  /* CLOSED */
    const char *pool;     /* the pool's name */
    uint64_t item;        /* the resource's number, unique in the process */
    const void *resource; /* CREATED, CLOSED, ACQUIRED, RELEASED: borrowed */
    int64_t ms;           /* ACQUIRED, TIMED_OUT: waited; RELEASED, LEAK,
                             LEAK_RETURNED: leased; CREATED: creation took */
    rpool_site site;      /* of the acquire, where one is known */
    const char *message;  /* MISUSE, DEGRADED, CREATE_FAILED; else "" */
    const rpool_failure *failure; /* CREATE_FAILED */
} rpool_event;

/*
 * Called with no lock held, by the thread that owns the item: in order for one
 * item, not across items.  A worker calls with LEAK, so that the lease may be
 * over by then; LEAK_RETURNED comes after the LEAK of the same lease, and may
 * come after its RELEASED.  A new item is leased after the call with CREATED
 * has returned; no other work of the pool waits for a listener for more than 20
 * ms, unless 16 calls last longer at once.
 *
 * The listener may call the pool.  rpool_close() there only begins to close. An
 * acquire or rpool_wait() that would wait is refused (BUSY), since what it
 * waits for may wait for the listener.
 */
typedef void (*rpool_event_fn)(void *arg, const rpool_event *event);

/* ---- options ---- */

/* Zero means default; RPOOL_NEVER means no limit, or never. */
typedef struct rpool_options {
    size_t size;             /* set by RPOOL_OPTIONS() */
    const char *name;        /* copied; "rpool" */
    int max_size;            /* items at most; 10 (at most 10,000) */
    int min_size;            /* kept always; 0 */
    int max_waiters;         /* length of the line; no limit */
    int create_concurrency;  /* creations at once; 2 */
    int create_timeout_ms;   /* for one creation; 30,000 */
    int create_retry_max_ms; /* longest pause after failures; 1,000 */
    int idle_timeout_ms;     /* unused that long, above min_size; 600,000 */
    int max_lifetime_ms;     /* less up to a quarter, at random; 1,800,000 */
    int max_uses;            /* leases of one item; no limit */
    int check_after_ms;      /* idle that long: checked before a lease; 500 */
    int keepalive_ms;        /* idle items are checked that often; never */
    int leak_after_ms;       /* a lease that long is reported; never */
    int check_always;        /* not 0: checked before every lease */
    int reserved;
    rpool_event_fn on_event;
    void *arg; /* of on_event */
} rpool_options;
#define RPOOL_OPTIONS(...)      PQP_LITERAL_ADDRESS(rpool_options, __VA_ARGS__)
#define RPOOL_OPTIONS_INIT(...) PQP_LITERAL(rpool_options, __VA_ARGS__)

/* ---- the pool's life ---- */

/*
 * Opens a pool and starts to fill it to min_size; does not wait for that.
 * provider is copied, ctx must live until provider->done.  On failure nothing
 * is kept, *pool is NULL and done is not called.  BUSY: the process has 4095
 * pools, which is the limit.  why may be NULL.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_open(rpool **pool,
                                                 const rpool_provider *provider,
                                                 void *ctx,
                                                 const rpool_options *options,
                                                 rpool_failure *why);

/* Waits until min_size items stand ready (leased ones count).  INVALID, TIMEOUT
 * and CREATE (a permanent failure of the last 200 ms) say why in *why.  BUSY:
 * called in a callback of the pool, where it may not wait.  Thread: any. */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_wait(rpool *pool, int timeout_ms,
                                                 rpool_failure *why);

/* New sizes, at once; a surplus leaves as it is given back.  Thread: any. */
PQP_EXPORT rpool_status rpool_resize(rpool *pool, int max_size, int min_size);

/* Every item of now leaves once it is not leased.  The items are marked 64 at a
 * time: an acquire that another thread makes meanwhile may still be given an
 * item that is not marked yet, and an item that is made meanwhile may leave
 * too.  An acquire that begins after the return is given none of the items that
 * existed at the call.  Thread: any. */
PQP_EXPORT rpool_status rpool_recycle(rpool *pool);

/* While suspended, acquires stand in line, until their deadline.  Thread: any.
 */
PQP_EXPORT rpool_status rpool_suspend(rpool *pool);
PQP_EXPORT rpool_status rpool_resume(rpool *pool);

/*
 * Closes: no acquire succeeds from now on, waiters fail with CLOSED, idle items
 * are destroyed, leased ones awaited until the timeout (-1: for ever).  Sets
 * *pool NULL.  TIMEOUT: some were still leased or a creation could not be
 * stopped; they stay safe to release and end by themselves.  Called from an
 * event or the provider it only begins to close, keeps *pool, and says BUSY:
 * another call, from elsewhere, ends it.  NULL is success.  Thread: any.
 */
PQP_EXPORT rpool_status rpool_close(rpool **pool, int timeout_ms);

/* ---- borrowing ---- */

/*
 * Lends an item: an idle one at once, else a new one if there is room, else
 * the next that is given back, in order of arrival.  timeout_ms covers
 * waiting, checking and creating; -1 waits for ever.  A try, with a timeout_ms
 * of 0, takes an item that is idle and fit right now, else it returns BUSY: a
 * worker then creates an item if there is room, and checks an idle one, which
 * counts for the next lease however late it comes.  BUSY also when max_waiters
 * stand in line, and in a callback of the pool that would have to wait. CREATE:
 * a creation has failed permanently within the last 200 ms, and no item is left
 * to wait for.  On failure *item is NULL; why may be NULL. Owner: caller,
 * until rpool_release, rpool_discard or rpool_detach. Thread: any.
 */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_acquire_at(rpool *pool,
                                                       int timeout_ms,
                                                       rpool_item **item,
                                                       rpool_failure *why,
                                                       const rpool_site *site);
#ifdef __cplusplus
#define RPOOL_HERE                                                             \
    (&static_cast<const rpool_site &>(                                         \
        rpool_site{__FILE__, __func__, __LINE__, 0}))
#else
#define RPOOL_HERE (&(const rpool_site){__FILE__, __func__, __LINE__, 0})
#endif
#define rpool_acquire(pool, timeout_ms, item, why)                             \
    rpool_acquire_at((pool), (timeout_ms), (item), (why), RPOOL_HERE)
#define rpool_try_acquire(pool, item)                                          \
    rpool_acquire_at((pool), 0, (item), NULL, RPOOL_HERE)

/* Gives back and sets *item NULL.  Never waits, never fails: a handle that is
 * not leased is an event (MISUSE) of its pool or, if that is over, of the one
 * that has its place by now.  NULL is a no-op.  Thread: any. */
PQP_EXPORT void rpool_release(rpool_item **item);

/* As rpool_release, but the resource is destroyed. */
PQP_EXPORT void rpool_discard(rpool_item **item);

/* Takes the resource out of the pool and sets *item NULL.  Returns it, Owner:
 * caller; NULL if the handle is not leased.  Thread: borrower. */
PQP_EXPORT PQP_NODISCARD void *rpool_detach(rpool_item **item);

/* The resource of a lease, Owner: borrowed; NULL if the handle is not leased.
 * Thread: borrower. */
PQP_EXPORT void *rpool_resource(const rpool_item *item);

/*
 * A use of a lease, for a provider's own calls on it: between the two nobody
 * else uses the resource, however wrongly the handle is shared.  A second use
 * at the same time is refused (BUSY) and an event (MISUSE); so is a handle that
 * is not leased (INVALID).  Whoever ends a lease in use is told so (MISUSE),
 * the handle is stale from then on, and the resource is destroyed when the use
 * ends.  *resource is borrowed until then.  rpool_end_use only after an OK.
 * Thread: borrower.
 */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_begin_use(const rpool_item *item,
                                                      void **resource);
PQP_EXPORT void rpool_end_use(const rpool_item *item);

/* The number that events give this lease's resource; 0 if not leased. */
PQP_EXPORT uint64_t rpool_number(const rpool_item *item);

/* ---- for the events of a provider ---- */

/* Calls tell(arg) as the pool calls its listener: rpool_close() in there only
 * begins to close.  pool may be NULL, and over.  Thread: any. */
PQP_EXPORT void rpool_call_listener(rpool *pool, void (*tell)(void *arg),
                                    void *arg);

/* Counts a misuse that the provider found, and tells of it (MISUSE).  number:
 * of the resource, or 0.  Thread: any. */
PQP_EXPORT void rpool_report_misuse(rpool *pool, uint64_t number,
                                    const char *message);

/* ---- looking inside ---- */

typedef struct rpool_stats {
    size_t size; /* set by the caller */
    /* now; each slot counted once */
    int total, idle, in_use, checking, creating, closing, waiting, max_size;
    /* since open */
    uint64_t acquired, waited, timed_out, refused, created, create_failed;
    uint64_t closed, detached, checked, misused, wait_us, create_us;
    uint64_t closed_by[RPOOL_REASON_COUNT]; /* more reasons, a longer struct */
} rpool_stats;
#define RPOOL_STATS_INIT() PQP_LITERAL(rpool_stats, )

/* Fills at most stats->size bytes.  Thread: any. */
PQP_EXPORT rpool_status rpool_stats_get(rpool *pool, rpool_stats *stats);

/* One call of `line` for the pool and one for each item that is not empty:
 * its state, since when, and for a lease from where.  Thread: any. */
PQP_EXPORT void
rpool_dump(rpool *pool, void (*line)(void *arg, const char *text), void *arg);

PQP_EXPORT const char *rpool_status_name(rpool_status status);
PQP_EXPORT const char *rpool_strerror(rpool_status status);
PQP_EXPORT const char *rpool_event_name(rpool_event_type type);
PQP_EXPORT const char *rpool_reason_text(rpool_reason reason);

/* Scope guard: RPOOL_AUTO_ITEM item = NULL; is released on every path out. */
#define RPOOL_AUTO_ITEM __attribute__((cleanup(rpool_release))) rpool_item *

#ifdef __cplusplus
}
#endif
#endif
