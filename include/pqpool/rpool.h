/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * rpool: a pool of anything that is expensive to make.  The pool knows nothing
 * of PostgreSQL.  A provider, which is a table of functions, creates, checks,
 * resets and destroys a resource; the pool decides when.  A resource in its
 * pool is an item.
 *
 * Caveats, before anything else:
 * - A handle (rpool *, rpool_item *) is an opaque value, never a place in
 *   memory.  A handle may be used after its end, from any thread, and is
 *   refused.  It is unique for 2^38 leases of one slot, and good only in the
 *   process that opened the pool: after fork() every call of the child on it
 *   returns RPOOL_FORKED.
 * - In a listener and in a function of the provider, fork() is only for exec or
 *   _exit: the child is in the middle of a call of the pool and must not return
 *   to it.  A child of vfork() must not call the library at all.
 * - A callback must return: no C++ exception, longjmp() or pthread_exit() may
 *   leave a listener, the line of a dump or a function of the provider.
 * - RLIMIT_NPROC and a seccomp filter must admit the threads of each pool.  A
 *   pool has a cleaner thread and create_concurrency + 1 workers.  It starts up
 *   to 16 more workers while borrowers wait for checks, and up to 16 more in
 *   place of workers that hang in the provider past a deadline.
 * - An item is used by one thread at a time.  Another thread than the one that
 *   acquired it may release it.
 * - No call may be made from a signal handler, and no thread may be cancelled
 *   inside a call.
 *
 * Conventions:
 * - Times and timeouts are milliseconds unless the name says otherwise.  A
 *   timeout is as in poll(2): 0 does not wait, -1 waits for ever.  A deadline
 * is an absolute time of rpool_now(), in nanoseconds.
 * - `Thread:` says which thread may call.  "any" is any thread, at any time,
 *   also at the same time as others.  "borrower" is the thread that has the
 *   lease now.
 * - `Owner:` says who ends a thing that a call returns.  "caller" ends it by
 *   the call that is named, "borrowed" leaves that to the pool.
 * - *why says why a call failed.  It may be NULL, and is cleared on success.
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

typedef struct rpool rpool;           /* a pool: for all threads at once */
typedef struct rpool_item rpool_item; /* a lease: for one thread at a time */

#define RPOOL_NEVER (-1) /* of an option: no limit, or never */

/* The statuses, with the text that rpool_strerror() returns. */
#define RPOOL_STATUS_MAP(XX)                                                   \
    XX(OK, "success")                                                          \
    XX(INVALID, "invalid argument or misuse")                                  \
    XX(NOMEM, "out of memory")                                                 \
    XX(SYSTEM, "system call failed")                                           \
    XX(BUSY, "busy, try again later")                                          \
    XX(TIMEOUT, "deadline passed")                                             \
    XX(CLOSED, "pool is closed")                                               \
    XX(CREATE, "cannot create a resource")                                     \
    XX(FORKED, "pool belongs to the parent process")
#define XX(name, text) RPOOL_##name,
typedef enum rpool_status {
    RPOOL_STATUS_MAP(XX) RPOOL_STATUS_COUNT
} rpool_status;
#undef XX

/* Why a creation or an acquire failed.  A plain value of 512 bytes in the
 * caller's storage, with nothing to free. */
typedef struct rpool_failure {
    int permanent;     /* not 0: it is useless to try again at once, as with a
                          wrong password */
    char code[12];     /* a short code of the provider, such as an SQLSTATE */
    char message[496]; /* one line; "..." at its end if the pool cut it */
} rpool_failure;

/* Returns the time of the monotonic clock, in nanoseconds.  Thread: any. */
PQP_EXPORT int64_t rpool_now(void);

/* ---- the provider ---- */

enum { RPOOL_GOOD, RPOOL_AGAIN, RPOOL_BAD };      /* results of check, look */
enum { RPOOL_REUSE, RPOOL_CHECK, RPOOL_DISCARD }; /* results of reset */

