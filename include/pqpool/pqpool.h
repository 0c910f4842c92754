/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * pqpool: a PostgreSQL connection pool on libpq.
 *
 * Caveats, before anything else:
 * - A lease (pqp_conn *) is used by one thread at a time.  It may be released
 *   by another thread than the one that acquired it.
 * - Handles are opaque values, never places in memory: a stale one is refused,
 *   for ever, and never reaches another borrower's session.
 * - After fork() the child may not use the parent's pools or leases: every
 *   call on them fails and touches nothing.  It opens pools of its own.  In an
 *   event fork() is only for exec or _exit: that child must not return from it.
 *   A child of vfork() shares the parent's memory: it must not call at all.
 * - A callback (pqp_tx_fn, pqp_event_fn, the line of a dump) must return: no
 *   C++ exception, longjmp() or pthread_exit() may leave it.  Else the lease is
 *   never given back, or the thread that is left stays counted in the pool.
 * - While a pool exists no thread may call setenv(), unsetenv(), putenv(),
 *   clearenv() or setlocale(): the pool's threads read the environment and the
 *   locale inside libpq, OpenSSL and the C library, which takes no lock there.
 * - No call may be made from a signal handler, and no thread may be cancelled
 *   inside a call.  The library changes no signal disposition and blocks all
 *   signals in its own threads.
 * - Never PQfinish() or PQreset() what pqp_pgconn() lends: both are seen, and
 *   close the connection at its release.
 * - The pool's threads resolve names: NSS modules (nss_ldap, nss_mdns) run
 *   inside them, and one that does not return keeps its thread.
 * - RLIMIT_NPROC and a seccomp filter must admit the threads of each pool and
 *   what they call: a cleaner and connect_concurrency + 1 workers, up to 16
 *   more while borrowers wait for pings, and one more, up to 16, for each that
 *   hangs in a call past its deadline.
 * - The library stays loaded once it was loaded (PGresult keeps pointers into
 *   it).  64-bit Linux only.
 *
 * `Thread:` any = from any thread, at any time, also concurrently.
 *           borrower = from the thread that has the lease now.
 * Times are milliseconds.  Timeouts are as in poll(2): 0 does not wait, -1
 * waits for ever.
 */
#ifndef PQPOOL_PQPOOL_H
#define PQPOOL_PQPOOL_H

#include <libpq-fe.h> /* PGconn and PGresult stay the user's vocabulary */
#include <pqpool/export.h>
#include <pqpool/literal.h>
#include <pqpool/version.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pqp_pool pqp_pool; /* shared: any thread, also after close */
typedef struct pqp_conn pqp_conn; /* one lease: one thread at a time */

/* ---- status and errors ---- */

#define PQP_STATUS_MAP(XX)                                                     \
    XX(OK, "success")                                                          \
    XX(INVALID, "invalid argument or misuse")                                  \
    XX(NOMEM, "out of memory")                                                 \
    XX(SYSTEM, "system call failed")                                           \
    XX(BUSY, "nothing free")                                                   \
    XX(TIMEOUT, "deadline passed")                                             \
    XX(CLOSED, "pool is closed")                                               \
    XX(CONNECT, "cannot connect")                                              \
    XX(LOST, "connection lost")                                                \
    XX(SERVER, "server error")                                                 \
    XX(UNSUPPORTED, "not supported")
#define XX(name, text) PQP_##name,
typedef enum pqp_status { PQP_STATUS_MAP(XX) PQP_STATUS_COUNT } pqp_status;
#undef XX

enum {                       /* pqp_error.flags: what may be done next */
       PQP_ERR_RETRY = 1,    /* the whole transaction may be run again */
       PQP_ERR_DISCARD = 2,  /* the connection is unusable; release closes it */
       PQP_ERR_IN_DOUBT = 4, /* lost during COMMIT: it may have been applied */
};

/* A plain value in the caller's storage, 512 bytes: nothing to free; may be
 * NULL in every call.  Set by every call that fails, and cleared by every
 * call that succeeds. */
typedef struct pqp_error {
    pqp_status status;
    unsigned flags;
    char sqlstate[6];  /* "" when the server sent none */
    char message[498]; /* one line, "..." at its end if it was cut; never holds
                          a password, unless that is shorter than 4 bytes */
} pqp_error;

/* "PQP_TIMEOUT"; "deadline passed".  "?" for what is no status.  Thread: any.
 */
PQP_EXPORT const char *pqp_status_name(pqp_status status);
PQP_EXPORT const char *pqp_strerror(pqp_status status);

