/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the integration tests share: the server they run on, a connection
 * beside the pool, a recorder of events, and waiting for a fact.
 */
#ifndef SUPPORT_PG_H
#define SUPPORT_PG_H

#include <pqpool/pqpool.h>

#include "harness.h"

#include <pthread.h>

enum { SOON_MS = 10000 }; /* long enough for whatever must happen */

/* Runs the tests if there is a server; else says so and gives ctest's code
 * for a skipped test, or a failure if PQPOOL_REQUIRE_PG is 1. */
#define run_with_server(tests)                                                 \
    (server_missing() ? server_missing()                                       \
                      : cmocka_run_group_tests(tests, NULL, NULL))
int server_missing(void);

/* Ends the test as skipped if the server cannot be told to pause, restart... */
void need_server_ctl(void);
/* Not 0: it worked. */
int server_ctl(const char *command);

/* The server's connection string, which names this process as application. */
const char *pg_dsn(void);
/* The same and `keyword=value`, in one of a few static buffers. */
const char *pg_dsn_with(const char *setting);
/* As a superuser; ends the test as skipped if none is known. */
const char *pg_admin_dsn(void);

/* Opens a pool or fails the test. */
#define open_pool(...)                                                         \
    open_pool_with(PQP_OPTIONS(.conninfo = pg_dsn(), __VA_ARGS__))
pqp_pool *open_pool_with(const pqp_options *options);
/* Closes it, and fails the test if anything was left in it. */
void close_pool(pqp_pool **pool);
/* Acquires or fails the test, at the caller's line. */
#define borrow(pool) borrow_at((pool), __FILE__, __LINE__)
pqp_conn *borrow_at(pqp_pool *pool, const char *file, int line);
pqp_stats stats_of(pqp_pool *pool);

/* Run sql on a lease; fails the test unless it succeeds. */
#define must_exec(conn, sql) must_exec_at((conn), (sql), __FILE__, __LINE__)
void must_exec_at(pqp_conn *conn, const char *sql, const char *file, int line);
/* The first value of sql's result, in one of a few static buffers. */
const char *ask(pqp_conn *conn, const char *sql);
int backend_of(const pqp_conn *conn);

/* A connection beside the pool, of the same role.  Thread: any. */
const char *beside(const char *sql);
void terminate_backend(int pid);
int backend_lives(int pid);
/* Server sessions of this process, but for the one beside. */
int count_backends(void);

int64_t now_ms(void);
void pause_ms(int ms);
/* Tries until `fact` says yes, or for SOON_MS; says what it said last. */
int becomes(int (*fact)(void *arg), void *arg);

/* A fact: backend_lives() no more. */
int backend_is_gone(void *pid);
/* Terminates, and waits until the server is rid of it. */
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
    struct seen seen[1024]; /* the first of them */
};
#define RECORDER_INIT                                                          \
    {                                                                          \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                     \
    }

void record(void *recorder, const pqp_event *event);
int count_of(struct recorder *recorder, pqp_event_type type);
/* The n-th (0 is the first) of a type; fails the test if there is none. */
struct seen event_of(struct recorder *recorder, pqp_event_type type, int n);

#endif
