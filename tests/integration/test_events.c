/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Events and statistics: complete, in order, and without secrets.
 */
#include "support_pg.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* U05 U08 */
static void the_events_of_a_connection_are_complete_and_in_order(void **state)
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
static void every_created_connection_is_closed_with_a_reason(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 3, .on_event = record, .arg = &r);
    static const char *const reasons[] = {"discarded by its borrower",
                                          "not fit for reuse after its lease",
                                          "recycled"};
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
static void everything_is_counted_once(void **state)
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
static void a_full_line_refuses_and_says_so(void **state)
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

static void a_timed_out_acquire_is_an_event(void **state)
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
static void a_notice_is_an_event_of_one_line(void **state)
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
static void nothing_of_libpq_reaches_stderr(void **state)
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

static void whoever_acquires_for_a_caller_names_him(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    int line = __LINE__ + 1;
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
    pqp_status status; /* of the last close in a notice */
};

static void close_at_a_notice(void *arg, const pqp_event *event)
{
    struct closing *closing = arg;
    if (event->type == PQP_EVENT_NOTICE)
        closing->status = pqp_pool_close(&closing->pool, -1);
}

/* F09: of a statement of ours, and of the borrower's own. */
static void a_close_in_a_notice_only_begins_to_close(void **state)
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
static void a_wrong_password_is_nowhere_to_be_read(void **state)
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
static void a_snapshot_under_load_adds_up(void **state)
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
        cmocka_unit_test(the_events_of_a_connection_are_complete_and_in_order),
        cmocka_unit_test(every_created_connection_is_closed_with_a_reason),
        cmocka_unit_test(everything_is_counted_once),
        cmocka_unit_test(a_full_line_refuses_and_says_so),
        cmocka_unit_test(a_timed_out_acquire_is_an_event),
        cmocka_unit_test(a_notice_is_an_event_of_one_line),
        cmocka_unit_test(nothing_of_libpq_reaches_stderr),
        cmocka_unit_test(whoever_acquires_for_a_caller_names_him),
        cmocka_unit_test(a_close_in_a_notice_only_begins_to_close),
        cmocka_unit_test(a_wrong_password_is_nowhere_to_be_read),
        cmocka_unit_test(a_snapshot_under_load_adds_up),
    };
    return run_with_server(tests);
}
