/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * pqpool: a PostgreSQL connection pool on libpq.
 *
 * A pool keeps connections to one database open and leases them to the threads
 * of one process.  A thread acquires a connection, uses it with the functions
 * of this header or with libpq's own, and releases it.  Threads of the pool
 * connect, ping idle connections and close them.
 *
 * Caveats, before anything else:
 * - A lease (pqp_conn *) is used by one thread at a time.  Another thread than
 *   the one that acquired it may release it.
 * - Handles are opaque values, never places in memory.  A handle that was
 *   released, or whose pool was closed, is refused for ever, and never reaches
 *   another borrower's session.
 * - After fork() the child may not use the parent's pools or leases: every call
 *   on them fails and touches nothing.  The child opens pools of its own.  In
 * an event fork() is only for exec or _exit: the child must not return from the
 *   event.  A child of vfork() shares the parent's memory and must not call the
 *   library at all.
 * - A callback (pqp_tx_fn, pqp_event_fn, the line of a dump) must return: no
 * C++ exception, longjmp() or pthread_exit() may leave it.  Otherwise the lease
 * is never given back, or the thread stays counted in the pool.
 * - While a pool exists no thread may call setenv(), unsetenv(), putenv(),
 *   clearenv() or setlocale(): the pool's threads read the environment and the
 *   locale inside libpq, OpenSSL and the C library, which take no lock there.
 * - No call may be made from a signal handler, and no thread may be cancelled
 *   inside a call.  The library changes no signal disposition and blocks all
 *   signals in its own threads.
 * - The caller must not PQfinish() or PQreset() the connection that
 *   pqp_pgconn() returns.  The library notices both, and closes the connection
 *   at its release.
 * - The pool's threads resolve names: NSS modules (nss_ldap, nss_mdns) run
 *   inside them, and a module that does not return keeps its thread.
 * - RLIMIT_NPROC and a seccomp filter must admit the threads of each pool and
 *   the system calls that they make.  A pool has a cleaner thread and
 *   connect_concurrency + 1 workers.  It starts up to 16 more workers while
 *   borrowers wait for pings, and up to 16 more in place of workers that hang
 *   in a call past its deadline.
 * - The library stays loaded once it was loaded, because each PGresult keeps
 *   pointers into it.  It is for 64-bit Linux only.
 *
 * Conventions:
 * - Times and timeouts are milliseconds.  A timeout is as in poll(2): 0 does
 * not wait, -1 waits for ever.
 * - `Thread:` says which thread may call.  "any" is any thread, at any time,
 *   also at the same time as others.  "borrower" is the thread that has the
 *   lease now.
 * - `Owner:` says who ends a thing that a call returns.  "caller" ends it by
 *   the call that is named, "borrowed" leaves that to the library.
 * - A call that fails returns a pqp_status and fills *err, which may be NULL.
 */
#ifndef PQPOOL_PQPOOL_H
#define PQPOOL_PQPOOL_H

#include <libpq-fe.h> /* PGconn, PGresult and Oid stay libpq's */
#include <pqpool/event.h>
#include <pqpool/export.h>
#include <pqpool/literal.h>
#include <pqpool/version.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pqp_pool pqp_pool; /* a pool: for all threads at once */
typedef struct pqp_conn pqp_conn; /* a lease: for one thread at a time */

/* ---- status and errors ---- */

/* The statuses, with the text that pqp_strerror() returns. */
#define PQP_STATUS_MAP(XX)                                                     \
    XX(OK, "success")                                                          \
    XX(INVALID, "invalid argument or misuse")                                  \
    XX(NOMEM, "out of memory")                                                 \
    XX(SYSTEM, "system call failed")                                           \
    XX(BUSY, "busy, try again later")                                          \
    XX(TIMEOUT, "deadline passed")                                             \
    XX(CLOSED, "pool is closed")                                               \
    XX(CONNECT, "cannot connect to the server")                                \
    XX(LOST, "connection lost")                                                \
    XX(SERVER, "error reported by the server")                                 \
    XX(UNSUPPORTED, "not supported")
#define XX(name, text) PQP_##name,
typedef enum pqp_status { PQP_STATUS_MAP(XX) PQP_STATUS_COUNT } pqp_status;
#undef XX

/* pqp_error.flags: what the caller may do next. */
enum {
    PQP_ERR_RETRY = 1,   /* the whole transaction may be run again */
    PQP_ERR_DISCARD = 2, /* the connection is unusable: release closes it */
    PQP_ERR_IN_DOUBT = 4 /* lost during COMMIT, which may have been applied */
};