/*
 * The functions that the pool calls.  create and destroy are required, the
 * others may be NULL.  The pool calls them without any lock, from any of its
 * threads and from the threads of borrowers.  Calls on one resource never
 * overlap.
 *
 * A call of create or check in a worker is stuck if it lasts a second longer
 * than its deadline.  The event DEGRADED reports it, and another worker takes
 * the place of the stuck one, up to 16 times.  A destroy is stuck after a
 * second if no other worker is free.  A stuck create goes on counting for
 * max_size, and rpool_close() does not wait for it.
 */
typedef struct rpool_provider {
    size_t size; /* of the struct, in bytes: RPOOL_PROVIDER_INIT() sets it */

    /* Makes a resource.  It may block until `deadline`, or until `stop_fd`
     * becomes readable, which means that the pool is closing.  Returns 0 and
     * sets *resource, which is not NULL; otherwise returns not 0 and fills
     * *why.  Only workers call it. */
    int (*create)(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why);

    /* Ends a resource.  It must not block for long: after the pool was closed
     * it may run in the thread that releases the item. */
    void (*destroy)(void *ctx, void *resource);

    /* Asks the resource whether it is fit for a lease.  The pool calls it for
     * an item that was idle for check_after_ms, or whose reset returned
     * RPOOL_CHECK, and for keepalive_ms.  `idle_ms` is how long the item was
     * idle.  A deadline of 0 means not to wait at all.  Returns RPOOL_GOOD or
     * RPOOL_BAD; or RPOOL_AGAIN if the deadline passed before the answer came:
     * the resource is alive, and is asked again.  NULL: always RPOOL_GOOD. */
    int (*check)(void *ctx, void *resource, int64_t idle_ms, int64_t deadline);

    /* Judges by what has arrived whether the resource is still fit for a lease.
     * It sends nothing, waits for nothing, and should make one system call at
     * most.  The pool calls it before a lease if reset returned RPOOL_CHECK, or
     * if the item was idle for more than a few milliseconds.  Returns as check
     * does; RPOOL_AGAIN means that an answer is outstanding.  NULL: check with
     * a deadline of 0 reads an outstanding answer. */
    int (*look)(void *ctx, void *resource);

    /* Cleans a resource after its lease.  It must not block.  Returns
     * RPOOL_REUSE; RPOOL_DISCARD to have the resource destroyed; or RPOOL_CHECK
     * if it sent something whose answer check must read before the next lease.
     * NULL: always RPOOL_REUSE. */
    int (*reset)(void *ctx, void *resource);

    /* Returns a socket, or -1.  The pool watches the socket, and closes an idle
     * item whose peer has closed it.  The pool calls it again before destroy: a
     * resource that has closed its socket by then returns -1.  NULL: none. */
    int (*fd)(void *ctx, void *resource);

    /* Tells the provider that nothing of the pool runs any more: ctx may be
     * freed.  NULL: nothing to do. */
    void (*done)(void *ctx);

    /* What messages and the dump call an item, such as "connection".  An s
     * makes the plural.  In static storage.  NULL: "item". */
    const char *noun;

    /* Not 0: a lease whose resource was never asked for, by rpool_resource() or
     * rpool_begin_use(), needs no reset. */
    int unused_is_clean;
    int reserved;
} rpool_provider;
#define RPOOL_PROVIDER_INIT(...) PQP_LITERAL(rpool_provider, __VA_ARGS__)

/* ---- events ---- */

/* The names of the event types.  The fields that an event sets beside size,
 * type, pool, item and resource stand in the comment. */
#define RPOOL_EVENT_MAP(XX)                                                    \
    XX(CREATED)       /* an item was made: ms it took */                       \
    XX(CREATE_FAILED) /* an item could not be made: failure, message */        \
    XX(CLOSED)        /* an item is about to be destroyed: reason */           \
    XX(ACQUIRED)      /* a lease began: ms waited, site */                     \
    XX(RELEASED)      /* a lease ended by release or discard: ms leased */     \
    XX(DETACHED)      /* a lease ended by detach, no RELEASED: ms leased */    \
    XX(TIMED_OUT)     /* an acquire timed out: ms waited */                    \
    XX(REFUSED)       /* an acquire was refused: the waiter queue is full */   \
    XX(LEAK)          /* a lease lasts longer than leak_after_ms: ms, site */  \
    XX(LEAK_RETURNED) /* a lease that had a LEAK ended: ms leased, site */     \
    XX(MISUSE)        /* a call was refused: message */                        \
    XX(DEGRADED)      /* a thread or a watch is missing or stuck: message */   \
    XX(FREED)         /* the last event of the pool: arg may be freed */
