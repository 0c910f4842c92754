/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Events and statistics: complete, in order, and without passwords. */
#include "support_pg.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* U05 U08 */
static void
events_are_complete_and_in_order_when_a_connection_is_leased_twice(void **state)
{
    (void)state;
    static const pqp_event_type expected[] = {
        PQP_EVENT_CREATED,  PQP_EVENT_ACQUIRED, PQP_EVENT_RELEASED,
        PQP_EVENT_ACQUIRED, PQP_EVENT_RELEASED, PQP_EVENT_CLOSED,
        PQP_EVENT_FREED,
    };
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .name = "orders",
                               .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool);
    int pid = backend_of(conn);
    pqp_release(&conn);
    conn = borrow(pool);
    pqp_release(&conn);
    close_pool(&pool);
    enum { COUNT = sizeof expected / sizeof *expected };
    assert_int_equal(r.used, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct seen *seen = &r.seen[i];
        assert_int_equal(seen->type, expected[i]);
        assert_string_equal(seen->pool, "orders");
        if (seen->type == PQP_EVENT_FREED)
            continue;
        assert_int_not_equal(seen->connection, 0);
        assert_int_equal(seen->connection, r.seen[0].connection);
        assert_int_equal(seen->backend_pid, pid);
    }
}

/* U05 */
static void closed_event_has_a_reason_when_a_connection_is_closed(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 3, .on_event = record, .arg = &r);
    static const char *const reasons[] = {"discarded by its borrower",
                                          "not reusable after its lease",
                                          "pool recycled"};
    pqp_conn *conn = borrow(pool);
    pqp_discard(&conn);
    conn = borrow(pool);
    assert_int_equal(pqp_exec(conn, "COPY (SELECT 1) TO STDOUT", NULL, NULL),
                     PQP_UNSUPPORTED);
    pqp_release(&conn);
    conn = borrow(pool);
    pqp_pool_recycle(pool);
    pqp_release(&conn);
    close_pool(&pool);
    assert_int_equal(count_of(&r, PQP_EVENT_CREATED),
                     count_of(&r, PQP_EVENT_CLOSED));
    for (int i = 0; i < 3; i++)
        assert_string_equal(event_of(&r, PQP_EVENT_CLOSED, i).reason,
                            reasons[i]);
    for (int i = 0; i < 3; i++)
        assert_true(event_of(&r, PQP_EVENT_CREATED, i).connection ==
                    event_of(&r, PQP_EVENT_CLOSED, i).connection);
}

/* U02 U03 */
static void
statistics_count_once_when_leases_end_in_different_ways(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .max_waiters = PQP_NEVER);
    pqp_conn *conn = borrow(pool), *other = NULL;
    assert_int_equal(pqp_acquire(pool, 30, &other, NULL), PQP_TIMEOUT);
    assert_int_equal(pqp_try_acquire(pool, &other), PQP_BUSY);
    pqp_release(&conn);
    conn = borrow(pool);
    pqp_discard(&conn);
    conn = borrow(pool);
    PQfinish(pqp_detach(&conn));
    conn = borrow(pool);
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.acquired, 4);
    assert_int_equal(stats.timed_out, 1);
    assert_int_equal(stats.created, 3);
    assert_int_equal(stats.closed, 1);
    assert_int_equal(stats.detached, 1);
    assert_int_equal(stats.connect_failed, 0);
    assert_true(stats.wait_us >= 30000);
    assert_true(stats.connect_us > 0);
    assert_int_equal(stats.in_use, 1);
    assert_int_equal(stats.total, stats.idle + stats.in_use + stats.checking +
                                      stats.connecting + stats.closing);
    pqp_release(&conn);
    close_pool(&pool);
}

struct line {
    pqp_pool *pool;
    pqp_status status;
};

static void *stand_in_line(void *arg)
{
    struct line *line = arg;
    PQP_AUTO_CONN conn = NULL;
    line->status = pqp_acquire(line->pool, SOON_MS, &conn, NULL);
    return NULL;
}

static int somebody_waits(void *pool)
{
    return stats_of(pool).waiting == 1;
}