/* Why a call failed.  A plain value of 512 bytes in the caller's storage, with
 * nothing to free.  A call that fails sets it, a call that succeeds clears it.
 */
typedef struct pqp_error {
    pqp_status status; /* as returned */
    unsigned flags;    /* PQP_ERR_RETRY and so on */
    char sqlstate[6];  /* "" if the server sent none */
    char message[498]; /* one line; "..." at its end if it was cut.  It never
                          holds a password of 4 bytes or more */
} pqp_error;

/* Returns the name of a status ("PQP_TIMEOUT"), or "?" if `status` is none.
 * Thread: any. */
PQP_EXPORT const char *pqp_status_name(pqp_status status);

/* Returns the text of a status ("deadline passed"), or "?" if `status` is none.
 * Thread: any. */
PQP_EXPORT const char *pqp_strerror(pqp_status status);

/* ---- options ---- */

#define PQP_NEVER (-1) /* of an option: no limit, or never */

/* What a release does to the session. */
typedef enum pqp_reset {
    PQP_RESET_ROLLBACK,    /* rolls back a transaction that is still open */
    PQP_RESET_DISCARD_ALL, /* sends DISCARD ALL as well, each time */
    PQP_RESET_CLOSE /* closes the connection: each lease gets a new one */
} pqp_reset;

/* The options of a pool.  A field of 0 means the default.  A field that is not
 * 0 beats the pool_* keyword of the same name in conninfo.  docs/options.md
 * lists defaults and ranges. */
typedef struct pqp_options {
    size_t size;            /* of the struct, in bytes: PQP_OPTIONS() sets it */
    const char *conninfo;   /* libpq's keywords or URI, and pool_* keywords;
                               pqp_pool_open() copies it */
    const char *name;       /* in events, messages and thread names; copied */
    int max_size;           /* connections at most */
    int min_size;           /* connections that are kept open always */
    int max_waiters;        /* acquires that may wait at once, then PQP_BUSY */
    int connect_timeout_ms; /* for one address of a connect */
    int connect_concurrency;  /* connects at the same time */
    int create_timeout_ms;    /* for a connection, all its addresses together */
    int connect_retry_max_ms; /* the longest back-off between connects */
    int idle_timeout_ms; /* a connection above min_size that was unused for so
                            long is closed */
    int max_lifetime_ms; /* an older connection is replaced, jittered */
    int max_uses;        /* a connection is replaced after so many leases */
    int ping_after_ms;   /* a connection that was idle for so long is pinged
                            before   it is leased */
    int ping_timeout_ms; /* for the answer to a ping, a reset or BEGIN */
    int keepalive_ms;    /* idle connections are pinged that often */
    int leak_after_ms;   /* a lease that lasts longer is reported: LEAK */
    int ping_always;     /* 1: a connection is pinged before each lease */
    pqp_reset reset;
    pqp_event_fn on_event; /* the listener, or NULL: see event.h */
    void *arg;             /* of on_event; used until the event FREED */
} pqp_options; /* without hidden padding; grows in steps of 8 bytes */

/*
 * A struct that begins with its size is made by one of two macros:
 *
 *     pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = dsn, .max_size = 16), &err);
 *     pqp_options options = PQP_OPTIONS_INIT(.conninfo = dsn);
 *
 * The first is the address of an unnamed struct, for the call that it stands
 * in.  The second initialises a struct with a name.  Both set `size`, and all
 * fields that are not named to 0.  They work in C and in C++20, where the
 * fields are named in the order of the struct.
 *
 * A program goes on working with a newer library whose struct is larger.  With
 * an older library, whose struct is smaller, it works as long as the fields
 * that the library does not know are 0.  Otherwise, and if the size is invalid,
 * the call returns PQP_INVALID with a message.
 */
#define PQP_OPTIONS(...)      PQP_LITERAL_ADDRESS(pqp_options, __VA_ARGS__)
#define PQP_OPTIONS_INIT(...) PQP_LITERAL(pqp_options, __VA_ARGS__)

/* Sets options->size, and all other fields to 0, where the macros cannot be
 * used.  Thread: any. */
PQP_EXPORT void pqp_options_init(pqp_options *options);

