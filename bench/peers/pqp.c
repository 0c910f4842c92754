/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* pqpool as its users have it: the default options, leak tracking and the
 * calling line besides. */
#include "bench.h"

#include <pqpool/pqpool.h>

static pqp_pool *pool;

int peer_open(int size, int threads, int real)
{
    (void)threads, (void)real;
    pqp_error err;
    if (pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = resource_conninfo(),
                                  .max_size = size, .min_size = size,
                                  .connect_concurrency = 8,
                                  .leak_after_ms = 600000),
                      &err) != PQP_OK ||
        pqp_pool_wait(pool, 10000, &err) != PQP_OK)
        die(err.message);
    return size;
}

void *peer_acquire(int thread)
{
    (void)thread;
    pqp_conn *conn;
    pqp_error err;
    if (pqp_acquire(pool, -1, &conn, &err) != PQP_OK)
        die(err.message);
    return conn;
}

void peer_release(int thread, void *lease)
{
    (void)thread;
    pqp_conn *conn = lease;
    pqp_release(&conn);
}

/* libpq's own calls, so that only the pools differ. */
void peer_run(void *lease, const char *sql)
{
    resource_run(pqp_pgconn(lease), sql);
}

void peer_lookup(void *lease, int key)
{
    resource_lookup(pqp_pgconn(lease), key);
}
