/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A pool on a server that is hostile to one client, at any point of its
 * conversation. No call exceeds its deadline by much, and the next lease works.
 */
#include "support.h"

#include <pqpool/pqpool.h>

#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "hostile.h"

enum { SOON_MS = 10000, PATIENCE_MS = 40, SLACK_MS = 3000 };

/* The points that a client passes when it connects, is pinged and runs a
 * statement. */
static const struct {
    const char *name;
    enum hostile_point at;
    int nth;
} points[] = {
    {"accept", HOSTILE_ACCEPT, 1},
    {"encryption", HOSTILE_ENCRYPTION, 1},
    {"authentication", HOSTILE_AUTH, 1},
    {"parameter", HOSTILE_PARAMETER, 1},
    {"key", HOSTILE_KEY, 1},
    {"first ready", HOSTILE_FIRST_READY, 1},
    {"the ping", HOSTILE_QUERY, 1},
    {"ready after the ping", HOSTILE_READY, 1},
    {"the statement", HOSTILE_EXTENDED, 1},
    {"ready after the statement", HOSTILE_READY, 2},
};

static struct hostile *server;
static pqp_pool *pool;
static char what[128]; /* what is tried, for messages */

static int set_up(void **state)
{
    (void)state;
    char conninfo[160];
    server = hostile_start(NULL);
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d user=u dbname=d password=p "
                   "gssencmode=disable sslmode=prefer",
                   hostile_port(server));
    pqp_status status = pqp_pool_open(
        &pool,
        PQP_OPTIONS(.conninfo = conninfo, .max_size = 1, .ping_always = 1,
                    .connect_timeout_ms = PATIENCE_MS,
                    .ping_timeout_ms = PATIENCE_MS, .connect_retry_max_ms = 1),
        NULL);
    assert_int_equal(status, PQP_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    hostile_stop(server);
    return 0;
}

static pqp_conn *borrow(void)
{
    pqp_conn *conn = NULL;
    pqp_error err;
    if (pqp_acquire(pool, SOON_MS, &conn, &err) != PQP_OK)
        fail_msg("%s: %s", what, err.message);
    return conn;
}

static pqp_status run(pqp_conn *conn, int timeout_ms)
{
    int64_t start = clock_now();
    pqp_status status = pqp_exec_params(
        conn, PQP_QUERY(.sql = "SELECT 1", .timeout_ms = timeout_ms), NULL,
        NULL);
    if (clock_now() - start > (timeout_ms + SLACK_MS) * CLOCK_MS)
        fail_msg("%s: the statement took too long", what);
    return status;
}

static void use_hostile_client(void)
{
    pqp_conn *conn = borrow();
    pqp_release(&conn);
    conn = borrow(); /* after a ping */
    (void)run(conn, PATIENCE_MS);
    pqp_release(&conn);
}

static void use_good_client(void)
{
    pqp_conn *conn = borrow();
    pqp_discard(&conn);
    conn = borrow();
    pqp_status status = run(conn, SOON_MS);
    pqp_discard(&conn);
    if (status != PQP_OK)
        fail_msg("%s: the next statement: %s", what, pqp_status_name(status));
}

/* The deed is done once, and all later clients are served well. */
static void try_deed(size_t point, hostile_deed deed, int64_t arg)
{
    int before = hostile_deeds(server);
    hostile_set(server, &(struct hostile_plan){.at = points[point].at,
                                               .nth = points[point].nth,
                                               .deed = deed,
                                               .arg = arg,
                                               .deeds = 1});
    int64_t start = clock_now();
    /* On a busy machine a client may time out before it comes to the point. */
    for (int i = 0; i < 10 && hostile_deeds(server) == before; i++)
        use_hostile_client();
    if (hostile_deeds(server) == before)
        fail_msg("%s: the server was not hostile", what);
    use_good_client();
    if (clock_now() - start > 2 * SLACK_MS * CLOCK_MS)
        fail_msg("%s: it took too long", what);
}

static void pool_recovers_when_message_lengths_are_wrong(void **state)
{
    (void)state;
    static const char types[] = "RSEZDT";
    static const int lengths[] = {-1, INT_MIN, INT_MAX, 0, 3, 70};
    for (size_t p = 0; p < LENGTH(points); p++)
        for (size_t t = 0; types[t]; t++)
            for (size_t l = 0; l < LENGTH(lengths); l++) {
                (void)snprintf(what, sizeof what, "at %s, %c of length %d",
                               points[p].name, types[t], lengths[l]);
                try_deed(p, deed_length, DEED_LENGTH(types[t], lengths[l]));
            }
}

struct named_deed {
    const char *name;
    hostile_deed deed;
    int64_t arg;
};

static void try_at_all_points(const struct named_deed *deeds, size_t count)
{
    for (size_t p = 0; p < LENGTH(points); p++)
        for (size_t d = 0; d < count; d++) {
            (void)snprintf(what, sizeof what, "at %s, %s", points[p].name,
                           deeds[d].name);
            try_deed(p, deeds[d].deed, deeds[d].arg);
        }
}

static void pool_recovers_when_server_closes_or_is_silent(void **state)
{
    (void)state;
    static const struct named_deed deeds[] = {
        {"FIN", deed_fin, 0},         {"RST", deed_rst, 0},
        {"silence", deed_silence, 0}, {"deaf", deed_deaf, 0},
        {"late", deed_late, 10},      {"too late", deed_late, 3 * PATIENCE_MS},
    };
    try_at_all_points(deeds, LENGTH(deeds));
}

static void pool_recovers_when_messages_violate_the_protocol(void **state)
{
    (void)state;
    /* No CopyInResponse: libpq 15 leaks the result of a RowDescription that
     * precedes it. */
    static const struct named_deed deeds[] = {
        {"garbage", deed_garbage, 0},
        {"an unknown type", deed_message, '~'},
        {"an empty DataRow", deed_message, 'D'},
        {"an empty CommandComplete", deed_message, 'C'},
        {"an early ReadyForQuery", deed_message, 'Z'},
        {"an empty error", deed_message, 'E'},
        {"FATAL without a code", deed_error_without_code, 0},
        {"ERROR without a code", deed_error_without_code, 1},
        {"FATAL 57P01", deed_fatal, DEED_CODE("57P01")},
        {"one result too many", deed_results, 1},
        {"a parameter", deed_parameters, 1},
    };
    try_at_all_points(deeds, LENGTH(deeds));
}

static void pool_recovers_when_one_byte_comes_at_a_time(void **state)
{
    (void)state;
    static const struct named_deed deeds[] = {{"a drip", deed_drip, 0},
                                              {"a slow drip", deed_drip, 10}};
    try_at_all_points(deeds, LENGTH(deeds));
}

static void pool_recovers_when_server_floods_without_end(void **state)
{
    (void)state;
    static const struct named_deed deeds[] = {
        {"notices", deed_notices, 0},
        {"parameters", deed_parameters, 0},
        {"notifications", deed_notifications, 0},
        {"errors", deed_errors, 0},
        {"results", deed_results, 0},
        {"rows", deed_rows, 0},
    };
    try_at_all_points(deeds, LENGTH(deeds));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pool_recovers_when_server_closes_or_is_silent),
        TEST(pool_recovers_when_messages_violate_the_protocol),
        TEST(pool_recovers_when_one_byte_comes_at_a_time),
        TEST(pool_recovers_when_message_lengths_are_wrong),
        TEST(pool_recovers_when_server_floods_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