/* ---- events ---- */

#define PQP_EVENT_MAP(XX)                                                      \
    XX(CREATED)       /* a connection was made: ms it took */                  \
    XX(CREATE_FAILED) /* it could not be made: error */                        \
    XX(CLOSED)        /* a connection is about to be closed: reason */         \
    XX(ACQUIRED)      /* leased: ms waited, file, line, func */                \
    XX(RELEASED)      /* given back, by release or discard: ms leased */       \
    XX(DETACHED)      /* left the pool with its borrower, not RELEASED */      \
    XX(TIMED_OUT)     /* an acquire gave up: ms waited */                      \
    XX(REFUSED)       /* an acquire was refused: the line is full */           \
    XX(LEAK)          /* a lease lasts longer than leak_after_ms */            \
    XX(LEAK_RETURNED) /* such a lease has ended, after its LEAK */             \
    XX(MISUSE)        /* a call was refused: message */                        \
    XX(DEGRADED)      /* a worker is missing or stuck, or a watch: message */  \
    XX(NOTICE)        /* the server sent a notice: message, sqlstate */        \
    XX(FREED)         /* the last event of all: arg may go */
#define XX(name) PQP_EVENT_##name,
typedef enum pqp_event_type {
    PQP_EVENT_MAP(XX) PQP_EVENT_COUNT
} pqp_event_type;
#undef XX

typedef struct pqp_event {
    size_t size;
    pqp_event_type type;
    int backend_pid;     /* of the connection, 0 where there is none */
    const char *pool;    /* the pool's name */
    uint64_t connection; /* unique in the process, unlike a pid; 0 if none */
    int64_t ms;
    const char *reason;   /* CLOSED: "idle for too long", ...; else "" */
    const char *message;  /* MISUSE, DEGRADED, CREATE_FAILED, NOTICE; else "" */
    const char *sqlstate; /* CREATE_FAILED, NOTICE; else "" */
    const char *file, *func; /* the acquire's place; NULL if unknown */
    int line, reserved;
} pqp_event;

/* Called with no lock held: in order for one connection, not across
 * connections; a LEAK may come when its lease is just over.  Must not block for
 * long; may call the pool, but pqp_pool_close() there only begins to close.
 * Everything in `event` is borrowed until the return. */
typedef void (*pqp_event_fn)(void *arg, const pqp_event *event);
PQP_EXPORT const char *pqp_event_name(pqp_event_type type); /* "CREATED" */

/* ---- options ---- */

#define PQP_NEVER (-1)

typedef enum pqp_reset {
    PQP_RESET_ROLLBACK,    /* end an open transaction; else nothing to do */
    PQP_RESET_DISCARD_ALL, /* and DISCARD ALL, every time */
    PQP_RESET_CLOSE        /* every lease gets a new connection */
} pqp_reset;

/* Zero means default; PQP_NEVER means no limit, or never.  docs/options.md
 * says all of each option.  What is not 0 here beats a pool_* keyword in
 * conninfo. */
typedef struct pqp_options {
    size_t size; /* set by PQP_OPTIONS() */
    const char
        *conninfo;    /* libpq keywords or URI, pool_* keywords too; copied */
    const char *name; /* for events and thread names; copied */
    int max_size;     /* connections at most */
    int min_size;     /* kept open always */
    int max_waiters;  /* length of the line, then PQP_BUSY */
    int connect_timeout_ms;   /* per address */
    int connect_concurrency;  /* connects at once */
    int create_timeout_ms;    /* all addresses together */
    int connect_retry_max_ms; /* longest pause between attempts */
    int idle_timeout_ms;      /* closed when unused that long, above min_size */
    int max_lifetime_ms;      /* replaced when older, jittered */
    int max_uses;             /* replaced after so many leases */
    int ping_after_ms;        /* pinged before a lease if idle that long */
    int ping_timeout_ms;
    int keepalive_ms;      /* idle connections are pinged that often */
    int leak_after_ms;     /* an event when a lease lasts longer */
    int ping_always;       /* 1: pinged before every lease */
    pqp_reset reset;       /* what a release does to the session */
    pqp_event_fn on_event; /* the last event, FREED, says that arg may go */
    void *arg;
} pqp_options; /* no implicit padding; grows in steps of 8 bytes */

/* PQP_OPTIONS(.max_size = 16) is the address of unnamed options, for the call
 * that it stands in.  PQP_OPTIONS_INIT(.max_size = 16) initialises options with
 * a name.  Both work in C and in C++20, where the fields are named in the order
 * of the struct; elsewhere there is pqp_options_init(). */