/* A19 U02 */
static void
acquire_is_refused_with_event_when_waiter_queue_is_full(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .max_waiters = 1,
                               .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool), *other = NULL;
    struct line line = {.pool = pool};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stand_in_line, &line), 0);
    assert_true(becomes(somebody_waits, pool));
    pqp_error err;
    pqp_status status = pqp_acquire(pool, SOON_MS, &other, &err);
    pqp_release(&conn);
    pthread_join(thread, NULL);
    assert_int_equal(status, PQP_BUSY);
    assert_string_not_equal(err.message, "");
    assert_int_equal(line.status, PQP_OK);
    assert_int_equal(count_of(&r, PQP_EVENT_REFUSED), 1);
    assert_int_equal(stats_of(pool).refused, 1);
    close_pool(&pool);
}

static void timed_out_event_is_emitted_when_acquire_times_out(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool), *other = NULL;
    assert_int_equal(pqp_acquire(pool, 30, &other, NULL), PQP_TIMEOUT);
    assert_int_equal(count_of(&r, PQP_EVENT_TIMED_OUT), 1);
    assert_true(event_of(&r, PQP_EVENT_TIMED_OUT, 0).ms >= 30);
    pqp_release(&conn);
    close_pool(&pool);
}

/* T07 */
static void
notice_event_has_one_line_when_notice_has_control_characters(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool);
    must_exec(conn, "DO $$BEGIN RAISE WARNING E'100%%s\\n\\033[31mred' USING"
                    " ERRCODE = '01234'; END$$");
    struct seen seen = event_of(&r, PQP_EVENT_NOTICE, 0);
    assert_null(strpbrk(seen.message, "\n\033"));
    assert_non_null(strstr(seen.message, "100%s"));
    assert_string_equal(seen.sqlstate, "01234");
    assert_int_equal(seen.backend_pid, backend_of(conn));
    assert_int_not_equal(seen.connection, 0);
    pqp_release(&conn);
    close_pool(&pool);
}

/* T01 */
static void stderr_stays_empty_when_libpq_has_notices_and_errors(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    pqp_pool *pool = NULL;
    pqp_conn *conn = NULL;
    pqp_status opened = pqp_pool_open(
        &pool, PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = 1), NULL);
    pqp_status acquired = pqp_acquire(pool, SOON_MS, &conn, NULL);
    pqp_status notice =
        pqp_exec(conn, "DO $$BEGIN RAISE WARNING 'hello'; END$$; SET x.y = 1",
                 NULL, NULL);
    int pid = backend_of(conn);
    pqp_release(&conn);
    terminate_backend(pid);
    pqp_status again = pqp_acquire(pool, SOON_MS, &conn, NULL);
    pqp_release(&conn);
    pqp_status closed = pqp_pool_close(&pool, SOON_MS);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    long written = ftell(file);
    (void)fclose(file);
    assert_int_equal(opened, PQP_OK);
    assert_int_equal(acquired, PQP_OK);
    assert_int_equal(notice, PQP_OK);
    assert_int_equal(again, PQP_OK);
    assert_int_equal(closed, PQP_OK);
    assert_int_equal(written, 0);
}

static pqp_status do_nothing(void *arg, pqp_conn *conn, pqp_error *err)
{
    (void)arg, (void)conn, (void)err;
    return PQP_OK;
}

static void
acquired_event_names_the_caller_when_exec_or_transact_acquires(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    int line = __LINE__ + 2;
    pqp_status ran =
        pqp_pool_exec_params(pool, -1, PQP_QUERY(.sql = ""), NULL, NULL);
    pqp_status done = pqp_transact(pool, -1, NULL, do_nothing, NULL, NULL);
    assert_int_equal(ran, PQP_OK);
    assert_int_equal(done, PQP_OK);
    for (int i = 0; i < 2; i++) {
        struct seen acquired = event_of(&r, PQP_EVENT_ACQUIRED, i);
        assert_int_equal(acquired.line, line + i);
        assert_string_equal(acquired.func, __func__);
    }
    close_pool(&pool);
}

struct closing {
    pqp_pool *pool;
    pqp_status status; /* result of the last close in a notice */
};

