/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Answers that never end: when a statement gives up, and how much memory it
 * takes until then. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "hostile.h"
#include "pg/lease.h"
#include "pg/query/statement.h"
#include "pg/session/session.h"
#include "support.h"

enum { MIB = 1024, /* in the unit of getrusage() */ WAIT_MS = 30000 };

static struct hostile *server;
static pqp_pool *pool;
static pqp_conn *conn;

/* Leases a connection whose server does the deed once instead of answering. */
static void begin(enum hostile_point at, hostile_deed deed, int64_t arg)
{
    char conninfo[128];
    server = hostile_start(&(struct hostile_plan){
        .at = at, .deed = deed, .arg = arg, .clients = 1});
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%d user=u sslmode=disable "
             "gssencmode=disable",
             hostile_port(server));
    pqp_error err;
    if (pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = conninfo, .max_size = 1),
                      &err) != PQP_OK ||
        pqp_acquire(pool, WAIT_MS, &conn, &err) != PQP_OK)
        fail_msg("%s", err.message);
}

static void end(void)
{
    pqp_release(&conn);
    assert_int_equal(pqp_pool_close(&pool, WAIT_MS), PQP_OK);
    hostile_stop(server);
    server = NULL;
}

/* The next lease has another session, which works. */
static void end_with_a_new_session(void)
{
    pqp_error err;
    assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, &err), PQP_LOST);
    pqp_release(&conn);
    assert_int_equal(pqp_acquire(pool, WAIT_MS, &conn, NULL), PQP_OK);
    assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, NULL), PQP_OK);
    end();
}

static int tear_down(void **state)
{
    (void)state;
    if (server != NULL)
        end();
    return 0;
}

/* pqp_exec has no deadline of its own, but the BEGIN of pqp_transact has one.
 */
static pqp_status run_for(int ms, int simple, PGresult **res, pqp_error *err)
{
    const pqp_query query = {.size = sizeof query, .sql = "SELECT 1"};
    struct session *session = pqp__use_begin(conn, err);
    assert_non_null(session);
    pqp_status status = pqp__statement(session, &query, simple,
                                       clock_after(clock_now(), ms), res, err);
    pqp__use_end(session);
    return status;
}

static int64_t ms_since(int64_t began)
{
    return (clock_now() - began) / CLOCK_MS;
}

static long peak(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Resets the peak of earlier tests, where the kernel allows it. */
static long begin_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file != NULL) {
        (void)fputs("5", file);
        (void)fclose(file);
    }
    return peak();
}

/* A sanitizer keeps the memory that the program frees. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEPS_MEMORY
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_MEMORY
#endif

#ifdef KEEPS_MEMORY
enum { SLACK = 1024 * MIB };
#else
enum { SLACK = 16 * MIB };
#endif

/* ---- time ---- */

/* For both protocols, with and without a result for the caller. */
static void assert_deadline_holds(hostile_deed deed)
{
    for (int i = 0; i < 4; i++) {
        int simple = i & 1, takes = i & 2;
        PGresult *res = NULL;
        pqp_error err;
        begin(simple ? HOSTILE_QUERY : HOSTILE_EXTENDED, deed, 0);
        int64_t began = clock_now();
        if (run_for(100, simple, takes ? &res : NULL, &err) != PQP_TIMEOUT)
            fail_msg("simple %d, takes %d: %s", simple, takes, err.message);
        assert_in_range(ms_since(began), 100, 1500);
        assert_null(res);
        assert_int_equal(err.flags, PQP_ERR_DISCARD);
        end_with_a_new_session();
    }
}

static void statement_times_out_when_results_never_end(void **state)
{
    (void)state;
    assert_deadline_holds(deed_results);
}

static void statement_times_out_when_rows_never_end(void **state)
{
    (void)state;
    assert_deadline_holds(deed_rows);
}

/* The simple protocol gives up earlier. */
static void statement_times_out_when_errors_never_end(void **state)
{
    (void)state;
    pqp_error err;
    begin(HOSTILE_EXTENDED, deed_errors, 0);
    int64_t began = clock_now();
    long before = begin_peak();
    assert_int_equal(run_for(1000, 0, NULL, &err), PQP_TIMEOUT);
    assert_in_range(ms_since(began), 1000, 20000);
    assert_in_range(peak() - before, 0, SLACK);
    end_with_a_new_session();
}