/*
 * Sets one option from text, by the name of its field: "max_size" to "20",
 * "reset" to "discard_all", "idle_timeout_ms" to "never" or "-1".  The texts of
 * conninfo and name are not copied: they are borrowed until pqp_pool_open().
 *
 * Returns PQP_INVALID if no option has that name, if the value is no number or
 * out of range, or if it is 0 where 0 would mean the default.  Then *options is
 * unchanged.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_options_set(pqp_options *options,
                                                    const char *name,
                                                    const char *value,
                                                    pqp_error *err);

/* ---- a pool, from open to close ---- */

/*
 * Opens a pool.  The pool's threads begin to connect up to min_size.  The call
 * does not wait for that, and needs no server.
 *
 * Returns PQP_INVALID if an option or the connection string is wrong; the
 * message names the keyword and never shows a value.  Returns PQP_BUSY if the
 * process has 4095 pools, which is the limit, and PQP_NOMEM or PQP_SYSTEM if
 * memory, a descriptor or a thread is missing.  On failure *pool is NULL.
 * Owner: caller, by pqp_pool_close().  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_pool_open(pqp_pool **pool,
                                                  const pqp_options *options,
                                                  pqp_error *err);

/*
 * Waits until min_size connections exist and are ready; those that are leased
 * count.
 *
 * Returns PQP_TIMEOUT if they do not in time, and PQP_CONNECT if connecting
 * failed permanently within the last 200 ms, as with a wrong password.  The
 * message has the last failure.  Returns PQP_CLOSED if the pool is closed, and
 * PQP_BUSY in a callback of the pool, where the call may not wait.
 * Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_pool_wait(pqp_pool *pool,
                                                  int timeout_ms,
                                                  pqp_error *err);

/* Sets max_size and min_size, at once.  Of a surplus, idle connections are
 * closed now and leased ones when they are released.  Returns PQP_INVALID, and
 * changes nothing, if max_size is below 1 or min_size is not in 0 to max_size.
 * Thread: any. */
PQP_EXPORT pqp_status pqp_pool_resize(pqp_pool *pool, int max_size,
                                      int min_size);

/*
 * Replaces every connection that exists now as soon as it is not leased: after
 * a failover, a change of password, ALTER ROLE SET.  A back-off after failed
 * connects ends.
 *
 * An acquire that begins after the return gets none of the connections that
 * existed at the call.  They are marked 64 at a time, so an acquire that
 * another thread makes meanwhile may still get a connection that is not marked
 * yet, and a connection that is made meanwhile may be replaced too.  Thread:
 * any.
 */
PQP_EXPORT pqp_status pqp_pool_recycle(pqp_pool *pool);

/* While a pool is suspended every acquire waits, until its own deadline.
 * pqp_pool_resume() serves the waiters in their order.  Thread: any. */
PQP_EXPORT pqp_status pqp_pool_suspend(pqp_pool *pool);
PQP_EXPORT pqp_status pqp_pool_resume(pqp_pool *pool);

/*
 * Closes a pool and sets *pool to NULL.  No acquire succeeds from now on, every
 * waiter gets PQP_CLOSED, idle connections are closed, and the call waits for
 * the leased ones until the timeout.
 *
 * Returns PQP_TIMEOUT if a connection was still leased, or a connect could not
 * be interrupted.  Such a lease may be released at any later time: the pool
 * ends with it.  Returns PQP_BUSY in an event, where the call only begins to
 * close and keeps *pool: a later call, outside of events, completes it.  A
 * *pool that is NULL is success.  Thread: any.
 */
PQP_EXPORT pqp_status pqp_pool_close(pqp_pool **pool, int timeout_ms);

/* ---- leases ---- */

/*
 * Leases a connection: an idle one at once, otherwise a new one if the pool may
 * have more, otherwise the next one that is released.  Waiters are served in
 * the order of their arrival.  timeout_ms covers waiting, pinging and
 * connecting.  With a timeout of 0 the call takes a connection that is idle and
 * needs no ping.  If there is none, a worker makes or pings one for the next
 * lease.
 *
 * Returns PQP_TIMEOUT if the deadline passed, and PQP_CONNECT if connecting
 * failed permanently within the last 200 ms and no connection is left to wait
 * for.  Returns PQP_BUSY with a timeout of 0 if no connection is ready, if
 * max_waiters wait already, and in an event of the pool if the call would have
 * to wait.  Returns PQP_CLOSED if the pool is closed.  On failure *conn is
 * NULL.
 *
 * The message says what failed, then the cause: the last error of a connect
 * with its SQLSTATE; or that all connections are leased, since when, and which
 * line acquired the oldest lease.  Then come the sizes and the number of
 * waiters.
 *
 * The function is also a macro, which keeps the calling line for that message,
 * the event LEAK and the dump.
 * Owner: caller, by pqp_release(), pqp_discard() or pqp_detach().  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_acquire(pqp_pool *pool, int timeout_ms,
                                                pqp_conn **conn,
                                                pqp_error *err);
/* pqp_acquire() with a timeout of 0 and no error. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_try_acquire(pqp_pool *pool,
                                                    pqp_conn **conn);
/* pqp_acquire() for a line that the caller names.  file and func are in static
 * storage. */
