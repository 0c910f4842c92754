/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A network that falls silent, resets or delivers single bytes during a
 * connect, a ping, a statement or COMMIT.  It costs one connection and at most
 * the time that the caller allowed, and the next lease works.
 */
#include "support_network.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 500, SLACK_MS = 2500 };

/* Fails the test unless the pool leases a connection that works. */
static void next_lease_works(pqp_pool *pool)
{
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 'well'"), "well");
    pqp_release(&conn);
}

static pqp_pool *open_impatient(void)
{
    return open_proxied(.max_size = 1, .connect_timeout_ms = PATIENCE_MS,
                        .connect_retry_max_ms = 1, .ping_always = 1,
                        .ping_timeout_ms = PATIENCE_MS);
}

/* ---- connect ---- */

/* The messages of a startup with SCRAM, in their order. */
static const struct fault_rule start_up[] = {{.message = 'R'},
                                             {.message = 'R', .nth = 2},
                                             {.message = 'R', .nth = 3},
                                             {.message = 'R', .nth = 4},
                                             {.message = 'S'},
                                             {.message = 'K'},
                                             {.message = 'Z'}};

/* Takes `action` before each message of the startup of a connection.  The next
 * connection is not disturbed. */
static void break_connects(enum fault_action action, int64_t least_ms)
{
    for (size_t i = 0; i < sizeof start_up / sizeof *start_up; i++) {
        pqp_pool *pool = open_impatient();
        struct fault_rule rule = start_up[i];
        rule.action = action;
        proxy_set(proxy, PROXY_NEXT, TO_CLIENT, &rule);
        int64_t start = now_ms();
        next_lease_works(pool);
        assert_in_range(now_ms() - start, least_ms, least_ms + SLACK_MS);
        assert_true(stats_of(pool).connect_failed > 0);
        close_pool(&pool);
    }
}

static void acquire_succeeds_when_a_silent_connect_has_timed_out(void **state)
{
    (void)state;
    break_connects(FAULT_SILENCE, PATIENCE_MS);
}

static void acquire_succeeds_when_a_connect_was_reset(void **state)
{
    (void)state;
    break_connects(FAULT_RST, 0);
}

static void acquire_succeeds_when_a_connect_was_closed(void **state)
{
    (void)state;
    break_connects(FAULT_FIN, 0);
}

static void
acquire_keeps_its_deadline_when_all_connects_are_silent(void **state)
{
    (void)state;
    pqp_pool *pool = open_impatient();
    pqp_conn *conn = NULL;
    set_rule(PROXY_ALL, TO_SERVER, .action = FAULT_SILENCE);
    int64_t start = now_ms();
    pqp_status status = pqp_acquire(pool, 3 * PATIENCE_MS, &conn, NULL);
    assert_true(status == PQP_TIMEOUT || status == PQP_CONNECT);
    assert_in_range(now_ms() - start, 0, 3 * PATIENCE_MS + SLACK_MS);
    proxy_pass(proxy);
    next_lease_works(pool);
    close_pool(&pool);
}

static void acquire_succeeds_when_one_byte_comes_at_a_time(void **state)
{
    (void)state;
    pqp_pool *pool = open_proxied(.max_size = 1);
    set_rule(PROXY_NEW, BOTH_WAYS, .chunk = 1);
    next_lease_works(pool);
    close_pool(&pool);
}

/* Each byte is an answer in time, but the connect is never complete. */
static void connect_times_out_when_server_sends_a_byte_each_20_ms(void **state)
{
    (void)state;
    pqp_pool *pool = open_impatient();
    set_rule(PROXY_NEXT, TO_CLIENT, .chunk = 1, .gap_ms = 20);
    int64_t start = now_ms();
    next_lease_works(pool);
    assert_in_range(now_ms() - start, PATIENCE_MS, PATIENCE_MS + SLACK_MS);
    assert_true(stats_of(pool).connect_failed > 0);
    close_pool(&pool);
}

/* ---- ping ---- */

