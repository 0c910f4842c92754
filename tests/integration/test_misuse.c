/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Misuse by a borrower: each case is reported, and no other borrower is
 * affected.
 */
#include "support_pg.h"

#include <stdatomic.h>
#include <string.h>

/* I-01 */
static void
second_release_is_misuse_when_connection_is_leased_again(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool), *stale = conn;
    pqp_release(&conn);
    conn = borrow(pool);
    pqp_release(&stale);
    assert_null(stale);
    assert_int_equal(count_of(&r, PQP_EVENT_MISUSE), 1);
    assert_string_not_equal(event_of(&r, PQP_EVENT_MISUSE, 0).message, "");
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    assert_int_equal(stats_of(pool).in_use, 1);
    assert_int_equal(stats_of(pool).misused, 1);
    pqp_release(&conn);
    close_pool(&pool);
}

struct race {
    pthread_barrier_t barrier;
    pqp_conn *conn;
};

static void *release_at_the_barrier(void *arg)
{
    struct race *race = arg;
    pqp_conn *mine = race->conn;
    pthread_barrier_wait(&race->barrier);
    pqp_release(&mine);
    return NULL;
}

/* I-02 */
static void
one_release_succeeds_when_two_threads_release_one_lease(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    enum { ROUNDS = 100 };
    for (int i = 0; i < ROUNDS; i++) {
        struct race race = {.conn = borrow(pool)};
        pthread_t thread;
        assert_int_equal(pthread_barrier_init(&race.barrier, NULL, 2), 0);
        assert_int_equal(
            pthread_create(&thread, NULL, release_at_the_barrier, &race), 0);
        (void)release_at_the_barrier(&race);
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&race.barrier);
    }
    assert_int_equal(count_of(&r, PQP_EVENT_RELEASED), ROUNDS);
    assert_int_equal(count_of(&r, PQP_EVENT_MISUSE), ROUNDS);
    assert_int_equal(stats_of(pool).total, 1);
    close_pool(&pool);
}

/* I-04 */
static void calls_are_refused_when_connection_handle_is_stale(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool), *stale = conn;
    pqp_release(&conn);
    conn = borrow(pool);
    pqp_error err;
    PGresult *res = NULL;
    assert_int_equal(pqp_exec(stale, "SELECT 1", &res, &err), PQP_INVALID);
    assert_int_equal(stats_of(pool).misused, 1);
    assert_null(res);
    assert_string_not_equal(err.message, "");
    assert_int_equal(pqp_exec_params(stale, PQP_QUERY(.sql = ""), NULL, NULL),
                     PQP_INVALID);
    assert_int_equal(pqp_begin(stale, NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_commit(stale, NULL), PQP_INVALID);
    assert_int_equal(pqp_rollback(stale, NULL), PQP_INVALID);
    assert_null(pqp_pgconn(stale));
    pqp_conn *copy = stale;
    assert_null(pqp_detach(&copy));
    copy = stale;
    pqp_discard(&copy);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
    assert_null(pqp_pgconn(stale));
}

/* I-05 I-06 */
static void
release_does_nothing_when_pointer_is_no_leased_connection(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1),
             *other = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool), *theirs = borrow(other);
    PGconn *raw = PQconnectdb(pg_dsn());
    pqp_conn *wrong = (pqp_conn *)(void *)raw;
    pqp_release(&wrong);
    assert_int_equal(PQstatus(raw), CONNECTION_OK);
    PQfinish(raw);
    /* A handle knows its pool: the connection goes back there. */
    pqp_release(&theirs);
    assert_int_equal(stats_of(other).in_use, 0);
    assert_int_equal(stats_of(pool).in_use, 1);
    pqp_release(&conn);
    close_pool(&other);
    close_pool(&pool);
}

static void *just_release(void *arg)
{
    pqp_conn *conn = arg;
    pqp_release(&conn);
    return NULL;
}

/* I-07 */
static void lease_ends_when_another_thread_releases_it(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    for (int i = 0; i < 50; i++) {
        pqp_conn *conn = borrow(pool);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, just_release, conn), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(stats_of(pool).created, 1);
    assert_int_equal(stats_of(pool).misused, 0);
    close_pool(&pool);
}

struct sleeper {
    pqp_conn *conn;
    atomic_int started;
    pqp_status status;
};

