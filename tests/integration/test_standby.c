/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sessions to a standby: one that was asked for, and one that has the primary's
 * name by mistake.
 */
#include "support_pg.h"

#include <string.h>

#include "support_standby.h"

enum { SIZE = 3 };

/* Leases all connections and releases them.  `pids` may be NULL. */
static void use_all(pqp_pool *pool, int pids[SIZE])
{
    pqp_conn *conns[SIZE];
    for (int i = 0; i < SIZE; i++) {
        conns[i] = borrow(pool);
        if (pids != NULL)
            pids[i] = backend_of(conns[i]);
    }
    for (int i = 0; i < SIZE; i++)
        pqp_release(&conns[i]);
}

static void write_is_refused(pqp_conn *conn)
{
    pqp_error err;
    assert_int_equal(
        pqp_exec(conn, "INSERT INTO notes (body) VALUES ('')", NULL, &err),
        PQP_SERVER);
    assert_string_equal(err.sqlstate, "25006");
}

static void
session_is_not_leased_when_its_wanted_standby_was_promoted(void **state)
{
    (void)state;
    const char *dsn = standby_start("target_session_attrs=standby");
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = dsn, .max_size = SIZE, .ping_always = 1));
    use_all(pool, NULL);
    standby_promote();
    pqp_conn *conn = NULL;
    assert_int_equal(pqp_acquire(pool, 500, &conn, NULL), PQP_TIMEOUT);
    assert_int_equal(stats_of(pool).created, SIZE);
    close_pool(&pool);
}

static int all_are_new(const int old[SIZE], const int new[SIZE])
{
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++)
            if (old[i] == new[k])
                return 0;
    return 1;
}

/* P11: with and without a ping, after a short idle time. */
static void
sessions_are_replaced_when_their_standby_refused_one_write(void **state)
{
    (void)state;
    const char *dsn = standby_start("");
    for (int pinged = 0; pinged < 2; pinged++) {
        int old[SIZE], new[SIZE], last[SIZE];
        pqp_pool *pool = open_pool_with(
            PQP_OPTIONS(.conninfo = dsn, .max_size = SIZE,
                        .ping_after_ms = PQP_NEVER, .ping_always = pinged));
        use_all(pool, old);
        pqp_conn *conn = borrow(pool);
        write_is_refused(conn);
        assert_string_equal(ask(conn, "SELECT 1"), "1");
        pqp_release(&conn);
        pause_ms(20);
        use_all(pool, new);
        assert_true(all_are_new(old, new));
        use_all(pool, last);
        assert_false(all_are_new(new, last));
        close_pool(&pool);
    }
}

/* The host name points to the standby for a while. */
static void
reconnects_are_limited_when_standby_keeps_refusing_writes(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = standby_start(""), .max_size = 1));
    int64_t start = now_ms();
    for (int i = 0; i < 100; i++) {
        pqp_conn *conn = borrow(pool);
        write_is_refused(conn);
        pqp_release(&conn);
    }
    int64_t seconds = (now_ms() - start) / 1000;
    assert_in_range(stats_of(pool).created, 2, (uint64_t)seconds + 3);
    close_pool(&pool);
}

static void sessions_stay_when_wanted_standby_refused_a_write(void **state)
{
    (void)state;
    const char *dsn = standby_start("target_session_attrs=prefer-standby");
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = dsn, .max_size = SIZE, .ping_always = 1));
    use_all(pool, NULL);
    pqp_conn *conn = borrow(pool);
    write_is_refused(conn);
    pqp_release(&conn);
    use_all(pool, NULL);
    assert_int_equal(stats_of(pool).created, SIZE);
    close_pool(&pool);
}

#define TEST(test) cmocka_unit_test_teardown(test, standby_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(session_is_not_leased_when_its_wanted_standby_was_promoted),
        TEST(sessions_are_replaced_when_their_standby_refused_one_write),
        TEST(reconnects_are_limited_when_standby_keeps_refusing_writes),
        TEST(sessions_stay_when_wanted_standby_refused_a_write),
    };
    return run_with_server(tests);
}