#define PQP_OPTIONS(...)      PQP_LITERAL_ADDRESS(pqp_options, __VA_ARGS__)
#define PQP_OPTIONS_INIT(...) PQP_LITERAL(pqp_options, __VA_ARGS__)
PQP_EXPORT void pqp_options_init(pqp_options *options);

/*
 * Sets one option from text, by the name of its field: "max_size" to "20",
 * "reset" to "discard_all", "idle_timeout_ms" to "never" or "-1".  conninfo
 * and name are borrowed, not copied, until pqp_pool_open.  INVALID: no such
 * name, not a number, out of range, or 0 where it would mean the default.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_options_set(pqp_options *options,
                                                    const char *name,
                                                    const char *value,
                                                    pqp_error *err);

/* ---- the pool's life ---- */

/*
 * Opens a pool and begins to connect up to min_size; does not wait for that
 * and does not need the server.  INVALID: an option or the connection string
 * is wrong; the message names the keyword and never a value.  BUSY: the process
 * has 4095 pools, which is the limit.  On failure *pool is NULL.
 * Owner: caller, until pqp_pool_close.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_pool_open(pqp_pool **pool,
                                                  const pqp_options *options,
                                                  pqp_error *err);

/* Until min_size connections stand ready (leased ones count).  Thread: any. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_pool_wait(pqp_pool *pool,
                                                  int timeout_ms,
                                                  pqp_error *err);

/* New sizes, at once: a surplus leaves as it is given back.  max_size 0 or
 * below, min_size below 0 or above max_size: INVALID, nothing changed.
 * Thread: any. */
PQP_EXPORT pqp_status pqp_pool_resize(pqp_pool *pool, int max_size,
                                      int min_size);

/* Every connection of now leaves once it is not leased: after a failover, a
 * change of password, ALTER ROLE SET.  The connections are marked 64 at a time:
 * an acquire that another thread makes meanwhile may still be given one that is
 * not marked yet, and one that is made meanwhile may leave too.  An acquire
 * that begins after the return is given none of those that existed at the call.
 * Thread: any. */
PQP_EXPORT pqp_status pqp_pool_recycle(pqp_pool *pool);

/* While suspended, acquires stand in line, until their deadline; resume
 * serves them in order.  Thread: any. */
PQP_EXPORT pqp_status pqp_pool_suspend(pqp_pool *pool);
PQP_EXPORT pqp_status pqp_pool_resume(pqp_pool *pool);

/*
 * No acquire succeeds from now on, waiters fail with CLOSED, idle connections
 * are closed, leased ones awaited until the timeout.  Sets *pool NULL. TIMEOUT:
 * some were still leased, or a connect could not be interrupted; they stay safe
 * to release, and go then.  BUSY: called from an event; closing has begun,
 * *pool is kept, and another call, from elsewhere, ends it.  NULL is success.
 * Thread: any.
 */
PQP_EXPORT pqp_status pqp_pool_close(pqp_pool **pool, int timeout_ms);

/* ---- borrowing ---- */

/*
 * Lends a connection: an idle one at once, else a new one if there is room,
 * else the next that is given back, in order of arrival.  timeout_ms covers
 * waiting, pinging and connecting; 0 takes a connection that is idle and good
 * right now, else BUSY.  In an event of the pool an acquire that would wait is
 * refused with BUSY too.  *err says what failed, then why (the last connect
 * error with its SQLSTATE; all are leased, since when, and which line acquired
 * the oldest), then the sizes and how many wait.  *conn is NULL on failure. The
 * calling line is kept for that message, the leak event and the dump. Owner:
 * caller, until pqp_release, pqp_discard or pqp_detach.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_acquire(pqp_pool *pool, int timeout_ms,
                                                pqp_conn **conn,
                                                pqp_error *err);
/* The same with timeout 0 and no error. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_try_acquire(pqp_pool *pool,
                                                    pqp_conn **conn);
/* file and func: static storage. */
PQP_EXPORT PQP_NODISCARD pqp_status
pqp_acquire_at(pqp_pool *pool, int timeout_ms, pqp_conn **conn, pqp_error *err,
               const char *file, int line, const char *func);
#define pqp_acquire(pool, timeout_ms, conn, err)                               \
    pqp_acquire_at((pool), (timeout_ms), (conn), (err), __FILE__, __LINE__,    \
                   __func__)
#define pqp_try_acquire(pool, conn) pqp_acquire((pool), 0, (conn), NULL)