static void *run_a_long_statement(void *arg)
{
    struct sleeper *sleeper = arg;
    atomic_store(&sleeper->started, 1);
    sleeper->status = pqp_exec(sleeper->conn, "SELECT pg_sleep(1)", NULL, NULL);
    return NULL;
}

/* I-08 */
static void exec_is_refused_when_another_thread_uses_the_lease(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    struct sleeper sleeper = {.conn = borrow(pool)};
    pthread_t thread;
    assert_int_equal(
        pthread_create(&thread, NULL, run_a_long_statement, &sleeper), 0);
    while (!atomic_load(&sleeper.started))
        pause_ms(1);
    pause_ms(200);
    pqp_error err;
    pqp_status status = pqp_exec(sleeper.conn, "SELECT 1", NULL, &err);
    pthread_join(thread, NULL);
    assert_int_equal(status, PQP_INVALID);
    assert_non_null(strstr(err.message, "another thread"));
    assert_int_equal(sleeper.status, PQP_OK);
    assert_int_equal(count_of(&r, PQP_EVENT_MISUSE), 1);
    assert_string_equal(ask(sleeper.conn, "SELECT 1"), "1");
    pqp_release(&sleeper.conn);
    close_pool(&pool);
}

/* I-08: until then no other borrower gets the connection. */
static void lease_ends_with_statement_when_released_during_it(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    struct sleeper sleeper = {.conn = borrow(pool)};
    pqp_conn *copy = sleeper.conn;
    int pid = backend_of(copy);
    pthread_t thread;
    assert_int_equal(
        pthread_create(&thread, NULL, run_a_long_statement, &sleeper), 0);
    while (!atomic_load(&sleeper.started))
        pause_ms(1);
    pause_ms(200);
    pqp_release(&copy);
    assert_int_equal(count_of(&r, PQP_EVENT_MISUSE), 1);
    assert_int_equal(stats_of(pool).in_use, 1);
    assert_int_equal(pqp_exec(sleeper.conn, "SELECT 1", NULL, NULL),
                     PQP_INVALID);
    pthread_join(thread, NULL);
    assert_int_equal(sleeper.status, PQP_OK);
    copy = borrow(pool);
    assert_int_not_equal(backend_of(copy), pid);
    pqp_release(&copy);
    close_pool(&pool);
}

struct crowd {
    pqp_conn *conn; /* the lease of the borrower */
    atomic_int stop, wrong;
};

static void *use_what_is_anothers(void *arg)
{
    struct crowd *crowd = arg;
    while (!atomic_load(&crowd->stop)) {
        pqp_status status = pqp_rollback(crowd->conn, NULL);
        if (status != PQP_OK && status != PQP_INVALID && status != PQP_LOST)
            atomic_store(&crowd->wrong, 1);
    }
    return NULL;
}

/* I-08 I-04: threads use a lease while its borrower ends it.  Later borrowers
 * have their session alone, and no session is freed while it is in use. */
static void
later_leases_are_unharmed_when_threads_use_a_stale_handle(void **state)
{
    (void)state;
    enum { THIEVES = 3, ROUNDS = 200 };
    pqp_pool *pool = open_pool(.max_size = 2, .connect_concurrency = 2);
    for (int i = 0; i < ROUNDS; i++) {
        struct crowd crowd = {.conn = borrow(pool)};
        pqp_conn *mine = crowd.conn;
        pthread_t thread[THIEVES];
        for (int t = 0; t < THIEVES; t++)
            assert_int_equal(
                pthread_create(&thread[t], NULL, use_what_is_anothers, &crowd),
                0);
        i % 2 ? pqp_release(&mine) : pqp_discard(&mine);
        mine = borrow(pool);
        for (int n = 0; n < 20; n++)
            assert_string_equal(ask(mine, "SELECT 1"), "1");
        atomic_store(&crowd.stop, 1);
        for (int t = 0; t < THIEVES; t++)
            pthread_join(thread[t], NULL);
        assert_int_equal(crowd.wrong, 0);
        pqp_release(&mine);
    }
    close_pool(&pool);
}