PQP_EXPORT PQP_NODISCARD pqp_status
pqp_acquire_at(pqp_pool *pool, int timeout_ms, pqp_conn **conn, pqp_error *err,
               const char *file, int line, const char *func);
#define pqp_acquire(pool, timeout_ms, conn, err)                               \
    pqp_acquire_at((pool), (timeout_ms), (conn), (err), __FILE__, __LINE__,    \
                   __func__)
#define pqp_try_acquire(pool, conn) pqp_acquire((pool), 0, (conn), NULL)

/*
 * Ends a lease, gives the connection back to the pool, and sets *conn to NULL.
 * The call cleans the session as the option `reset` says, and closes a
 * connection that cannot be cleaned: one with a query that still runs, unread
 * results, COPY or pipeline mode.
 *
 * The call never waits for the network and never fails.  A handle that is not
 * leased is reported as MISUSE, by its pool or, if that pool has ended, by the
 * pool that now uses its place.  A *conn that is NULL does nothing.
 * Thread: any.
 */
PQP_EXPORT void pqp_release(pqp_conn **conn);

/* Ends a lease as pqp_release() does, but closes the connection.  The caller
 * needs that for what no reset undoes: after PQcancel() from another thread,
 * which may arrive late and hit the next borrower's statement, and after
 * PQregisterEventProc(), which stays with the connection.  Thread: any. */
PQP_EXPORT void pqp_discard(pqp_conn **conn);

/* Ends a lease, takes the connection out of the pool, and sets *conn to NULL.
 * Returns the connection, or NULL if the handle is not leased.  The pool may
 * make another one in its place.  Notices of the connection go to the notice
 * processor that the caller sets, or to stderr.
 * Owner: caller, by PQfinish().  Thread: borrower. */
PQP_EXPORT PQP_NODISCARD PGconn *pqp_detach(pqp_conn **conn);

/*
 * Returns libpq's connection of a lease, for everything that libpq can do, or
 * NULL if the handle is not leased.
 *
 * Its notices are events (NOTICE), so PQsetNoticeProcessor() has no effect;
 * PQsetNoticeReceiver() has one until the release.  PQerrorMessage() is empty
 * after a call of this library that failed: its err and its result have the
 * text.  Owner: borrowed, until the lease ends.  Thread: borrower.
 */
PQP_EXPORT PGconn *pqp_pgconn(const pqp_conn *conn);

/* ---- statements ---- */

/* A statement with the arguments of PQexecParams(), by name. */
typedef struct pqp_query {
    size_t size; /* of the struct, in bytes: PQP_QUERY() sets it */
    const char *sql;
    int timeout_ms;    /* of the statement; 0 and PQP_NEVER: none */
    int nparams;       /* number of parameters, at most 65535 */
    int result_format; /* of all columns; 0: text, 1: binary */
    int reserved;
    const Oid *types;          /* NULL, or one per parameter; 0: inferred */
    const char *const *values; /* one per parameter; NULL: the value NULL */
    const int *lengths;        /* of binary parameters, in bytes */
    const int *formats;        /* NULL, or one per parameter; 0: text */
} pqp_query;
#define PQP_QUERY(...)      PQP_LITERAL_ADDRESS(pqp_query, __VA_ARGS__)
#define PQP_QUERY_INIT(...) PQP_LITERAL(pqp_query, __VA_ARGS__)

