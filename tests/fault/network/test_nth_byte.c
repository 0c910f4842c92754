/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A connection is cut after the nth byte, for every n of a connect, a
 * statement, a release and the check before the next lease, in each direction,
 * with FIN and with RST.  No call may exceed its deadline, and the next lease
 * must work.
 */
#include <pqpool/pqpool.h>

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proxied.h"

enum { SOON_MS = 10000, SKIPPED = 77 };

static struct proxy *proxy;
static pqp_pool *pool;
static char place[64];  /* the place of the cut, for messages */
static int patience_ms; /* the timeout of connects, pings and statements */

static const char *server(void)
{
    return getenv("PQPOOL_TEST_DSN");
}

static int set_up_with(const char *settings, int ms)
{
    patience_ms = ms;
    proxy = proxied_start(server());
    assert_non_null(proxy);
    char *conninfo = proxied_conninfo(proxy, server(), settings);
    pqp_status status = pqp_pool_open(
        &pool,
        PQP_OPTIONS(.conninfo = conninfo, .max_size = 1,
                    .reset = PQP_RESET_DISCARD_ALL, .connect_retry_max_ms = 1,
                    .connect_timeout_ms = patience_ms,
                    .ping_timeout_ms = patience_ms),
        NULL);
    free(conninfo);
    assert_int_equal(status, PQP_OK);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with("", SOON_MS);
}

static int set_up_tls(void **state)
{
    (void)state;
    return set_up_with("sslmode=require", SOON_MS);
}

static int set_up_impatient(void **state)
{
    (void)state;
    return set_up_with("", 500);
}

/* Fails if the pool or the proxy still has a connection. */
static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    assert_true(proxy_wait_open(proxy, 0, SOON_MS));
    proxy_stop(proxy);
    return 0;
}

static pqp_conn *borrow(void)
{
    pqp_conn *conn = NULL;
    pqp_error err;
    if (pqp_acquire(pool, SOON_MS, &conn, &err) != PQP_OK)
        fail_msg("%s: %s", place, err.message);
    return conn;
}

/* Returns 1 if a statement may end with this status on a connection that was
 * cut. Only a silent connection may time out. */
static int may_end_with(pqp_status status)
{
    return status == PQP_OK || status == PQP_LOST ||
           (status == PQP_TIMEOUT && patience_ms < SOON_MS);
}

/* Runs a statement.  If `must` is set, its status has to be PQP_OK. */
static void ask(pqp_conn *conn, int must)
{
    PGresult *res = NULL;
    pqp_error err;
    pqp_status status =
        pqp_exec_params(conn,
                        PQP_QUERY(.sql = "SELECT 42",
                                  .timeout_ms = must ? SOON_MS : patience_ms),
                        &res, &err);
    if (must ? status != PQP_OK : !may_end_with(status))
        fail_msg("%s: %s: %s", place, pqp_status_name(status), err.message);
    if (status == PQP_OK)
        assert_string_equal(PQgetvalue(res, 0, 0), "42");
    else
        assert_true(err.flags & PQP_ERR_DISCARD && err.message[0] != '\0');
    PQclear(res);
}

/* The conversation that is cut.  It reaches from the connect to the second
 * lease, which reads the answers to the DISCARD ALL of the release.  A
 * connection that is leased twice was therefore not cut, and its second
 * statement must work. */
static void use_twice(enum proxy_direction direction, uint64_t *length)
{
    pqp_conn *conn = borrow();
    ask(conn, length != NULL);
    pqp_release(&conn);
    conn = borrow();
    if (length)
        *length = proxy_bytes(proxy, proxy_accepted(proxy), direction);
    ask(conn, 1);
    pqp_discard(&conn);
}

/* Returns the number of bytes of the conversation when it is not cut. */
static uint64_t length_of(enum proxy_direction direction)
{
    uint64_t length = 0;
    (void)snprintf(place, sizeof place, "no cut");
    use_twice(direction, &length);
    assert_in_range(length, 200, 10000);
    return length;
}

static void cut_after_bytes(enum proxy_direction direction,
                            enum fault_action action, uint64_t step,
                            uint64_t slack)
{
    uint64_t length = length_of(direction) - slack;
    for (uint64_t n = 0; n < length; n += step) {
        (void)snprintf(place, sizeof place, "%s after byte %d to the %s",
                       action == FAULT_RST   ? "RST"
                       : action == FAULT_FIN ? "FIN"
                                             : "silence",
                       (int)n, direction == TO_SERVER ? "server" : "client");
        proxy_set(proxy, PROXY_NEXT, direction,
                  &(struct fault_rule){.action = action, .offset = (int64_t)n});
        int number = proxy_accepted(proxy) + 1;
        int64_t start = clock_now();
        use_twice(direction, NULL);
        if (clock_now() - start > SOON_MS / 2 * CLOCK_MS)
            fail_msg("%s: it took too long", place);
        assert_true(proxy_accepted(proxy) > number);
        /* The server does not notice a silence, and would keep its connection.
         */
        proxy_set(proxy, number, BOTH_WAYS,
                  &(struct fault_rule){.action = FAULT_RST});
    }
    print_message("%d bytes\n", (int)length);
}

static void cut_after_every_byte(enum proxy_direction direction,
                                 enum fault_action action)
{
    cut_after_bytes(direction, action, 1, 0);
}

static void pool_recovers_when_fin_follows_any_byte_to_the_server(void **state)
{
    (void)state;
    cut_after_every_byte(TO_SERVER, FAULT_FIN);
}

static void pool_recovers_when_rst_follows_any_byte_to_the_server(void **state)
{
    (void)state;
    cut_after_every_byte(TO_SERVER, FAULT_RST);
}

static void pool_recovers_when_fin_follows_any_byte_to_the_client(void **state)
{
    (void)state;
    cut_after_every_byte(TO_CLIENT, FAULT_FIN);
}

static void pool_recovers_when_rst_follows_any_byte_to_the_client(void **state)
{
    (void)state;
    cut_after_every_byte(TO_CLIENT, FAULT_RST);
}

/* A TLS handshake has many bytes, and their number differs by a few each time.
 * Neither side can tell one of these bytes from the next, so some cuts suffice.
 */
static void pool_recovers_when_a_tls_connection_is_cut(void **state)
{
    (void)state;
    static const enum proxy_direction directions[] = {TO_SERVER, TO_CLIENT};
    static const enum fault_action cuts[] = {FAULT_FIN, FAULT_RST};
    for (int i = 0; i < 4; i++)
        cut_after_bytes(directions[i / 2], cuts[i % 2], 23, 16);
}

static void pool_recovers_when_network_falls_silent_after_a_byte(void **state)
{
    (void)state;
    cut_after_bytes(TO_SERVER, FAULT_SILENCE, 23, 0);
    cut_after_bytes(TO_CLIENT, FAULT_SILENCE, 23, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_recovers_when_fin_follows_any_byte_to_the_server),
        TEST(pool_recovers_when_rst_follows_any_byte_to_the_server),
        TEST(pool_recovers_when_fin_follows_any_byte_to_the_client),
        TEST(pool_recovers_when_rst_follows_any_byte_to_the_client),
        cmocka_unit_test_setup_teardown(
            pool_recovers_when_a_tls_connection_is_cut, set_up_tls, tear_down),
        cmocka_unit_test_setup_teardown(
            pool_recovers_when_network_falls_silent_after_a_byte,
            set_up_impatient, tear_down),
    };
    if (server() == NULL) {
        (void)fprintf(stderr, "SKIP: no server\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