/* I-09 */
static void
connection_is_closed_at_release_when_borrower_called_PQfinish(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool);
    PQfinish(pqp_pgconn(conn));
    assert_int_equal(count_of(&r, PQP_EVENT_MISUSE), 1);
    assert_int_equal(stats_of(pool).misused, 1);
    assert_null(pqp_pgconn(conn));
    assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, NULL), PQP_LOST);
    assert_int_equal(pqp_rollback(conn, NULL), PQP_LOST);
    pqp_release(&conn);
    conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

/* I-10 */
static void
connection_is_closed_at_release_when_borrower_called_PQreset(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool);
    PQreset(pqp_pgconn(conn));
    assert_int_equal(count_of(&r, PQP_EVENT_MISUSE), 1);
    int pid = backend_of(conn);
    pqp_release(&conn);
    conn = borrow(pool);
    assert_int_not_equal(backend_of(conn), pid);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

static int has_leaked(void *recorder)
{
    return count_of(recorder, PQP_EVENT_LEAK) > 0;
}

/* I-11 I-12 */
static void leak_is_emitted_once_when_lease_exceeds_leak_after_ms(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .leak_after_ms = 50,
                               .on_event = record, .arg = &r);
    pqp_conn *conn = NULL;
    int line = __LINE__ + 1;
    assert_int_equal(pqp_acquire(pool, SOON_MS, &conn, NULL), PQP_OK);
    assert_true(becomes(has_leaked, &r));
    pause_ms(120);
    assert_int_equal(count_of(&r, PQP_EVENT_LEAK), 1);
    struct seen leak = event_of(&r, PQP_EVENT_LEAK, 0);
    assert_int_equal(leak.line, line);
    assert_string_equal(leak.func, __func__);
    assert_true(leak.ms >= 50);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    assert_int_equal(count_of(&r, PQP_EVENT_LEAK_RETURNED), 1);
    assert_int_equal(event_of(&r, PQP_EVENT_LEAK_RETURNED, 0).line, line);
    close_pool(&pool);
}

/* I-13 */
static void detached_connection_works_when_its_pool_is_closed(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool);
    PGconn *mine = pqp_detach(&conn);
    assert_null(conn);
    assert_non_null(mine);
    conn = borrow(pool);
    assert_int_not_equal(backend_of(conn), PQbackendPID(mine));
    pqp_release(&conn);
    assert_int_equal(stats_of(pool).detached, 1);
    close_pool(&pool);
    assert_int_equal(count_of(&r, PQP_EVENT_DETACHED), 1);
    assert_int_equal(count_of(&r, PQP_EVENT_CLOSED), 1);
    PGresult *res = PQexec(mine, "SELECT 1");
    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    PQfinish(mine);
    PQclear(res);
}

/* I-18 */
static void
libpq_warning_is_ignored_when_pool_of_the_result_is_gone(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .on_event = record, .arg = &r);
    PGresult *res = NULL;
    assert_int_equal(pqp_pool_exec_params(pool, SOON_MS,
                                          PQP_QUERY(.sql = "SELECT 1"), &res,
                                          NULL),
                     PQP_OK);
    close_pool(&pool);
    int before = r.used;
    assert_null(PQgetvalue(res, 99, 99));
    PQclear(res);
    assert_int_equal(r.used, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            second_release_is_misuse_when_connection_is_leased_again),
        cmocka_unit_test(
            one_release_succeeds_when_two_threads_release_one_lease),
        cmocka_unit_test(calls_are_refused_when_connection_handle_is_stale),
        cmocka_unit_test(
            release_does_nothing_when_pointer_is_no_leased_connection),
        cmocka_unit_test(lease_ends_when_another_thread_releases_it),
        cmocka_unit_test(exec_is_refused_when_another_thread_uses_the_lease),
        cmocka_unit_test(lease_ends_with_statement_when_released_during_it),
        cmocka_unit_test(
            later_leases_are_unharmed_when_threads_use_a_stale_handle),
        cmocka_unit_test(
            connection_is_closed_at_release_when_borrower_called_PQfinish),
        cmocka_unit_test(
            connection_is_closed_at_release_when_borrower_called_PQreset),
        cmocka_unit_test(leak_is_emitted_once_when_lease_exceeds_leak_after_ms),
        cmocka_unit_test(detached_connection_works_when_its_pool_is_closed),
        cmocka_unit_test(
            libpq_warning_is_ignored_when_pool_of_the_result_is_gone),
    };
    return run_with_server(tests);
}
