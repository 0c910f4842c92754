/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Helpers of the integration tests; see support_pg.h. */
#include "support_pg.h"

#include <pqpool/rpool.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 8, BUFFER_SIZE = 2048, SKIPPED = 77 };

/* The buffers belong to the calling thread, so that any thread may call
 * helpers. */
static char *next_buffer(void)
{
    static _Thread_local char buffers[BUFFERS][BUFFER_SIZE];
    static _Thread_local unsigned next;
    return buffers[next++ % BUFFERS];
}

/* ---- the server ---- */

/* Returns the variable's value, or NULL if it is unset or empty. */
static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Returns the connection string; the default is the server of the compose file.
 */
static const char *base_dsn(void)
{
    const char *dsn = from_environment("PQPOOL_TEST_DSN");
    return dsn != NULL
               ? dsn
               : "host=127.0.0.1 port=54329 user=pqpool "
                 "password=pqpool-test-secret dbname=pqpool sslmode=require";
}

static const char *join(const char *dsn, const char *setting)
{
    char *buffer = next_buffer();
    int is_uri = strncmp(dsn, "postgres", 8) == 0 && strstr(dsn, "://") != NULL;
    char glue = !is_uri ? ' ' : strchr(dsn, '?') != NULL ? '&' : '?';
    int n = snprintf(buffer, BUFFER_SIZE, "%s%c%s", dsn, glue, setting);
    if (n < 0 || n >= BUFFER_SIZE)
        abort();
    return buffer;
}

static const char *named_dsn(const char *kind)
{
    char setting[64];
    (void)snprintf(setting, sizeof setting, "application_name=pqpool-%s-%ld",
                   kind, (long)getpid());
    return join(base_dsn(), setting);
}

const char *pg_dsn(void)
{
    return named_dsn("test");
}

const char *pg_dsn_with(const char *setting)
{
    return join(pg_dsn(), setting);
}

const char *pg_admin_dsn(void)
{
    const char *dsn = from_environment("PQPOOL_TEST_ADMIN_DSN");
    if (dsn == NULL && from_environment("PQPOOL_TEST_DSN") != NULL)
        skip_because("PQPOOL_TEST_ADMIN_DSN is not set");
    return dsn != NULL ? dsn : pg_dsn_with("user=postgres");
}

int server_missing(void)
{
    static int answer = -1;
    if (answer >= 0)
        return answer;
    answer = 0;
    PGconn *pg = PQconnectdb(pg_dsn());
    if (PQstatus(pg) != CONNECTION_OK) {
        const char *require = getenv("PQPOOL_REQUIRE_PG");
        int failed = require != NULL && strcmp(require, "1") == 0;
        (void)fprintf(stderr, "%s: no server: %s", failed ? "FAIL" : "SKIP",
                      PQerrorMessage(pg));
        answer = failed ? EXIT_FAILURE : SKIPPED;
    }
    PQfinish(pg);
    return answer;
}

void need_server_ctl(void)
{
    if (from_environment("PQPOOL_SERVER_CTL") == NULL)
        skip_because("PQPOOL_SERVER_CTL names no program");
}

int server_ctl(const char *command)
{
    char line[BUFFER_SIZE];
    (void)snprintf(line, sizeof line, "'%s' %s >/dev/null 2>&1",
                   getenv("PQPOOL_SERVER_CTL"), command);
    return system(line) == 0;
}

/* ---- the pool ---- */

pqp_pool *open_pool_with(const pqp_options *options)
{
    pqp_pool *pool = NULL;
    pqp_error err;
    if (pqp_pool_open(&pool, options, &err) != PQP_OK)
        fail_msg("pqp_pool_open: %s", err.message);
    return pool;
}

void close_pool(pqp_pool **pool)
{
    assert_int_equal(pqp_pool_close(pool, SOON_MS), PQP_OK);
    assert_null(*pool);
}

pqp_conn *borrow_at(pqp_pool *pool, const char *file, int line)
{
    pqp_conn *conn = NULL;
    pqp_error err;
    pqp_status status =
        pqp_acquire_at(pool, SOON_MS, &conn, &err, file, line, "borrow");
    if (status != PQP_OK) {
        print_error("%s: %s\n", pqp_status_name(status), err.message);
        _fail(file, line);
    }
    return conn;
}

pqp_stats stats_of(pqp_pool *pool)
{
    pqp_stats stats = {.size = sizeof stats};
    assert_int_equal(pqp_pool_stats(pool, &stats), PQP_OK);
    return stats;
}

/* ---- statements ---- */