static void statement_times_out_when_notices_never_end(void **state)
{
    (void)state;
    assert_deadline_holds(deed_notices);
}

static void statement_times_out_when_notifications_never_end(void **state)
{
    (void)state;
    assert_deadline_holds(deed_notifications);
}

static void statement_times_out_when_parameter_reports_never_end(void **state)
{
    (void)state;
    assert_deadline_holds(deed_parameters);
}

/* The server sends results, and never reads the statement. */
static void
statement_times_out_when_results_come_during_a_long_send(void **state)
{
    (void)state;
    enum { LONG = 64 * 1024 * 1024 };
    char *value = malloc(LONG);
    const int length = LONG, format = 1;
    assert_non_null(value);
    memset(value, 'x', LONG);
    begin(HOSTILE_EXTENDED, deed_results, 0);
    const char *values[] = {value};
    pqp_error err;
    int64_t began = clock_now();
    assert_int_equal(
        pqp_exec_params(conn,
                        PQP_QUERY(.sql = "SELECT 1", .nparams = 1,
                                  .values = values, .lengths = &length,
                                  .formats = &format, .timeout_ms = 500),
                        NULL, &err),
        PQP_TIMEOUT);
    assert_in_range(ms_since(began), 500, 20000);
    free(value);
    end_with_a_new_session();
}

/* ---- errors ---- */

/* libpq keeps the text of each error until the statement has ended. */
static void exec_returns_lost_when_errors_never_end(void **state)
{
    (void)state;
    pqp_error err;
    begin(HOSTILE_QUERY, deed_errors, 0);
    long before = begin_peak();
    assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, &err), PQP_LOST);
    assert_non_null(strstr(err.message, "1 MiB of errors"));
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    assert_in_range(peak() - before, 0, SLACK);
    end_with_a_new_session();
}

/* As after a deferred constraint, or a message of an administrator. */
static void exec_reports_first_error_when_more_errors_follow(void **state)
{
    (void)state;
    for (int simple = 0; simple < 2; simple++) {
        pqp_error err;
        PGresult *res = NULL;
        begin(simple ? HOSTILE_QUERY : HOSTILE_EXTENDED, deed_errors, 100);
        assert_int_equal(run_for(WAIT_MS, simple, &res, &err), PQP_SERVER);
        assert_string_equal(err.sqlstate, "22012");
        assert_int_equal(err.flags, 0);
        PQclear(res);
        end();
    }
}

/* ---- memory ---- */

static void assert_takes_no_memory(hostile_deed deed, int64_t arg, int takes)
{
    for (int simple = 0; simple < 2; simple++) {
        PGresult *res = NULL;
        pqp_error err;
        begin(simple ? HOSTILE_QUERY : HOSTILE_EXTENDED, deed, arg);
        long before = begin_peak();
        pqp_status status = run_for(WAIT_MS, simple, takes ? &res : NULL, &err);
        assert_in_range(peak() - before, 0, SLACK);
        assert_int_not_equal(status, PQP_TIMEOUT);
        PQclear(res);
        end();
    }
}

static void memory_does_not_grow_when_caller_takes_no_rows(void **state)
{
    (void)state;
    assert_takes_no_memory(deed_rows, 1000000, 0);
}

static void
memory_does_not_grow_when_many_results_follow_each_other(void **state)
{
    (void)state;
    assert_takes_no_memory(deed_results, 300000, 1);
}

static void memory_does_not_grow_when_many_errors_follow_the_first(void **state)
{
    (void)state;
    assert_takes_no_memory(deed_errors, 300000, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
        TEST(statement_times_out_when_results_never_end),
        TEST(statement_times_out_when_rows_never_end),
        TEST(statement_times_out_when_errors_never_end),
        TEST(statement_times_out_when_notices_never_end),
        TEST(statement_times_out_when_notifications_never_end),
        TEST(statement_times_out_when_parameter_reports_never_end),
        TEST(statement_times_out_when_results_come_during_a_long_send),
        TEST(exec_returns_lost_when_errors_never_end),
        TEST(exec_reports_first_error_when_more_errors_follow),
        TEST(memory_does_not_grow_when_caller_takes_no_rows),
        TEST(memory_does_not_grow_when_many_results_follow_each_other),
        TEST(memory_does_not_grow_when_many_errors_follow_the_first),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
