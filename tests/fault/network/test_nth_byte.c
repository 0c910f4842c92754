/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The connection ends after the nth byte, for every n of a connect, a
 * statement, a release and the check before the next lease, in each direction,
 * with FIN and with RST: no call exceeds its deadline, and the next lease
 * works.
 */
#include <pqpool/pqpool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxied.h"

enum { SOON_MS = 10000, SKIPPED = 77 };

static struct proxy *proxy;
static pqp_pool *pool;
static char place[64]; /* of the cut, for messages */

static const char *server(void)
{
    return getenv("PQPOOL_TEST_DSN");
}

static int set_up(void **state)
{
    (void)state;
    proxy = proxied_start(server());
    assert_non_null(proxy);
    char *conninfo = proxied_conninfo(proxy, server(), "");
    pqp_status status = pqp_pool_open(
        &pool,
        PQP_OPTIONS(.conninfo = conninfo, .max_size = 1,
                    .reset = PQP_RESET_DISCARD_ALL, .connect_retry_max_ms = 1),
        NULL);
    free(conninfo);
    assert_int_equal(status, PQP_OK);
    return 0;
}

/* Nothing may be left, in the pool or on the way to the server. */
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

/* OK, or LOST; a statement that must work says OK. */
static void ask(pqp_conn *conn, int must)
{
    PGresult *res = NULL;
    pqp_error err;
    pqp_status status = pqp_run(
        conn, PQP_QUERY(.sql = "SELECT 42", .timeout_ms = SOON_MS), &res, &err);
    if (status != PQP_OK && (must || status != PQP_LOST))
        fail_msg("%s: %s: %s", place, pqp_status_name(status), err.message);
    if (status == PQP_OK)
        assert_string_equal(PQgetvalue(res, 0, 0), "42");
    else
        assert_true(err.flags & PQP_ERR_DISCARD && err.message[0] != '\0');
    PQclear(res);
}

/* The conversation that is cut: from the connect to the second lease, which
 * reads the answers to the release's DISCARD ALL.  So a connection that is lent
 * the second time was not cut, and its statement must work. */
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

/* How many bytes that is, if the connection is not cut. */
static uint64_t length_of(enum proxy_direction direction)
{
    uint64_t length = 0;
    (void)snprintf(place, sizeof place, "no cut");
    use_twice(direction, &length);
    assert_in_range(length, 200, 3000);
    return length;
}

static void cut_after_every_byte(enum proxy_direction direction,
                                 enum fault_action action)
{
    uint64_t length = length_of(direction);
    for (uint64_t n = 0; n < length; n++) {
        (void)snprintf(place, sizeof place, "%s after byte %d to the %s",
                       action == FAULT_RST ? "RST" : "FIN", (int)n,
                       direction == TO_SERVER ? "server" : "client");
        proxy_set(proxy, PROXY_NEXT, direction,
                  &(struct fault_rule){.action = action, .offset = (int64_t)n});
        int before = proxy_accepted(proxy);
        use_twice(direction, NULL);
        assert_true(proxy_accepted(proxy) > before + 1);
    }
    print_message("%d bytes\n", (int)length);
}

static void the_pool_recovers_when_fin_ends_any_byte_to_the_server(void **state)
{
    (void)state;
    cut_after_every_byte(TO_SERVER, FAULT_FIN);
}

static void the_pool_recovers_when_rst_ends_any_byte_to_the_server(void **state)
{
    (void)state;
    cut_after_every_byte(TO_SERVER, FAULT_RST);
}

static void the_pool_recovers_when_fin_ends_any_byte_to_the_client(void **state)
{
    (void)state;
    cut_after_every_byte(TO_CLIENT, FAULT_FIN);
}

static void the_pool_recovers_when_rst_ends_any_byte_to_the_client(void **state)
{
    (void)state;
    cut_after_every_byte(TO_CLIENT, FAULT_RST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_pool_recovers_when_fin_ends_any_byte_to_the_server),
        TEST(the_pool_recovers_when_rst_ends_any_byte_to_the_server),
        TEST(the_pool_recovers_when_fin_ends_any_byte_to_the_client),
        TEST(the_pool_recovers_when_rst_ends_any_byte_to_the_client),
    };
    if (server() == NULL) {
        (void)fprintf(stderr, "SKIP: no server\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
