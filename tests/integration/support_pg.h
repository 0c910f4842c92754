/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Helpers of the integration tests: the server, a connection beside the pool, a
 * recorder of events, and waiting until a condition is true.
 */
#ifndef SUPPORT_PG_H
#define SUPPORT_PG_H

#include <pqpool/pqpool.h>

#include "harness.h"

#include <pthread.h>

enum { SOON_MS = 10000 }; /* longer than any expected event takes */

/* Runs the tests if a server answers.  Otherwise prints the reason and returns
 * ctest's code for a skipped test, or a failure if PQPOOL_REQUIRE_PG is 1. */
#define run_with_server(tests)                                                 \
    (server_missing() ? server_missing()                                       \
                      : cmocka_run_group_tests(tests, NULL, NULL))
int server_missing(void);

/* Ends the test as skipped if no program can pause or restart the server. */
void need_server_ctl(void);
/* Returns not 0 if the command succeeded. */
int server_ctl(const char *command);

/* Returns the server's connection string; its application name has the pid. */
const char *pg_dsn(void);
/* Returns the same with `keyword=value`, in one of a few static buffers. */
const char *pg_dsn_with(const char *setting);
/* Returns it for a superuser, or ends the test as skipped if none is known. */
const char *pg_admin_dsn(void);

/* Opens a pool, or fails the test. */
#define open_pool(...)                                                         \
    open_pool_with(PQP_OPTIONS(.conninfo = pg_dsn(), __VA_ARGS__))
pqp_pool *open_pool_with(const pqp_options *options);
/* Closes the pool, and fails the test if an item was left in it. */
void close_pool(pqp_pool **pool);
/* Acquires a connection, or fails the test at the caller's line. */
#define borrow(pool) borrow_at((pool), __FILE__, __LINE__)
pqp_conn *borrow_at(pqp_pool *pool, const char *file, int line);
pqp_stats stats_of(pqp_pool *pool);

/* Runs sql on a lease, and fails the test unless it succeeds. */
#define must_exec(conn, sql) must_exec_at((conn), (sql), __FILE__, __LINE__)
void must_exec_at(pqp_conn *conn, const char *sql, const char *file, int line);
/* Returns the first value of sql's result, in one of a few static buffers. */
const char *ask(pqp_conn *conn, const char *sql);
int backend_of(const pqp_conn *conn);

/* Runs sql on a connection of the same role beside the pool.  Thread: any. */
const char *beside(const char *sql);
void terminate_backend(int pid);
int backend_lives(int pid);
/* Returns the number of this process's server sessions, without that
 * connection. */
int count_backends(void);

int64_t now_ms(void);
void pause_ms(int ms);
/* Calls `fact` until it returns not 0, at most for SOON_MS.  Returns its last
 * result. */
int becomes(int (*fact)(void *arg), void *arg);

/* For becomes(): not 0 when the backend has ended. */
int backend_is_gone(void *pid);
/* Terminates a backend, and waits until it has ended. */
void kill_backend(int pid);

/* ---- events ---- */

struct seen {
    pqp_event_type type;
    int backend_pid, line;
    uint64_t connection;
    int64_t ms;
    char pool[32], reason[48], message[256], sqlstate[8], func[64];
};

struct recorder {
    pthread_mutex_t mutex;
    int count[PQP_EVENT_COUNT];
    int used;
    struct seen seen[1024]; /* the first events */
};
#define RECORDER_INIT                                                          \
    {                                                                          \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                     \
    }

void record(void *recorder, const pqp_event *event);
int count_of(struct recorder *recorder, pqp_event_type type);
/* Returns the n-th event of a type (0 is the first), or fails the test. */
struct seen event_of(struct recorder *recorder, pqp_event_type type, int n);

#endif
