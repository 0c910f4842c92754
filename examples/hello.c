/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The smallest complete program: it opens a pool, acquires a connection, runs a
 * statement and closes the pool. */
#include <pqpool/pqpool.h>
#include <stdio.h>
#include <stdlib.h>

static pqp_status greet(pqp_pool *pool, pqp_error *err)
{
    PQP_AUTO_CONN conn = NULL; /* released on every way out */
    PQP_AUTO_RESULT res = NULL;

    pqp_status status = pqp_acquire(pool, 5000, &conn, err);
    if (status == PQP_OK)
        status = pqp_exec(conn, "SELECT 'hello, ' || current_user", &res, err);
    if (status == PQP_OK)
        puts(PQgetvalue(res, 0, 0));
    return status;
}

int main(void)
{
    const char *dsn = getenv("PQPOOL_DSN");
    pqp_pool *pool = NULL;
    pqp_error err;

    pqp_status status =
        pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = dsn, .max_size = 8), &err);
    if (status == PQP_OK)
        status = greet(pool, &err);
    if (status != PQP_OK)
        fprintf(stderr, "hello: %s\n", err.message);

    pqp_pool_close(&pool, 1000);
    return status == PQP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