#define XX(name) RPOOL_EVENT_##name,
typedef enum rpool_event_type {
    RPOOL_EVENT_MAP(XX) RPOOL_EVENT_COUNT
} rpool_event_type;
#undef XX

/* Why an item is closed, with the text that rpool_reason_text() returns. */
#define RPOOL_REASON_MAP(XX)                                                   \
    XX(NONE, "")                                                               \
    XX(IDLE, "idle for too long")                                              \
    XX(LIFETIME, "maximum lifetime reached")                                   \
    XX(USES, "maximum number of uses reached")                                 \
    XX(HANGUP, "closed by the peer")                                           \
    XX(CHECK, "check failed")                                                  \
    XX(RESET, "not reusable after its lease")                                  \
    XX(DISCARD, "discarded by its borrower")                                   \
    XX(RECYCLE, "pool recycled")                                               \
    XX(RESIZE, "pool resized to fewer items")                                  \
    XX(SHUTDOWN, "pool closed")
#define XX(name, text) RPOOL_REASON_##name,
typedef enum rpool_reason {
    RPOOL_REASON_MAP(XX) RPOOL_REASON_COUNT
} rpool_reason;
#undef XX

/* The place of an acquire in the source.  Both texts are in static storage. */
typedef struct rpool_site {
    const char *file, *func;
    int line, reserved;
} rpool_site;

/* One event.  All pointers but those of `site` are borrowed: they are good
 * until the listener returns.  An older library may have a smaller struct: a
 * field that ends beyond `size` is not there. */
typedef struct rpool_event {
    size_t size; /* of the struct, in bytes */
    rpool_event_type type;
    rpool_reason reason;  /* CLOSED; else RPOOL_REASON_NONE */
    const char *pool;     /* the option `name` of the pool */
    uint64_t item;        /* unique in the process; 0 if none */
    const void *resource; /* CREATED, CLOSED, ACQUIRED, RELEASED; else NULL */
    int64_t ms;           /* milliseconds: see RPOOL_EVENT_MAP */
    rpool_site site;      /* of the acquire, where one is known */
    const char *message;  /* MISUSE, DEGRADED, CREATE_FAILED; else "" */
    const rpool_failure *failure; /* CREATE_FAILED; else NULL */
} rpool_event;

/*
 * A listener.  `arg` is the option of that name.
 *
 * The pool calls the listener without any lock, in the thread that owns the
 * item at that moment.  The events of one item come in their order; those of
 * different items may come at the same time, from different threads.  A worker
 * reports LEAK, so the lease may have ended by then.  LEAK_RETURNED comes after
 * the LEAK of the same lease, and may come after its RELEASED.
 *
 * A new item is leased after the call with CREATED has returned.  No other work
 * of the pool waits longer than 20 ms for a listener, unless 16 calls last
 * longer at once.
 *
 * The listener may call the pool.  rpool_close() only begins to close there. An
 * acquire or an rpool_wait() that would have to wait is refused with
 * RPOOL_BUSY, because it might wait for the listener itself.
 */
typedef void (*rpool_event_fn)(void *arg, const rpool_event *event);

/* ---- options ---- */

/* Limits and defaults of rpool_options.  Those of pqp_options are the same,
 * where the two have the same option. */
enum {
    RPOOL_SIZE_LIMIT = 10000,
    RPOOL_CONCURRENCY_LIMIT = 64,

