/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Limits of the process and of the protocol: descriptors that run out or have
 * high numbers, too many parameters, and a flood of notices.
 */
#include "support_pg.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- descriptors ---- */

static struct rlimit before;

static int remember_limit(void **state)
{
    (void)state;
    return getrlimit(RLIMIT_NOFILE, &before);
}

static int restore_limit(void **state)
{
    (void)state;
    return setrlimit(RLIMIT_NOFILE, &before);
}

static int set_limit(rlim_t descriptors)
{
    struct rlimit limit = {.rlim_cur = descriptors,
                           .rlim_max = before.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* B23: the existing connection stays usable. */
static void connect_is_retried_when_process_is_out_of_descriptors(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *conn = borrow(pool), *other = NULL;
    assert_int_equal(set_limit(3), 0);
    pqp_error err;
    pqp_status status = pqp_acquire(pool, 300, &other, &err);
    pqp_status there = pqp_exec(conn, "SELECT 1", NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "Too many open files"));
    assert_int_equal(there, PQP_OK);
    assert_in_range(stats_of(pool).connect_failed, 1, 12);
    other = borrow(pool);
    assert_string_equal(ask(other, "SELECT 1"), "1");
    pqp_release(&conn);
    pqp_release(&other);
    close_pool(&pool);
}

/* L18 */
static void
pool_serves_with_fewer_connections_when_descriptors_run_out(void **state)
{
    (void)state;
    enum { LIMIT = 40, SIZE = 100 };
    pqp_conn *conns[SIZE] = {NULL};
    pqp_pool *pool = open_pool(.max_size = SIZE);
    assert_int_equal(set_limit(LIMIT), 0);
    int got = 0;
    pqp_status status = PQP_OK;
    while (got < SIZE && status == PQP_OK) {
        status = pqp_acquire(pool, 500, &conns[got], NULL);
        got += status == PQP_OK;
    }
    pqp_release(&conns[0]);
    pqp_status again = pqp_acquire(pool, 500, &conns[0], NULL);
    int total = stats_of(pool).total;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, PQP_TIMEOUT);
    assert_in_range(got, LIMIT / 2, LIMIT);
    assert_in_range(total, got, got + 1); /* one may be connecting right now */
    assert_int_equal(again, PQP_OK);
    conns[got] = borrow(pool);
    for (int i = 0; i <= got; i++)
        pqp_release(&conns[i]);
    close_pool(&pool);
}

/* Opens every descriptor below `number`.  Returns the highest, or -1. */
static int fill_descriptors(int *held, int number)
{
    int last = -1;
    for (int n = 0; last < number - 1; n++) {
        last = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        held[n] = last;
        if (last < 0)
            break;
    }
    return last;
}

static int is_replaced(void *pool)
{
    pqp_stats stats = stats_of(pool);
    return stats.created == 2 && stats.idle == 1;
}

/* L19: in a wait, in the watch for a close by the server, and in a deadline. */
static void waits_and_deadlines_work_when_descriptors_exceed_1024(void **state)
{
    (void)state;
    enum { MANY = 1100 };
    static int held[MANY + 1];
    assert_true(before.rlim_max > 2 * MANY);
    assert_int_equal(set_limit(2 * MANY), 0);
    for (int i = 0; i <= MANY; i++)
        held[i] = -1;
    assert_int_equal(fill_descriptors(held, MANY), MANY - 1);
    pqp_pool *pool = open_pool(.max_size = 1, .min_size = 1);
    pqp_conn *conn = borrow(pool);
    assert_true(PQsocket(pqp_pgconn(conn)) >= MANY);
    assert_string_equal(ask(conn, "SELECT 1 FROM pg_sleep(0.01)"), "1");
    int pid = backend_of(conn);
    pqp_release(&conn);
    kill_backend(pid);
    assert_true(becomes(is_replaced, pool));
    conn = borrow(pool);
    assert_int_equal(pqp_exec_params(conn,
                                     PQP_QUERY(.sql = "SELECT pg_sleep(5)",
                                               .timeout_ms = 20),
                                     NULL, NULL),
                     PQP_TIMEOUT);
    pqp_release(&conn);
    close_pool(&pool);
    for (int i = 0; i <= MANY && held[i] >= 0; i++)
        (void)close(held[i]);
}

/* ---- parameters ---- */

/* L11 */
static void exec_params_is_refused_when_nparams_exceeds_65535(void **state)
{
    (void)state;
    enum { MOST = 65535, INT4 = 23 };
    const char **values = calloc(MOST + 1, sizeof *values);
    Oid *types = calloc(MOST + 1, sizeof *types);
    assert_true(values != NULL && types != NULL);
    for (int i = 0; i <= MOST; i++)
        types[i] = INT4;
    values[MOST - 1] = "42";
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    PQP_AUTO_RESULT res = NULL;
    pqp_query query = {.size = sizeof query,
                       .sql = "SELECT $65535",
                       .nparams = MOST + 1,
                       .types = types,
                       .values = values};
    pqp_error err;
    assert_int_equal(pqp_exec_params(conn, &query, &res, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "nparams"));
    assert_null(res);
    query.nparams = MOST;
    assert_int_equal(pqp_exec_params(conn, &query, &res, &err), PQP_OK);
    assert_string_equal(PQgetvalue(res, 0, 0), "42");
    pqp_release(&conn);
    assert_int_equal(stats_of(pool).idle, 1);
    close_pool(&pool);
    free(values);
    free(types);
}

/* ---- notices ---- */

struct flood {
    int notices;
    size_t least, most; /* bytes allocated */
};

static void measure_notice(void *arg, const pqp_event *event)
{
    struct flood *flood = arg;
    if (event->type != PQP_EVENT_NOTICE)
        return;
    struct mallinfo2 info = mallinfo2();
    size_t allocated = info.uordblks + info.hblkhd;
    if (flood->notices++ == 0)
        flood->least = flood->most = allocated;
    if (allocated > flood->most)
        flood->most = allocated;
}

/* T02: the server sends 40 MB of notices, and pqpool keeps none of them. */
static void memory_does_not_grow_when_server_floods_notices(void **state)
{
    (void)state;
    struct flood flood = {0};
    pqp_pool *pool =
        open_pool(.max_size = 1, .on_event = measure_notice, .arg = &flood);
    pqp_conn *conn = borrow(pool);
    must_exec(conn, "DO $$BEGIN FOR i IN 1..20000 LOOP"
                    " RAISE NOTICE '%', repeat('x', 2000);"
                    " END LOOP; END$$");
    pqp_release(&conn);
    close_pool(&pool);
    assert_int_equal(flood.notices, 20000);
    assert_in_range(flood.most - flood.least, 0, 1024 * 1024);
}

#define WITH_LIMIT(test)                                                       \
    cmocka_unit_test_setup_teardown(test, remember_limit, restore_limit)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LIMIT(connect_is_retried_when_process_is_out_of_descriptors),
        WITH_LIMIT(pool_serves_with_fewer_connections_when_descriptors_run_out),
        WITH_LIMIT(waits_and_deadlines_work_when_descriptors_exceed_1024),
        cmocka_unit_test(exec_params_is_refused_when_nparams_exceeds_65535),
        cmocka_unit_test(memory_does_not_grow_when_server_floods_notices),
    };
    return run_with_server(tests);
}