static void break_ping(enum fault_action action, int64_t least_ms)
{
    pqp_pool *pool = open_impatient();
    next_lease_works(pool);
    int number = newest();
    set_rule(number, TO_SERVER, .action = action, .message = 'Q');
    int64_t start = now_ms();
    next_lease_works(pool);
    assert_in_range(now_ms() - start, least_ms, least_ms + SLACK_MS);
    assert_true(newest() > number);
    assert_int_equal(stats_of(pool).closed, 1);
    close_pool(&pool);
}

static void acquire_succeeds_when_a_silent_ping_has_timed_out(void **state)
{
    (void)state;
    break_ping(FAULT_SILENCE, PATIENCE_MS);
}

static void acquire_succeeds_when_its_ping_is_reset(void **state)
{
    (void)state;
    break_ping(FAULT_RST, 0);
    break_ping(FAULT_FIN, 0);
}

/* ---- a statement ---- */

/* Before the result, in a row, before its end, and before ReadyForQuery. */
static const struct fault_rule answers[] = {{.message = 'T'},
                                            {.message = 'D', .offset = 6},
                                            {.message = 'C'},
                                            {.message = 'Z'}};

static void break_statement(enum fault_action action, pqp_status expected)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        pqp_pool *pool = open_impatient();
        pqp_conn *conn = borrow(pool);
        pqp_error err;
        struct fault_rule rule = answers[i];
        rule.action = action;
        proxy_set(proxy, newest(), TO_CLIENT, &rule);
        int64_t start = now_ms();
        pqp_status status = pqp_exec_params(
            conn, PQP_QUERY(.sql = "SELECT 1", .timeout_ms = PATIENCE_MS), NULL,
            &err);
        assert_int_equal(status, expected);
        assert_true(err.flags & PQP_ERR_DISCARD);
        assert_in_range(now_ms() - start, 0, PATIENCE_MS + SLACK_MS);
        pqp_release(&conn);
        next_lease_works(pool);
        close_pool(&pool);
    }
}

static void statement_times_out_when_the_network_is_silent(void **state)
{
    (void)state;
    break_statement(FAULT_SILENCE, PQP_TIMEOUT);
    break_statement(FAULT_HOLD, PQP_TIMEOUT);
}

static void statement_is_lost_when_the_network_resets_or_closes(void **state)
{
    (void)state;
    break_statement(FAULT_RST, PQP_LOST);
    break_statement(FAULT_FIN, PQP_LOST);
}

/* The server stops reading in the middle of a large parameter. */
static void statement_times_out_when_the_server_stops_reading(void **state)
{
    (void)state;
    enum { LARGE = 32 << 20 };
    pqp_pool *pool = open_impatient();
    pqp_conn *conn = borrow(pool);
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    set_rule(newest(), TO_SERVER, .action = FAULT_HOLD, .offset = 100000);
    const char *values[] = {large};
    int64_t start = now_ms();
    pqp_status status =
        pqp_exec_params(conn,
                        PQP_QUERY(.sql = "SELECT length($1)", .nparams = 1,
                                  .values = values, .timeout_ms = PATIENCE_MS),
                        NULL, NULL);
    assert_int_equal(status, PQP_TIMEOUT);
    assert_in_range(now_ms() - start, PATIENCE_MS, PATIENCE_MS + SLACK_MS);
    pqp_release(&conn);
    free(large);
    next_lease_works(pool);
    close_pool(&pool);
}

/* ---- COMMIT ---- */

static const char *count_rows(void)
{
    return beside("SELECT count(*) FROM network_test");
}

static pqp_conn *begin_and_insert(pqp_pool *pool)
{
    (void)beside("TRUNCATE network_test");
    pqp_conn *conn = borrow(pool);
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    must_exec(conn, "INSERT INTO network_test VALUES (1)");
    return conn;
}

/* Commits while `rule` cuts the connection, and expects a loss that is in
 * doubt. */