    RPOOL_DEFAULT_SIZE = 10,
    RPOOL_DEFAULT_CONCURRENCY = 2,
    RPOOL_DEFAULT_CREATE_TIMEOUT_MS = 30000,
    RPOOL_DEFAULT_CREATE_RETRY_MAX_MS = 1000,
    RPOOL_DEFAULT_IDLE_TIMEOUT_MS = 600000,
    RPOOL_DEFAULT_MAX_LIFETIME_MS = 1800000,
    RPOOL_DEFAULT_CHECK_AFTER_MS = 500
};

/* The options of a pool.  A field of 0 means the default, which stands in the
 * comment. */
typedef struct rpool_options {
    size_t size;             /* of the struct, in bytes: RPOOL_OPTIONS() */
    const char *name;        /* in events and thread names; copied; "rpool" */
    int max_size;            /* items at most; 10, at most 10,000 */
    int min_size;            /* items that are kept always; 0 */
    int max_waiters;         /* acquires that may wait at once; no limit */
    int create_concurrency;  /* creations at the same time; 2, at most 64 */
    int create_timeout_ms;   /* for one creation; 30,000 */
    int create_retry_max_ms; /* the longest back-off; 1,000 */
    int idle_timeout_ms;     /* an item above min_size that was unused for so
                                long is closed; 600,000 */
    int max_lifetime_ms;     /* an older item is replaced; less up to a quarter,
                                at random; 1,800,000 */
    int max_uses;            /* leases of one item; no limit */
    int check_after_ms;      /* an item that was idle for so long is checked
                                before it is leased; 500 */
    int keepalive_ms;        /* idle items are checked that often; never */
    int leak_after_ms;       /* a lease that lasts longer is reported; never */
    int check_always;        /* not 0: an item is checked before each lease */
    int reserved;
    rpool_event_fn on_event; /* the listener, or NULL */
    void *arg;               /* of on_event; used until the event FREED */
} rpool_options;

/*
 * A struct that begins with its size is made by one of two macros:
 *
 *     rpool_open(&pool, &provider, ctx, RPOOL_OPTIONS(.max_size = 4), &why);
 *     rpool_options options = RPOOL_OPTIONS_INIT(.max_size = 4);
 *
 * The first is the address of an unnamed struct, for the call that it stands
 * in.  The second initialises a struct with a name.  Both set `size`, and all
 * fields that are not named to 0.  They work in C and in C++20, where the
 * fields are named in the order of the struct.
 *
 * A program goes on working with a newer library whose struct is larger.  With
 * an older library, whose struct is smaller, it works as long as the fields
 * that the library does not know are 0.  Otherwise, and if the size is invalid,
 * the call returns RPOOL_INVALID with a message.
 */
#define RPOOL_OPTIONS(...)      PQP_LITERAL_ADDRESS(rpool_options, __VA_ARGS__)
#define RPOOL_OPTIONS_INIT(...) PQP_LITERAL(rpool_options, __VA_ARGS__)

/* ---- a pool, from open to close ---- */

/*
 * Opens a pool.  The pool's threads begin to make min_size items; the call does
 * not wait for that.  The pool copies *provider and *options.  ctx must live
 * until the pool calls provider->done.  options may be NULL.
 *
 * Returns RPOOL_INVALID if the provider or an option is wrong, RPOOL_BUSY if
 * the process has 4095 pools, which is the limit, and RPOOL_NOMEM or
 * RPOOL_SYSTEM if memory, a descriptor or a thread is missing.  On failure
 * *pool is NULL and done is not called.  Owner: caller, by rpool_close().
 * Thread: any.
 */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_open(rpool **pool,
                                                 const rpool_provider *provider,
                                                 void *ctx,
                                                 const rpool_options *options,
                                                 rpool_failure *why);

/*
 * Waits until min_size items exist and are ready; those that are leased count.
 *
 * Returns RPOOL_TIMEOUT if they do not in time, and RPOOL_CREATE if a creation
 * failed permanently within the last 200 ms.  Returns RPOOL_CLOSED if the pool
 * is closed, and RPOOL_BUSY in a callback of the pool, where the call may not
 * wait.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_wait(rpool *pool, int timeout_ms,
                                                 rpool_failure *why);

/* Sets max_size and min_size, at once.  Of a surplus, idle items are destroyed
 * now and leased ones when they are released.  Returns RPOOL_INVALID, and
 * changes nothing, if max_size is not in 1 to 10,000 or min_size not in 0 to
 * max_size.  Thread: any. */
