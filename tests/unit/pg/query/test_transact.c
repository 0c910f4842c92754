/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Sessions that do not answer BEGIN of a transaction. */
#include <pqpool/pqpool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "hostile.h"

static pqp_status count_run(void *arg, pqp_conn *conn, pqp_error *err)
{
    (void)conn;
    (void)err;
    ++*(int *)arg;
    return PQP_OK;
}

enum { SESSIONS = 3, PING_MS = 100, WAIT_MS = 10000 };

/* Opens a pool whose first `silent` connections (0: all) never answer a
 * statement. All connections exist, are idle, and will not be pinged. */
static pqp_pool *open_pool_on(struct hostile **server, int silent)
{
    pqp_pool *pool = NULL;
    char conninfo[128];
    *server = hostile_start(&(struct hostile_plan){
        .at = HOSTILE_QUERY, .deed = deed_silence, .clients = silent});
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d user=u sslmode=disable "
                   "gssencmode=disable",
                   hostile_port(*server));
    assert_int_equal(
        pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = conninfo, .max_size = SESSIONS,
                                  .min_size = SESSIONS,
                                  .ping_after_ms = PQP_NEVER,
                                  .ping_timeout_ms = PING_MS),
                      NULL),
        PQP_OK);
    assert_int_equal(pqp_pool_wait(pool, WAIT_MS, NULL), PQP_OK);
    return pool;
}

static int64_t ms_since(int64_t began)
{
    return (clock_now() - began) / CLOCK_MS;
}

static void
transact_uses_another_session_when_begin_gets_no_answer(void **state)
{
    (void)state;
    struct hostile *server;
    pqp_pool *pool = open_pool_on(&server, SESSIONS);
    int runs = 0;
    pqp_error err;
    int64_t began = clock_now();
    if (pqp_transact(pool, WAIT_MS, PQP_TX(.max_attempts = 1), count_run, &runs,
                     &err) != PQP_OK)
        fail_msg("%s", err.message);
    assert_in_range(ms_since(began), PING_MS, WAIT_MS / 2);
    assert_int_equal(runs, 1);
    assert_true(hostile_clients(server) > SESSIONS);
    assert_int_equal(pqp_pool_close(&pool, WAIT_MS), PQP_OK);
    hostile_stop(server);
}

static void transact_times_out_when_no_session_answers_begin(void **state)
{
    (void)state;
    struct hostile *server;
    pqp_pool *pool = open_pool_on(&server, 0);
    static const int timeouts[] = {0, 250};
    for (size_t i = 0; i < 2; i++) {
        int runs = 0;
        pqp_error err;
        int64_t began = clock_now();
        assert_int_equal(
            pqp_transact(pool, timeouts[i], NULL, count_run, &runs, &err),
            PQP_TIMEOUT);
        assert_in_range(ms_since(began), timeouts[i], 2000);
        assert_non_null(strstr(err.message, "BEGIN"));
        assert_int_equal(err.flags, PQP_ERR_RETRY);
        assert_int_equal(runs, 0);
    }
    assert_int_equal(pqp_pool_close(&pool, WAIT_MS), PQP_OK);
    hostile_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            transact_uses_another_session_when_begin_gets_no_answer),
        cmocka_unit_test(transact_times_out_when_no_session_answers_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