/*
 * Runs one statement, or several that semicolons separate, and waits for the
 * end, without a deadline.
 *
 * On PQP_OK and on PQP_SERVER *res is libpq's result, otherwise NULL.  It is
 * the result of the last statement, or of the one that failed.  res may be
 * NULL: then rows are dropped as they arrive, and use no memory. Owner: caller,
 * by PQclear().
 *
 * Returns PQP_SERVER if the server reported an error: err has the SQLSTATE and
 * the result the details, and the connection is good.  Returns PQP_LOST if the
 * connection is gone: the release closes it, and the statement may have been
 * executed.  Returns PQP_INVALID if the lease or the statement is invalid, also
 * for 1 GiB or more of SQL, which the protocol cannot carry: then nothing was
 * sent.  Returns PQP_UNSUPPORTED for COPY: the release closes the connection.
 * Thread: borrower.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_exec(pqp_conn *conn, const char *sql,
                                             PGresult **res, pqp_error *err);

/*
 * Runs one statement with parameters, in text or binary format.  Results are
 * those of pqp_exec(); the limit of 1 GiB holds for the parameters together.
 *
 * Returns PQP_TIMEOUT if the statement did not end within query->timeout_ms:
 * the release closes the connection.  After PQP_TIMEOUT and PQP_LOST the
 * statement may have been executed.  If it was a COMMIT, PQP_ERR_IN_DOUBT is
 * not set: only pqp_commit() sets it.  Thread: borrower.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_exec_params(pqp_conn *conn,
                                                    const pqp_query *query,
                                                    PGresult **res,
                                                    pqp_error *err);

/*
 * Acquires a connection, runs pqp_exec_params() on it, and releases it.  If the
 * connection turns out closed before anything was sent, the call takes another
 * one.  timeout_ms is for all acquires together, query->timeout_ms for the
 * statement.  Returns what pqp_acquire() and pqp_exec_params() return.
 *
 * The function is also a macro, which keeps the calling line as pqp_acquire()
 * does; the _at form takes it as arguments.  Thread: any.
 */
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
    PQP_ISO_DEFAULT, /* the server's default_transaction_isolation */
    PQP_ISO_READ_COMMITTED,
    PQP_ISO_REPEATABLE_READ,
    PQP_ISO_SERIALIZABLE
} pqp_isolation;

/* How a transaction begins, and how often pqp_transact() runs it. */
typedef struct pqp_tx {
    size_t size; /* of the struct, in bytes: PQP_TX() sets it */
    pqp_isolation isolation;
    int read_only, deferrable; /* not 0: READ ONLY, DEFERRABLE */
    int max_attempts;          /* of pqp_transact(); 0: 5 */
    int backoff_ms; /* before the second attempt, then doubled; 0: 5 */
    int reserved;
} pqp_tx;
#define PQP_TX(...)      PQP_LITERAL_ADDRESS(pqp_tx, __VA_ARGS__)
#define PQP_TX_INIT(...) PQP_LITERAL(pqp_tx, __VA_ARGS__)

/* The function of a transaction.  It returns PQP_OK to commit.  pqp_transact()
 * may call it several times, so its effects outside the database must bear
 * that.  It must not commit or roll back the transaction, may roll back to a
 * savepoint, and must return: in C++ it catches all exceptions. */
typedef pqp_status (*pqp_tx_fn)(void *arg, pqp_conn *conn, pqp_error *err);

/* Begins a transaction.  tx may be NULL.  Returns PQP_INVALID inside a
 * transaction, otherwise as pqp_exec().  Thread: borrower. */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_begin(pqp_conn *conn, const pqp_tx *tx,
                                              pqp_error *err);

/*
 * Commits a transaction.
 *
 * Returns PQP_SERVER with SQLSTATE 25P02 if a statement had failed before: the
 * transaction is rolled back.  PQP_ERR_RETRY is set if that statement failed
 * with 40001 or 40P01, also if the borrower ran it with libpq.  Returns
 * PQP_LOST if the connection is gone: with PQP_ERR_IN_DOUBT the transaction may
 * have been applied, without the flag it was not.  Returns PQP_INVALID outside
 * a transaction.  Thread: borrower.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_commit(pqp_conn *conn, pqp_error *err);

/* Rolls back a transaction.  Returns PQP_OK, and does nothing, outside a
 * transaction.  Thread: borrower. */
PQP_EXPORT pqp_status pqp_rollback(pqp_conn *conn, pqp_error *err);