PQP_EXPORT rpool_status rpool_resize(rpool *pool, int max_size, int min_size);

/*
 * Replaces every item that exists now as soon as it is not leased.  A back-off
 * after failed creations ends.
 *
 * An acquire that begins after the return gets none of the items that existed
 * at the call.  They are marked 64 at a time, so an acquire that another thread
 * makes meanwhile may still get an item that is not marked yet, and an item
 * that is made meanwhile may be replaced too.  Thread: any.
 */
PQP_EXPORT rpool_status rpool_recycle(rpool *pool);

/* While a pool is suspended every acquire waits, until its own deadline.
 * rpool_resume() serves the waiters in their order.  Thread: any. */
PQP_EXPORT rpool_status rpool_suspend(rpool *pool);
PQP_EXPORT rpool_status rpool_resume(rpool *pool);

/*
 * Closes a pool and sets *pool to NULL.  No acquire succeeds from now on, every
 * waiter gets RPOOL_CLOSED, idle items are destroyed, and the call waits for
 * the leased ones until the timeout.
 *
 * Returns RPOOL_TIMEOUT if an item was still leased, or a creation could not be
 * stopped.  Such a lease may be released at any later time: the pool ends with
 * it.  Returns RPOOL_BUSY in a callback of the pool, where the call only begins
 * to close and keeps *pool: a later call, outside of callbacks, completes it. A
 * *pool that is NULL is success.  Thread: any.
 */
PQP_EXPORT rpool_status rpool_close(rpool **pool, int timeout_ms);

/* ---- leases ---- */

/*
 * Leases an item: an idle one at once, otherwise a new one if the pool may have
 * more, otherwise the next one that is released.  Waiters are served in the
 * order of their arrival.  timeout_ms covers waiting, checking and creating.
 * With a timeout of 0 the call takes an item that is idle and needs no check.
 * If there is none, a worker makes or checks one; that check counts for the
 * next lease, however late it comes.
 *
 * Returns RPOOL_TIMEOUT if the deadline passed, and RPOOL_CREATE if a creation
 * failed permanently within the last 200 ms and no item is left to wait for.
 * Returns RPOOL_BUSY with a timeout of 0 if no item is ready, if max_waiters
 * wait already, and in a callback of the pool if the call would have to wait.
 * Returns RPOOL_CLOSED if the pool is closed.  On failure *item is NULL.
 *
 * `site` is the calling line, for messages, events and the dump; it may be
 * NULL. The macros rpool_acquire() and rpool_try_acquire() pass it on. Owner:
 * caller, by rpool_release(), rpool_discard() or rpool_detach(). Thread: any.
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

/* Ends a lease, gives the item back to the pool, and sets *item to NULL.  The
 * call never waits and never fails.  A handle that is not leased is reported as
 * MISUSE, by its pool or, if that pool has ended, by the pool that now uses its
 * place.  An *item that is NULL does nothing.  Thread: any. */
PQP_EXPORT void rpool_release(rpool_item **item);

/* Ends a lease as rpool_release() does, but destroys the resource.
 * Thread: any. */
PQP_EXPORT void rpool_discard(rpool_item **item);

/* Ends a lease, takes the resource out of the pool, and sets *item to NULL.
 * Returns the resource, or NULL if the handle is not leased.
 * Owner: caller, as the provider's destroy would end it.  Thread: borrower. */
PQP_EXPORT PQP_NODISCARD void *rpool_detach(rpool_item **item);

/* Returns the resource of a lease, or NULL if the handle is not leased.
 * Owner: borrowed, until the lease ends.  Thread: borrower. */
PQP_EXPORT void *rpool_resource(const rpool_item *item);