/* Gives back and sets *conn NULL.  Cleans the session as the option `reset`
 * says; what cannot be cleaned is closed.  Never waits for the network, never
 * fails: a handle that is not leased is an event (MISUSE) of its pool or, if
 * that is over, of the one that has its place by now.  NULL is a no-op. Thread:
 * any. */
PQP_EXPORT void pqp_release(pqp_conn **conn);

/* Closes instead of giving back, and sets *conn NULL.  For what no reset
 * undoes: after PQcancel() from another thread, which may come late and hit the
 * next borrower's statement, and after PQregisterEventProc(), which stays with
 * the connection.  Thread: any. */
PQP_EXPORT void pqp_discard(pqp_conn **conn);

/* Takes the connection out of the pool and sets *conn NULL.  Returns it,
 * Owner: caller, who calls PQfinish(); NULL if the handle is not leased.  Its
 * notices go where libpq's go: to stderr, if no processor is set.
 * Thread: borrower. */
PQP_EXPORT PQP_NODISCARD PGconn *pqp_detach(pqp_conn **conn);

/* libpq's connection of a lease, Owner: borrowed; NULL if the handle is not
 * leased.  Its notices are events (NOTICE): PQsetNoticeProcessor() has no
 * effect, PQsetNoticeReceiver() has, until the release.  PQerrorMessage() is
 * empty after a call of ours that failed: use its err and its result. Thread:
 * borrower. */
PQP_EXPORT PGconn *pqp_pgconn(const pqp_conn *conn);

/* ---- statements ---- */

typedef struct pqp_query { /* the arguments of PQexecParams, named */
    size_t size;           /* set by PQP_QUERY() */
    const char *sql;
    int timeout_ms; /* 0: none */
    int nparams, result_format, reserved;
    const Oid *types;
    const char *const *values;
    const int *lengths, *formats;
} pqp_query;
#define PQP_QUERY(...)      PQP_LITERAL_ADDRESS(pqp_query, __VA_ARGS__)
#define PQP_QUERY_INIT(...) PQP_LITERAL(pqp_query, __VA_ARGS__)

/*
 * Runs sql, one statement or several, and waits for the end.  *res is libpq's
 * result, on success and on SERVER (constraint, detail), else NULL; of several
 * statements the last.  res may be NULL: rows are dropped as they come, and use
 * no memory.  Owner: caller, who calls PQclear().
 * SERVER: the server refused, err has the SQLSTATE; the connection is good.
 * INVALID: also SQL, or parameters together, of 1 GiB or more: no message of
 * the protocol carries that, and nothing is sent.
 * LOST: the connection is gone; release closes it.  COPY is refused
 * (UNSUPPORTED) and the connection closed at release.  Thread: borrower.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_exec(pqp_conn *conn, const char *sql,
                                             PGresult **res, pqp_error *err);

/* One statement with parameters, text or binary.  timeout_ms: after that
 * TIMEOUT, whatever still comes, and the connection is closed at release.  Else
 * as pqp_exec.  After TIMEOUT or LOST the statement may have been done; if it
 * was COMMIT, only pqp_commit says IN_DOUBT. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_exec_params(pqp_conn *conn,
                                                    const pqp_query *query,
                                                    PGresult **res,
                                                    pqp_error *err);

/* pqp_acquire, pqp_exec_params, pqp_release.  If the connection ended before
 * anything was sent, another one is taken.  timeout_ms is for the acquires
 * together. The calling line is kept as by pqp_acquire.  Thread: any. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_pool_exec_params(pqp_pool *pool,
                                                         int timeout_ms,
                                                         const pqp_query *query,
                                                         PGresult **res,
                                                         pqp_error *err);
PQP_EXPORT PQP_NODISCARD pqp_status pqp_pool_exec_params_at(
    pqp_pool *pool, int timeout_ms, const pqp_query *query, PGresult **res,
    pqp_error *err, const char *file, int line, const char *func);
#define pqp_pool_exec_params(...)                                              \
    pqp_pool_exec_params_at(__VA_ARGS__, __FILE__, __LINE__, __func__)

/* ---- transactions ---- */

typedef enum pqp_isolation {
    PQP_ISO_DEFAULT,
    PQP_ISO_READ_COMMITTED,
    PQP_ISO_REPEATABLE_READ,
    PQP_ISO_SERIALIZABLE
} pqp_isolation;