/*
 * Acquires a connection, begins a transaction, calls fn, commits, and releases
 * the connection.
 *
 * What ends a transaction is its first error since fn last rolled back to a
 * savepoint, or the error of COMMIT.  After 40001 (serialization failure) and
 * 40P01 (deadlock) the call rolls back and runs the transaction again, up to
 * max_attempts times, with jittered pauses that double.  It does the same after
 * a lost connection if COMMIT was not sent yet, and never if the connection was
 * lost during COMMIT.  Any other failure rolls back and returns.  It makes no
 * difference whether fn ran a statement with this library or with libpq.
 *
 * Returns PQP_OK if the transaction was committed.  Otherwise *err has the
 * first error.  The status is the one that fn returned, or that of the first
 * error if fn returned PQP_OK, PQP_SERVER or PQP_LOST.  If another attempt was
 * due and could not be made, *err has the error of the last one, with
 * PQP_ERR_RETRY.
 *
 * timeout_ms bounds the acquires, the pauses and each BEGIN together, and not
 * fn and COMMIT.  A connection that does not answer BEGIN within
 * ping_timeout_ms is closed, and the call takes another one, which is no
 * attempt of max_attempts. The last BEGIN may take ping_timeout_ms beyond the
 * deadline.
 *
 * The function is also a macro, which keeps the calling line as pqp_acquire()
 * does; the _at form takes it as arguments.  Thread: any.
 */
PQP_EXPORT PQP_NODISCARD pqp_status pqp_transact(pqp_pool *pool, int timeout_ms,
                                                 const pqp_tx *tx, pqp_tx_fn fn,
                                                 void *arg, pqp_error *err);
PQP_EXPORT PQP_NODISCARD pqp_status pqp_transact_at(
    pqp_pool *pool, int timeout_ms, const pqp_tx *tx, pqp_tx_fn fn, void *arg,
    pqp_error *err, const char *file, int line, const char *func);
#define pqp_transact(...)                                                      \
    pqp_transact_at(__VA_ARGS__, __FILE__, __LINE__, __func__)

/* ---- statistics ---- */

/* The figures of a pool.  Each connection is counted in one state, so idle,
 * in_use, checking, connecting and closing sum up to total. */
typedef struct pqp_stats {
    size_t size; /* of the struct, in bytes: PQP_STATS_INIT() sets it */

    /* now */
    int total, idle, in_use;
    int checking;   /* being pinged */
    int connecting; /* counts for max_size too */
    int closing;
    int waiting; /* acquires in the waiter queue */
    int reserved;

    /* since the pool was opened */
    uint64_t acquired;       /* leases */
    uint64_t waited;         /* acquires that had to wait */
    uint64_t timed_out;      /* acquires that timed out */
    uint64_t created;        /* connections that were made */
    uint64_t closed;         /* connections that were closed */
    uint64_t connect_failed; /* connections that could not be made */
    uint64_t wait_us;        /* microseconds that acquires waited */
    uint64_t refused;        /* acquires: the waiter queue was full */
    uint64_t detached;       /* connections that left by pqp_detach() */
    uint64_t pinged;         /* pings */
    uint64_t misused;        /* calls that were reported as MISUSE */
    uint64_t connect_us;     /* microseconds that connects took */
} pqp_stats;
#define PQP_STATS_INIT() PQP_LITERAL(pqp_stats, )

/* Fills *stats, at most stats->size bytes of it.  Neither stops the pool nor
 * waits for the network.  Returns PQP_INVALID if stats is NULL or its size is
 * invalid.  Thread: any. */
PQP_EXPORT pqp_status pqp_pool_stats(pqp_pool *pool, pqp_stats *stats);

/* Describes a pool and its leases: calls line(arg, text) once for the pool and
 * once for each connection, with its state, since when it is in that state,
 * and for a lease the source line that acquired it.  `text` is borrowed until
 * `line` returns.  Thread: any. */
PQP_EXPORT void pqp_pool_dump(pqp_pool *pool,
                              void (*line)(void *arg, const char *text),
                              void *arg);

/* Returns PQPOOL_VERSION_NUMBER of the library that is loaded: 1.2.3 is 10203.
 * Thread: any. */
PQP_EXPORT int pqp_version(void);

/* ---- scope guards ---- */

/* PQP_AUTO_CONN conn = NULL; declares a lease that is released on every way out
 * of its block.  PQP_AUTO_RESULT res = NULL; declares a result that is cleared
 * there. */
#define PQP_AUTO_CONN   __attribute__((cleanup(pqp_release))) pqp_conn *
#define PQP_AUTO_RESULT __attribute__((cleanup(pqp_result_clear))) PGresult *
static inline void pqp_result_clear(PGresult **res)
{
    PQclear(*res);
    *res = NULL;
}

#ifdef __cplusplus
}
#endif
#endif
