/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A serialisable transaction that runs again after a collision.  It reads a
 * counter, adds to it in C, and writes it back.  During the first attempt
 * another session changes the counter between the read and the write.  The
 * server refuses the write (SQLSTATE 40001), and pqp_transact() runs the
 * transaction once more.  Neither addition is lost.
 */
#include <pqpool/pqpool.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE "pqpool_example_counter"

struct addition {
    pqp_pool *pool;
    long amount;
    int attempts;
};

static pqp_status run(pqp_pool *pool, const char *sql, pqp_error *err)
{
    return pqp_pool_exec_params(pool, 5000, PQP_QUERY(.sql = sql), NULL, err);
}

/* The transaction.  pqp_transact() may run it several times, so all that it
 * changes outside the database must bear that.  Here that is a counter of the
 * attempts. */
static pqp_status add(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct addition *addition = arg;
    PQP_AUTO_RESULT res = NULL;
    char total[24];
    const char *const values[] = {total};

    addition->attempts++;
    pqp_status status = pqp_exec(conn, "SELECT total FROM " TABLE, &res, err);
    if (status != PQP_OK)
        return status;
    snprintf(total, sizeof total, "%ld",
             strtol(PQgetvalue(res, 0, 0), NULL, 10) + addition->amount);

    if (addition->attempts == 1) {
        status =
            run(addition->pool, "UPDATE " TABLE " SET total = total + 2", err);
        if (status != PQP_OK)
            return status;
    }

    return pqp_exec_params(conn,
                           PQP_QUERY(.sql = "UPDATE " TABLE " SET total = $1",
                                     .nparams = 1, .values = values),
                           NULL, err);
}

static pqp_status show_total(pqp_pool *pool, pqp_error *err)
{
    PQP_AUTO_RESULT res = NULL;
    pqp_status status = pqp_pool_exec_params(
        pool, 5000, PQP_QUERY(.sql = "SELECT total FROM " TABLE), &res, err);

    if (status == PQP_OK)
        printf("total: %s\n", PQgetvalue(res, 0, 0));
    return status;
}

static pqp_status add_and_show(pqp_pool *pool, pqp_error *err)
{
    struct addition addition = {.pool = pool, .amount = 40};

    pqp_status status =
        pqp_transact(pool, 5000, PQP_TX(.isolation = PQP_ISO_SERIALIZABLE), add,
                     &addition, err);
    if (status != PQP_OK)
        return status;
    printf("committed at attempt %d\n", addition.attempts);
    return show_total(pool, err);
}

int main(int argc, char **argv)
{
    const char *dsn = argc > 1 ? argv[1] : getenv("PQPOOL_DSN");
    pqp_pool *pool = NULL;
    pqp_error err;

    pqp_status status =
        pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = dsn), &err);
    if (status == PQP_OK)
        status =
            run(pool, "CREATE TABLE " TABLE " AS SELECT 0::bigint total", &err);
    if (status == PQP_OK) {
        pqp_error drop_err;

        status = add_and_show(pool, &err);
        if (run(pool, "DROP TABLE " TABLE, &drop_err) != PQP_OK)
            fprintf(stderr, "transaction: %s\n", drop_err.message);
    }
    if (status != PQP_OK)
        fprintf(stderr, "transaction: %s\n", err.message);

    pqp_pool_close(&pool, 1000);
    return status == PQP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