typedef struct pqp_tx {
    size_t size; /* set by PQP_TX() */
    pqp_isolation isolation;
    int read_only, deferrable; /* flags */
    int max_attempts;          /* of pqp_transact; 0: 5 */
    int backoff_ms;            /* before the second attempt, doubling; 0: 5 */
    int reserved;
} pqp_tx;
#define PQP_TX(...)      PQP_LITERAL_ADDRESS(pqp_tx, __VA_ARGS__)
#define PQP_TX_INIT(...) PQP_LITERAL(pqp_tx, __VA_ARGS__)

/* May run again: its effects outside the database must bear that.  Returns
 * PQP_OK to commit.  Must not commit or roll back itself, and must return: in
 * C++ it catches all exceptions. */
typedef pqp_status (*pqp_tx_fn)(void *arg, pqp_conn *conn, pqp_error *err);

/* tx may be NULL.  INVALID inside a transaction.  Thread: borrower. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_begin(pqp_conn *conn, const pqp_tx *tx,
                                              pqp_error *err);
/* INVALID outside a transaction.  A transaction that had failed is rolled back
 * and says SERVER (25P02), with PQP_ERR_RETRY if it failed with 40001 or 40P01,
 * also in a statement that was run with libpq.
 * LOST with PQP_ERR_IN_DOUBT: it may have been applied; without, it was not.
 * Thread: borrower. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_commit(pqp_conn *conn, pqp_error *err);
/* Outside a transaction: nothing to do, OK.  Thread: borrower. */
PQP_EXPORT pqp_status pqp_rollback(pqp_conn *conn, pqp_error *err);

/*
 * Acquire, BEGIN, fn, COMMIT, release.  What fails the transaction decides: its
 * first error since fn last rolled back to a savepoint, or COMMIT's.  After
 * 40001 and 40P01 it is rolled back and run again, max_attempts times, with
 * growing jittered pauses; also after a loss, if COMMIT was not yet sent.  It
 * does not matter whether fn ran the statement with this library or with libpq.
 * Never after a loss during COMMIT (IN_DOUBT).  Any other failure rolls back.
 * Reported are that first error and the status that fn returned, or the
 * error's if fn returned OK, SERVER or LOST; *err has the same status.  Where
 * another attempt was due and could not be made: the last one's error, with
 * PQP_ERR_RETRY.
 * A connection that does not answer BEGIN within ping_timeout_ms is closed, and
 * another one is tried, which is no attempt of max_attempts.
 * timeout_ms bounds the acquires, the pauses and each BEGIN together, not fn
 * and COMMIT; the last BEGIN may take ping_timeout_ms beyond it.  The calling
 * line is kept as by pqp_acquire.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_transact(pqp_pool *pool, int timeout_ms,
                                                 const pqp_tx *tx, pqp_tx_fn fn,
                                                 void *arg, pqp_error *err);
PQP_EXPORT PQP_NODISCARD pqp_status pqp_transact_at(
    pqp_pool *pool, int timeout_ms, const pqp_tx *tx, pqp_tx_fn fn, void *arg,
    pqp_error *err, const char *file, int line, const char *func);
#define pqp_transact(...)                                                      \
    pqp_transact_at(__VA_ARGS__, __FILE__, __LINE__, __func__)

/* ---- looking inside ---- */

typedef struct pqp_stats {
    size_t size; /* set by the caller */
    int total, idle, in_use, checking, connecting, closing, waiting; /* now */
    int reserved;
    uint64_t acquired, waited, timed_out, created, closed;
    uint64_t connect_failed, wait_us;
    uint64_t refused, detached, pinged, misused, connect_us; /* since open */
} pqp_stats;
#define PQP_STATS_INIT() PQP_LITERAL(pqp_stats, )

/* Each connection is counted once, so the parts sum up to total.  Fills at
 * most stats->size bytes.  Thread: any. */
PQP_EXPORT pqp_status pqp_pool_stats(pqp_pool *pool, pqp_stats *stats);

/* One call of `line` for the pool and one for each connection: who holds
 * what, since when, from which source line.  Thread: any. */
PQP_EXPORT void pqp_pool_dump(pqp_pool *pool,
                              void (*line)(void *arg, const char *text),
                              void *arg);

/* The library's PQPOOL_VERSION_NUMBER. */
PQP_EXPORT int pqp_version(void);

/* Scope guards: PQP_AUTO_CONN conn = NULL; is released on every path out. */
static inline void pqp_result_clear(PGresult **res)
{
    PQclear(*res);
    *res = NULL;
}
#define PQP_AUTO_CONN   __attribute__((cleanup(pqp_release))) pqp_conn *
#define PQP_AUTO_RESULT __attribute__((cleanup(pqp_result_clear))) PGresult *

#ifdef __cplusplus
}
#endif
#endif