/*
 * Begins a use of a lease, for a call of the provider's own on its resource.
 * Until rpool_end_use() no other thread uses the resource, even if the
 * borrower's threads share the handle by mistake.
 *
 * Returns RPOOL_INVALID if the handle is not leased, and RPOOL_BUSY if another
 * use has not ended; both are reported as MISUSE.  A thread that ends a lease
 * in use is reported too: the handle is refused from then on, and the resource
 * is destroyed when the use ends.  Each RPOOL_OK is paired with one
 * rpool_end_use().  Owner of *resource: borrowed, until then.  Thread:
 * borrower.
 */
PQP_EXPORT PQP_NODISCARD rpool_status rpool_begin_use(const rpool_item *item,
                                                      void **resource);
PQP_EXPORT void rpool_end_use(const rpool_item *item);

/* Returns the number by which events name the item of this lease, or 0 if the
 * handle is not leased.  Thread: borrower. */
PQP_EXPORT uint64_t rpool_number(const rpool_item *item);

/* ---- events of a provider ---- */

/* Calls tell(arg) as the pool calls its listener: rpool_close() only begins to
 * close in it.  The pool may be NULL, or have ended.  Thread: any. */
PQP_EXPORT void rpool_call_listener(rpool *pool, void (*tell)(void *arg),
                                    void *arg);

/* Counts a misuse that the provider found, and emits MISUSE.  `number` is that
 * of the item, or 0.  Thread: any. */
PQP_EXPORT void rpool_report_misuse(rpool *pool, uint64_t number,
                                    const char *message);

/* ---- statistics and names ---- */

/* The figures of a pool.  Each item is counted in one state, so idle, in_use,
 * checking, creating and closing sum up to total. */
typedef struct rpool_stats {
    size_t size; /* of the struct, in bytes: RPOOL_STATS_INIT() sets it */

    /* now */
    int total, idle, in_use, checking;
    int creating; /* counts for max_size too */
    int closing;
    int waiting; /* acquires in the waiter queue */
    int max_size;

    /* since the pool was opened */
    uint64_t acquired;      /* leases */
    uint64_t waited;        /* acquires that had to wait */
    uint64_t timed_out;     /* acquires that timed out */
    uint64_t refused;       /* acquires: the waiter queue was full */
    uint64_t created;       /* items that were made */
    uint64_t create_failed; /* creations that failed */
    uint64_t closed;        /* items that were destroyed */
    uint64_t detached;      /* items that left by rpool_detach() */
    uint64_t checked;       /* checks */
    uint64_t misused;       /* calls that were reported as MISUSE */
    uint64_t wait_us;       /* microseconds that acquires waited */
    uint64_t create_us;     /* microseconds that creations took */
    uint64_t closed_by[RPOOL_REASON_COUNT]; /* a later version with more
                                               reasons has a larger struct */
} rpool_stats;
#define RPOOL_STATS_INIT() PQP_LITERAL(rpool_stats, )

/* Fills *stats, at most stats->size bytes of it.  Does not stop the pool.
 * Returns RPOOL_INVALID if stats is NULL or its size is invalid.
 * Thread: any. */
PQP_EXPORT rpool_status rpool_stats_get(rpool *pool, rpool_stats *stats);

/* Describes a pool and its leases: calls line(arg, text) once for the pool and
 * once for each item, with its state, since when it is in that state, and for a
 * lease the source line that acquired it.  `text` is borrowed until `line`
 * returns.  Thread: any. */
PQP_EXPORT void
rpool_dump(rpool *pool, void (*line)(void *arg, const char *text), void *arg);

/* Return the name ("RPOOL_TIMEOUT") and the text ("deadline passed") of a
 * status, the name of an event type ("CREATED"), and the text of a reason; "?"
 * for any other number.  Thread: any. */
PQP_EXPORT const char *rpool_status_name(rpool_status status);
PQP_EXPORT const char *rpool_strerror(rpool_status status);
PQP_EXPORT const char *rpool_event_name(rpool_event_type type);
PQP_EXPORT const char *rpool_reason_text(rpool_reason reason);

/* RPOOL_AUTO_ITEM item = NULL; declares a lease that is released on every way
 * out of its block. */
#define RPOOL_AUTO_ITEM __attribute__((cleanup(rpool_release))) rpool_item *

#ifdef __cplusplus
}
#endif
#endif