static void lose_commit(enum proxy_direction direction,
                        const struct fault_rule *rule, const char *rows)
{
    pqp_pool *pool = open_impatient();
    pqp_conn *conn = begin_and_insert(pool);
    pqp_error err;
    proxy_set(proxy, newest(), direction, rule);
    assert_int_equal(pqp_commit(conn, &err), PQP_LOST);
    assert_true(err.flags & PQP_ERR_IN_DOUBT);
    assert_true(err.flags & PQP_ERR_DISCARD);
    pqp_release(&conn);
    next_lease_works(pool);
    assert_string_equal(count_rows(), rows);
    close_pool(&pool);
}

static void commit_is_in_doubt_when_its_message_was_lost(void **state)
{
    (void)state;
    static const enum fault_action cuts[] = {FAULT_RST, FAULT_FIN};
    for (int i = 0; i < 2; i++) {
        struct fault_rule rule = {.action = cuts[i], .message = 'Q'};
        lose_commit(TO_SERVER, &rule, "0");
        rule.offset = 8;
        lose_commit(TO_SERVER, &rule, "0");
    }
}

static void commit_is_in_doubt_when_its_answer_was_lost(void **state)
{
    (void)state;
    static const enum fault_action cuts[] = {FAULT_RST, FAULT_FIN};
    for (int i = 0; i < 2; i++) {
        struct fault_rule rule = {.action = cuts[i], .message = 'C'};
        lose_commit(TO_CLIENT, &rule, "1");
        rule.offset = 7;
        lose_commit(TO_CLIENT, &rule, "1");
    }
}

struct committing {
    pqp_conn *conn;
    pqp_status status;
    pqp_error err;
};

static void *commit_in_thread(void *arg)
{
    struct committing *c = arg;
    c->status = pqp_commit(c->conn, &c->err);
    return NULL;
}

/* COMMIT has no deadline: it waits until the network reports an error. */
static void
other_connections_work_when_network_is_silent_during_commit(void **state)
{
    (void)state;
    pqp_pool *pool = open_proxied(.max_size = 2);
    struct committing c = {.conn = begin_and_insert(pool)};
    int number = newest();
    set_rule(number, TO_SERVER, .action = FAULT_SILENCE, .message = 'Q');
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, commit_in_thread, &c), 0);
    assert_true(proxy_wait_reached(proxy, number, TO_SERVER, SOON_MS));
    next_lease_works(pool);
    assert_int_equal(stats_of(pool).in_use, 1);
    set_rule(number, BOTH_WAYS, .action = FAULT_RST);
    pthread_join(thread, NULL);
    assert_int_equal(c.status, PQP_LOST);
    assert_true(c.err.flags & PQP_ERR_IN_DOUBT);
    pqp_release(&c.conn);
    assert_string_equal(count_rows(), "0");
    close_pool(&pool);
}

static int tx_begin(void **state)
{
    (void)beside("CREATE TABLE network_test (n int)");
    return network_begin(state);
}

static int tx_end(void **state)
{
    (void)network_end(state);
    (void)beside("DROP TABLE network_test");
    return 0;
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, network_begin, network_end)
#define TEST_TX(name) cmocka_unit_test_setup_teardown(name, tx_begin, tx_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(acquire_succeeds_when_a_silent_connect_has_timed_out),
        TEST(acquire_succeeds_when_a_connect_was_reset),
        TEST(acquire_succeeds_when_a_connect_was_closed),
        TEST(acquire_keeps_its_deadline_when_all_connects_are_silent),
        TEST(acquire_succeeds_when_one_byte_comes_at_a_time),
        TEST(connect_times_out_when_server_sends_a_byte_each_20_ms),
        TEST(acquire_succeeds_when_a_silent_ping_has_timed_out),
        TEST(acquire_succeeds_when_its_ping_is_reset),
        TEST(statement_times_out_when_the_network_is_silent),
        TEST(statement_is_lost_when_the_network_resets_or_closes),
        TEST(statement_times_out_when_the_server_stops_reading),
        TEST_TX(commit_is_in_doubt_when_its_message_was_lost),
        TEST_TX(commit_is_in_doubt_when_its_answer_was_lost),
        TEST_TX(other_connections_work_when_network_is_silent_during_commit),
    };
    return run_with_server(tests);
}
