/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The nth allocation, thread creation, descriptor or name resolution of the
 * library fails, for every n, on a real server.  The call that needed it must
 * report an error, and afterwards the pool must work.
 */
#include "support_nth.h"

#include <pqpool/pqpool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOON_MS = 10000, SKIPPED = 77 };

static pqp_status open_once(pqp_pool **pool)
{
    pqp_error err = {0};
    pqp_status status =
        pqp_pool_open(pool,
                      PQP_OPTIONS(.conninfo = getenv("PQPOOL_TEST_DSN"),
                                  .name = "nth", .max_size = 2),
                      &err);
    nth_check((status == PQP_OK) == (*pool != NULL),
              "open must return a pool only with OK");
    nth_check(status == PQP_OK || status == PQP_NOMEM || status == PQP_SYSTEM,
              "open returned an unexpected status");
    nth_check(status == PQP_OK || err.message[0] != '\0',
              "open returned no message");
    return status;
}

/* Acquires and runs a statement.  If `must` is set, nothing may fail. */
static void use(pqp_pool *pool, int must)
{
    pqp_conn *conn = NULL;
    pqp_error err = {0};
    PGresult *res = NULL;
    pqp_status status = pqp_acquire(pool, must ? SOON_MS : 2000, &conn, &err);
    nth_check((status == PQP_OK) == (conn != NULL),
              "acquire must return a lease only with OK");
    nth_check(status == PQP_OK || (!must && err.message[0] != '\0'),
              err.message);
    if (conn == NULL)
        return;
    const char *values[] = {"42"};
    status = pqp_exec_params(conn,
                             PQP_QUERY(.sql = "SELECT $1::int", .nparams = 1,
                                       .values = values, .timeout_ms = SOON_MS),
                             &res, &err);
    nth_check(status == PQP_OK || !must, err.message);
    if (status == PQP_OK)
        nth_check(strcmp(PQgetvalue(res, 0, 0), "42") == 0,
                  "the value is not 42");
    PQclear(res);
    pqp_release(&conn);
}

static void open_use_and_close(void)
{
    pqp_pool *pool = NULL;
    if (open_once(&pool) != PQP_OK) {
        nth_heal();
        nth_check(open_once(&pool) == PQP_OK, "the second open failed");
    }
    use(pool, 0);
    pqp_pool_recycle(pool);
    use(pool, 0);
    nth_heal();
    use(pool, 1);
    nth_check(pqp_pool_close(&pool, SOON_MS) == PQP_OK,
              "close left connections");
}

static void
pool_works_afterwards_when_nth_allocation_or_call_fails_once(void **state)
{
    (void)state;
    int points = nth_for_every(open_use_and_close, 0);
    print_message("%d points\n", points);
    assert_true(points > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(
        pool_works_afterwards_when_nth_allocation_or_call_fails_once)};
    if (getenv("PQPOOL_TEST_DSN") == NULL) {
        (void)fprintf(stderr, "SKIP: no server\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
