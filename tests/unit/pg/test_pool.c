/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The pool's public functions without a server: wrong arguments, invalid
 * handles, options, and a closed port.
 */
#include <pqpool/pqpool.h>

#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support_mock.h"

enum { SOON_MS = 5000 };

/* ---- a closed port: bound, but not listening ---- */

struct refusing {
    int fd;
    char conninfo[128];
};

static struct refusing refusing_open(void)
{
    struct refusing r = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_true(r.fd >= 0);
    assert_int_equal(bind(r.fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(r.fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(r.conninfo, sizeof r.conninfo,
                   "host=127.0.0.1 port=%d user=nobody dbname=nothing "
                   "password=CANARY",
                   ntohs(at.sin_port));
    return r;
}

static pqp_pool *open_refused(const struct refusing *r)
{
    pqp_pool *pool = NULL;
    assert_int_equal(
        pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = r->conninfo, .max_size = 2,
                                  .connect_retry_max_ms = 20),
                      NULL),
        PQP_OK);
    assert_non_null(pool);
    return pool;
}

/* ---- arguments ---- */

/* N01 */
static void public_calls_are_refused_when_argument_is_null(void **state)
{
    (void)state;
    pqp_error err;
    pqp_pool *pool = NULL;
    pqp_conn *conn = NULL;
    pqp_stats stats = {.size = sizeof stats};
    assert_int_equal(pqp_pool_open(NULL, PQP_OPTIONS(), &err), PQP_INVALID);
    assert_int_equal(err.status, PQP_INVALID);
    assert_int_equal(pqp_pool_open(&pool, NULL, &err), PQP_INVALID);
    assert_non_null(strstr(err.message, "options"));
    assert_null(pool);
    assert_int_equal(pqp_pool_wait(NULL, 0, &err), PQP_INVALID);
    assert_int_equal(pqp_pool_resize(NULL, 1, 0), PQP_INVALID);
    assert_int_equal(pqp_pool_suspend(NULL), PQP_INVALID);
    assert_int_equal(pqp_pool_resume(NULL), PQP_INVALID);
    assert_int_equal(pqp_pool_stats(NULL, &stats), PQP_INVALID);
    assert_int_equal(pqp_acquire(NULL, 0, &conn, &err), PQP_INVALID);
    assert_string_not_equal(err.message, "");
    assert_null(conn);
    assert_int_equal(pqp_try_acquire(NULL, &conn), PQP_INVALID);
    pqp_pool_recycle(NULL);
    pqp_pool_dump(NULL, NULL, NULL);
    assert_null(pqp_pgconn(NULL));
}

/* N01 */
static void
close_release_and_discard_do_nothing_when_argument_is_null(void **state)
{
    (void)state;
    pqp_pool *pool = NULL;
    pqp_conn *conn = NULL;
    assert_int_equal(pqp_pool_close(NULL, -1), PQP_OK);
    assert_int_equal(pqp_pool_close(&pool, -1), PQP_OK);
    pqp_release(NULL);
    pqp_release(&conn);
    pqp_discard(NULL);
    pqp_discard(&conn);
    assert_null(pqp_detach(NULL));
    assert_null(pqp_detach(&conn));
}

/* N01 */
static void pool_stays_usable_when_out_pointers_are_null(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_pool *pool = open_refused(&r);
    assert_int_equal(pqp_acquire(pool, -1, NULL, NULL), PQP_INVALID);
    assert_int_equal(pqp_pool_stats(pool, NULL), PQP_INVALID);
    pqp_pool_dump(pool, NULL, NULL);
    pqp_stats stats = {.size = sizeof stats};
    assert_int_equal(pqp_pool_stats(pool, &stats), PQP_OK);
    assert_int_equal(stats.in_use + stats.waiting, 0);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    (void)close(r.fd);
}

/* N16 N17 */
static void public_calls_are_refused_when_handle_is_garbage(void **state)
{
    (void)state;
    static const uintptr_t garbage[] = {
        1, 2, 4095, 4096, 0xdeadbeef, UINTPTR_MAX, UINTPTR_MAX / 3};
    unsigned char zeroes[512] = {0};
    for (size_t i = 0; i <= sizeof garbage / sizeof *garbage; i++) {
        uintptr_t word = i < sizeof garbage / sizeof *garbage
                             ? garbage[i]
                             : (uintptr_t)zeroes;
        pqp_pool *pool = (pqp_pool *)word;
        pqp_conn *conn = NULL, *wrong = (pqp_conn *)word;
        assert_int_not_equal(pqp_acquire(pool, -1, &conn, NULL), PQP_OK);
        assert_null(conn);
        assert_int_not_equal(pqp_pool_wait(pool, -1, NULL), PQP_OK);
        assert_int_not_equal(pqp_pool_resize(pool, 1, 0), PQP_OK);
        pqp_pool_recycle(pool);
        assert_int_not_equal(pqp_pool_close(&pool, -1), PQP_OK);
        assert_null(pqp_pgconn(wrong));
        assert_int_equal(pqp_exec(wrong, "SELECT 1", NULL, NULL), PQP_INVALID);
        assert_null(pqp_detach(&wrong));
        wrong = (pqp_conn *)word;
        pqp_release(&wrong);
        assert_null(wrong);
        wrong = (pqp_conn *)word;
        pqp_discard(&wrong);
        assert_null(wrong);
    }
}

/* ---- options ---- */

/* N02 */
static void open_is_refused_when_pool_sizes_are_invalid(void **state)
{
    (void)state;
    static const int bad[][2] = {{-2, 1}, {4, 2}, {1, -5}, {0, 1000000}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pqp_pool *pool = (pqp_pool *)(uintptr_t)1;
        pqp_error err;
        assert_int_equal(
            pqp_pool_open(&pool,
                          PQP_OPTIONS(.conninfo = "", .min_size = bad[i][0],
                                      .max_size = bad[i][1]),
                          &err),
            PQP_INVALID);
        assert_null(pool);
        assert_non_null(strstr(err.message, "_size"));
    }
}

/* N05 */
static void
open_uses_defaults_when_callers_older_struct_lacks_fields(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_options options = {.size = offsetof(pqp_options, max_waiters),
                           .conninfo = r.conninfo,
                           .max_size = 1,
                           .max_waiters = -77};
    pqp_pool *pool = NULL;
    assert_int_equal(pqp_pool_open(&pool, &options, NULL), PQP_OK);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    options.size = 0;
    assert_int_equal(pqp_pool_open(&pool, &options, NULL), PQP_INVALID);
    (void)close(r.fd);
}

/* N05 */
static void open_is_refused_when_newer_struct_sets_unknown_fields(void **state)
{
    (void)state;
    struct {
        pqp_options known;
        uint64_t more;
    } options = {.known = {.size = sizeof options, .conninfo = ""}};
    pqp_pool *pool = NULL;
    options.more = 1;
    assert_int_equal(pqp_pool_open(&pool, &options.known, NULL), PQP_INVALID);
    assert_null(pool);
    options.more = 0;
    assert_int_equal(pqp_pool_open(&pool, &options.known, NULL), PQP_OK);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
}

/* ---- statistics ---- */

/* N05 */
static void
statistics_fill_only_callers_struct_when_its_size_differs(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_pool *pool = open_refused(&r);
    pqp_stats stats;
    for (size_t size = 0; size <= sizeof stats; size += 4) {
        memset(&stats, 0xA5, sizeof stats);
        stats.size = size;
        pqp_status status = pqp_pool_stats(pool, &stats);
        assert_int_equal(status, size < sizeof size ? PQP_INVALID : PQP_OK);
        assert_int_equal(stats.size, size);
        const unsigned char *bytes = (const unsigned char *)&stats;
        for (size_t i = size < 8 ? 8 : size; i < sizeof stats; i++)
            assert_int_equal(bytes[i], 0xA5);
    }
    assert_int_equal(stats.in_use, 0);
    struct {
        pqp_stats known;
        uint64_t more;
    } newer = {.known = {.size = sizeof newer}, .more = 7};
    assert_int_equal(pqp_pool_stats(pool, &newer.known), PQP_OK);
    assert_int_equal(newer.more, 7);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    (void)close(r.fd);
}

/* ---- an address that refuses ---- */

/* A29 B04 */
static void
acquire_timeout_names_connect_error_when_port_is_closed(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_pool *pool = open_refused(&r);
    pqp_conn *conn = NULL;
    pqp_error err;
    int64_t start = clock_now();
    assert_int_equal(pqp_acquire(pool, 150, &conn, &err), PQP_TIMEOUT);
    assert_true(clock_now() - start >= 150 * CLOCK_MS);
    assert_null(conn);
    assert_non_null(strstr(err.message, "refused"));
    assert_null(strstr(err.message, "CANARY"));
    pqp_stats stats = {.size = sizeof stats};
    assert_int_equal(pqp_pool_stats(pool, &stats), PQP_OK);
    assert_true(stats.connect_failed > 0);
    assert_int_equal(stats.timed_out, 1);
    assert_int_equal(stats.total, stats.connecting);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    (void)close(r.fd);
}

static void
try_acquire_returns_busy_at_once_when_no_connection_exists(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_pool *pool = open_refused(&r);
    pqp_conn *conn = (pqp_conn *)(uintptr_t)1;
    assert_int_equal(pqp_try_acquire(pool, &conn), PQP_BUSY);
    assert_null(conn);
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    (void)close(r.fd);
}

/* B18 */
static void pool_closes_cleanly_when_wait_timed_out(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_pool *pool = NULL;
    pqp_error err;
    assert_int_equal(pqp_pool_open(&pool,
                                   PQP_OPTIONS(.conninfo = r.conninfo,
                                               .min_size = 1, .max_size = 1),
                                   &err),
                     PQP_OK);
    assert_int_equal(pqp_pool_wait(pool, 50, &err), PQP_TIMEOUT);
    assert_string_not_equal(err.message, "");
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    assert_null(pool);
    (void)close(r.fd);
}

/* F05 F20 */
static void calls_return_closed_when_pool_was_closed(void **state)
{
    (void)state;
    struct refusing r = refusing_open();
    pqp_pool *pool = open_refused(&r), *stale = pool;
    assert_int_equal(pqp_pool_close(&pool, SOON_MS), PQP_OK);
    pqp_conn *conn = NULL;
    pqp_error err;
    assert_int_equal(pqp_acquire(stale, -1, &conn, &err), PQP_CLOSED);
    assert_int_equal(err.status, PQP_CLOSED);
    assert_int_equal(pqp_try_acquire(stale, &conn), PQP_CLOSED);
    assert_int_equal(pqp_pool_wait(stale, -1, NULL), PQP_CLOSED);
    assert_int_equal(pqp_pool_suspend(stale), PQP_CLOSED);
    assert_int_equal(pqp_pool_resume(stale), PQP_CLOSED);
    assert_int_equal(pqp_pool_resize(stale, 3, 0), PQP_CLOSED);
    pqp_pool *next = open_refused(&r);
    assert_ptr_not_equal(next, stale);
    assert_int_equal(pqp_acquire(stale, -1, &conn, NULL), PQP_CLOSED);
    assert_int_equal(pqp_pool_close(&next, SOON_MS), PQP_OK);
    (void)close(r.fd);
}

static void
functions_behind_macros_can_be_called_when_macros_are_bypassed(void **state)
{
    (void)state;
    pqp_conn *conn = NULL;
    assert_int_equal((pqp_acquire)(NULL, 0, &conn, NULL), PQP_INVALID);
    assert_int_equal((pqp_try_acquire)(NULL, &conn), PQP_INVALID);
    assert_int_equal(pqp_version(), PQPOOL_VERSION_NUMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_calls_are_refused_when_argument_is_null),
        cmocka_unit_test(
            close_release_and_discard_do_nothing_when_argument_is_null),
        cmocka_unit_test(pool_stays_usable_when_out_pointers_are_null),
        cmocka_unit_test(public_calls_are_refused_when_handle_is_garbage),
        cmocka_unit_test(open_is_refused_when_pool_sizes_are_invalid),
        cmocka_unit_test(
            open_uses_defaults_when_callers_older_struct_lacks_fields),
        cmocka_unit_test(open_is_refused_when_newer_struct_sets_unknown_fields),
        cmocka_unit_test(
            statistics_fill_only_callers_struct_when_its_size_differs),
        cmocka_unit_test(
            acquire_timeout_names_connect_error_when_port_is_closed),
        cmocka_unit_test(
            try_acquire_returns_busy_at_once_when_no_connection_exists),
        cmocka_unit_test(pool_closes_cleanly_when_wait_timed_out),
        cmocka_unit_test(calls_return_closed_when_pool_was_closed),
        cmocka_unit_test(
            functions_behind_macros_can_be_called_when_macros_are_bypassed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
