/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* libzdb, through its own interface.  It does not wait for a connection, so
 * that its users must: here by sleeping between two tries. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zdb.h>

static ConnectionPool_T pool;

/* Its own messages go through its exceptions, which are ours to catch: those
 * of a benchmark are fatal. */
static void fail(const char *message)
{
    die(message);
}

int peer_open(int size, int threads, int real)
{
    (void)threads, (void)real;
    URL_T url = URL_new(getenv("BENCH_URL"));
    if (url == NULL)
        die("BENCH_URL is not a URL");
    pool = ConnectionPool_new(url);
    ConnectionPool_setAbortHandler(pool, fail);
    ConnectionPool_setInitialConnections(pool, size);
    ConnectionPool_setMaxConnections(pool, size);
    ConnectionPool_start(pool);
    return size;
}

void *peer_acquire(int thread)
{
    (void)thread;
    Connection_T conn;
    while ((conn = ConnectionPool_getConnection(pool)) == NULL)
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    return conn;
}

void peer_release(int thread, void *lease)
{
    (void)thread;
    Connection_close(lease);
}

static void read_all(ResultSet_T rows)
{
    while (ResultSet_next(rows))
        (void)ResultSet_getString(rows, 1);
}

void peer_run(void *lease, const char *sql)
{
    if (strncmp(sql, "SELECT", 6) == 0)
        read_all(Connection_executeQuery(lease, "%s", sql));
    else
        Connection_execute(lease, "%s", sql);
}

void peer_lookup(void *lease, int key)
{
    read_all(Connection_executeQuery(lease, "EXECUTE lookup(%d)", key));
}