void must_exec_at(pqp_conn *conn, const char *sql, const char *file, int line)
{
    pqp_error err;
    if (pqp_exec(conn, sql, NULL, &err) != PQP_OK) {
        print_error("%s: %s\n", sql, err.message);
        _fail(file, line);
    }
}

static const char *first_value(const PGresult *res)
{
    char *buffer = next_buffer();
    int any = PQntuples(res) > 0 && !PQgetisnull(res, 0, 0);
    (void)snprintf(buffer, BUFFER_SIZE, "%s", any ? PQgetvalue(res, 0, 0) : "");
    return buffer;
}

const char *ask(pqp_conn *conn, const char *sql)
{
    PQP_AUTO_RESULT res = NULL;
    pqp_error err;
    if (pqp_exec(conn, sql, &res, &err) != PQP_OK)
        fail_msg("%s: %s", sql, err.message);
    return first_value(res);
}

int backend_of(const pqp_conn *conn)
{
    return PQbackendPID(pqp_pgconn(conn));
}

/* ---- beside the pool ---- */

/* Tries twice, because a restart of the server ends this connection. */
static PGresult *exec_beside(const char *sql)
{
    static PGconn *pg;
    PGresult *res = PQexec(pg, sql);
    if (PQstatus(pg) != CONNECTION_OK) {
        PQclear(res);
        PQfinish(pg);
        pg = PQconnectdb(named_dsn("beside"));
        res = PQexec(pg, sql);
    }
    return res;
}

const char *beside(const char *sql)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    PGresult *res = exec_beside(sql);
    ExecStatusType status = PQresultStatus(res);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        print_error("%s: %s\n", sql, PQresultErrorMessage(res));
    const char *value = first_value(res);
    PQclear(res);
    pthread_mutex_unlock(&mutex);
    return value;
}

__attribute__((format(printf, 1, 2))) static const char *
beside_print(const char *format, ...)
{
    char sql[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    return beside(sql);
}

void terminate_backend(int pid)
{
    (void)beside_print("SELECT pg_terminate_backend(%d)", pid);
}

int backend_lives(int pid)
{
    const char *count = beside_print(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid);
    return strcmp(count, "0") != 0;
}

int count_backends(void)
{
    const char *count =
        beside_print("SELECT count(*) FROM pg_stat_activity"
                     " WHERE application_name = 'pqpool-test-%ld'",
                     (long)getpid());
    return (int)strtol(count, NULL, 10);
}

/* ---- time ---- */

int64_t now_ms(void)
{
    return rpool_now() / 1000000;
}

void pause_ms(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = (ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

int becomes(int (*fact)(void *arg), void *arg)
{
    for (int64_t end = now_ms() + SOON_MS; now_ms() < end; pause_ms(5))
        if (fact(arg))
            return 1;
    return fact(arg);
}

int backend_is_gone(void *pid)
{
    return !backend_lives(*(const int *)pid);
}

void kill_backend(int pid)
{
    terminate_backend(pid);
    assert_true(becomes(backend_is_gone, &pid));
}

/* ---- events ---- */

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from != NULL ? from : "");
}

void record(void *recorder, const pqp_event *event)
{
    struct recorder *r = recorder;
    pthread_mutex_lock(&r->mutex);
    r->count[event->type]++;
    if (r->used < (int)(sizeof r->seen / sizeof *r->seen)) {
        struct seen *seen = &r->seen[r->used++];
        seen->type = event->type;
        seen->backend_pid = event->backend_pid;
        seen->line = event->line;
        seen->connection = event->connection;
        seen->ms = event->ms;
        copy_text(seen->pool, sizeof seen->pool, event->pool);
        copy_text(seen->reason, sizeof seen->reason, event->reason);
        copy_text(seen->message, sizeof seen->message, event->message);
        copy_text(seen->sqlstate, sizeof seen->sqlstate, event->sqlstate);
        copy_text(seen->func, sizeof seen->func, event->func);
    }
    pthread_mutex_unlock(&r->mutex);
}

int count_of(struct recorder *recorder, pqp_event_type type)
{
    pthread_mutex_lock(&recorder->mutex);
    int count = recorder->count[type];
    pthread_mutex_unlock(&recorder->mutex);
    return count;
}

struct seen event_of(struct recorder *recorder, pqp_event_type type, int n)
{
    struct seen found = {.type = PQP_EVENT_COUNT};
    pthread_mutex_lock(&recorder->mutex);
    for (int i = 0; i < recorder->used; i++)
        if (recorder->seen[i].type == type && n-- == 0)
            found = recorder->seen[i];
    pthread_mutex_unlock(&recorder->mutex);
    assert_int_equal(found.type, type);
    return found;
}