static void close_at_a_notice(void *arg, const pqp_event *event)
{
    struct closing *closing = arg;
    if (event->type == PQP_EVENT_NOTICE)
        closing->status = pqp_pool_close(&closing->pool, -1);
}

/* F09: for a statement through pqp_exec() and one through libpq. */
static void close_returns_busy_when_called_in_a_notice_event(void **state)
{
    (void)state;
    static const char notice[] = "DO $$BEGIN RAISE NOTICE 'hello'; END$$";
    for (int raw = 0; raw < 2; raw++) {
        struct closing closing = {0};
        closing.pool = open_pool(.max_size = 1, .on_event = close_at_a_notice,
                                 .arg = &closing);
        pqp_conn *conn = borrow(closing.pool), *more = NULL;
        if (raw)
            PQclear(PQexec(pqp_pgconn(conn), notice));
        else
            assert_int_equal(pqp_exec(conn, notice, NULL, NULL), PQP_OK);
        assert_int_equal(closing.status, PQP_BUSY);
        assert_non_null(closing.pool);
        assert_int_equal(pqp_acquire(closing.pool, 0, &more, NULL), PQP_CLOSED);
        pqp_release(&conn);
        close_pool(&closing.pool);
    }
}

/* U07 */
static void password_is_in_no_message_when_the_server_rejects_it(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = NULL;
    assert_int_equal(
        pqp_pool_open(
            &pool,
            PQP_OPTIONS(.conninfo = pg_dsn_with("password=CANARY-7e1"),
                        .max_size = 1, .on_event = record, .arg = &r),
            NULL),
        PQP_OK);
    pqp_conn *conn = NULL;
    pqp_error err;
    int64_t start = now_ms();
    assert_int_equal(pqp_acquire(pool, SOON_MS, &conn, &err), PQP_CONNECT);
    assert_true(now_ms() - start < SOON_MS / 2); /* B20 */
    assert_string_equal(err.sqlstate, "28P01");
    assert_null(strstr(err.message, "CANARY"));
    struct seen failed = event_of(&r, PQP_EVENT_CREATE_FAILED, 0);
    assert_string_equal(failed.sqlstate, "28P01");
    assert_string_not_equal(failed.message, "");
    close_pool(&pool);
    for (int i = 0; i < r.used; i++)
        assert_null(strstr(r.seen[i].message, "CANARY"));
}

struct stirrer {
    pqp_pool *pool;
    int rounds;
};

static void *stir(void *arg)
{
    struct stirrer *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        PQP_AUTO_CONN conn = NULL;
        if (pqp_acquire(s->pool, SOON_MS, &conn, NULL) == PQP_OK && i % 16 == 0)
            pqp_discard(&conn);
    }
    return NULL;
}

/* U01 */
static void statistics_add_up_when_read_under_load(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 3);
    struct stirrer s = {.pool = pool, .rounds = 400};
    pthread_t threads[4];
    int bad = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stir, &s), 0);
    for (int i = 0; i < 20000; i++) {
        pqp_stats n = stats_of(pool);
        bad += n.total !=
               n.idle + n.in_use + n.checking + n.connecting + n.closing;
        bad += n.total > 3;
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(bad, 0);
    assert_int_equal(stats_of(pool).acquired, 1600);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            events_are_complete_and_in_order_when_a_connection_is_leased_twice),
        cmocka_unit_test(closed_event_has_a_reason_when_a_connection_is_closed),
        cmocka_unit_test(
            statistics_count_once_when_leases_end_in_different_ways),
        cmocka_unit_test(
            acquire_is_refused_with_event_when_waiter_queue_is_full),
        cmocka_unit_test(timed_out_event_is_emitted_when_acquire_times_out),
        cmocka_unit_test(
            notice_event_has_one_line_when_notice_has_control_characters),
        cmocka_unit_test(stderr_stays_empty_when_libpq_has_notices_and_errors),
        cmocka_unit_test(
            acquired_event_names_the_caller_when_exec_or_transact_acquires),
        cmocka_unit_test(close_returns_busy_when_called_in_a_notice_event),
        cmocka_unit_test(password_is_in_no_message_when_the_server_rejects_it),
        cmocka_unit_test(statistics_add_up_when_read_under_load),
    };
    return run_with_server(tests);
}
