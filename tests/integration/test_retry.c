/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which of several failures makes pqp_transact run the callback again, and
 * which one it reports.
 */
#include "support_pg.h"

#include <libpq-events.h>
#include <string.h>

#define RAISE(sqlstate) "DO $$BEGIN RAISE SQLSTATE '" sqlstate "'; END$$"

/* What a transaction callback of these tests runs: all statements, even after a
 * failure. */
struct script {
    const char *steps[6];
    int silent;          /* err is passed to none of them */
    pqp_status returns;  /* PQP_STATUS_COUNT: the status of the last step */
    int runs, fail_once; /* with fail_once, later runs succeed at once */
};

static pqp_status play(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct script *script = arg;
    if (++script->runs > 1 && script->fail_once)
        return PQP_OK;
    pqp_status status = PQP_OK;
    for (int i = 0; script->steps[i] != NULL; i++)
        status = pqp_exec_params(
            conn, PQP_QUERY(.sql = script->steps[i], .timeout_ms = 200), NULL,
            script->silent ? NULL : err);
    return script->returns == PQP_STATUS_COUNT ? status : script->returns;
}

/* Returns the status of pqp_transact, which must equal that in *err. */
static pqp_status transact(struct script *script, pqp_error *err)
{
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_status status = pqp_transact(pool, SOON_MS, PQP_TX(.max_attempts = 3),
                                     play, script, err);
    close_pool(&pool);
    assert_int_equal(err->status, status);
    return status;
}

/* S18 */
static void
transact_commits_when_failure_was_rolled_back_to_a_savepoint(void **state)
{
    (void)state;
    struct script script = {
        .steps = {"INSERT INTO notes (body) VALUES ('handled')", "SAVEPOINT s",
                  RAISE("40P01"), "ROLLBACK TO SAVEPOINT s"}};
    pqp_error err;
    assert_int_equal(transact(&script, &err), PQP_OK);
    assert_int_equal(script.runs, 1);
    assert_string_equal(
        beside("SELECT count(*) FROM notes WHERE body = 'handled'"), "1");
    (void)beside("DELETE FROM notes WHERE body = 'handled'");
}

/* S18 */
static void
transact_reports_last_failure_when_earlier_one_was_handled(void **state)
{
    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        struct script script = {.steps = {"SAVEPOINT s", RAISE("40P01"),
                                          "ROLLBACK TO SAVEPOINT s",
                                          "SELECT 1/0"},
                                .silent = silent,
                                .returns = PQP_STATUS_COUNT};
        pqp_error err;
        assert_int_equal(transact(&script, &err), PQP_SERVER);
        assert_string_equal(err.sqlstate, "22012");
        assert_int_equal(err.flags, 0);
        assert_int_equal(script.runs, 1);
    }
}

/* S13 */
static void
transact_reports_timeout_when_later_statements_fail_because_of_it(void **state)
{
    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        for (int swallow = 0; swallow < 2; swallow++) {
            struct script script = {.steps = {"SELECT pg_sleep(3)", "SELECT 1"},
                                    .silent = silent,
                                    .returns =
                                        swallow ? PQP_OK : PQP_STATUS_COUNT};
            pqp_error err;
            assert_int_equal(transact(&script, &err), PQP_TIMEOUT);
            assert_non_null(strstr(err.message, "no complete answer in time"));
            assert_int_equal(err.flags, PQP_ERR_DISCARD);
            assert_int_equal(script.runs, 1);
        }
    }
}

/* S13 */
static void
transact_returns_callback_status_with_text_of_first_error_when_both_exist(
    void **state)
{
    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        struct script script = {
            .steps = {"SELECT 1/0"}, .silent = silent, .returns = PQP_BUSY};
        pqp_error err;
        assert_int_equal(transact(&script, &err), PQP_BUSY);
        assert_string_equal(err.sqlstate, "22012");
        assert_string_equal(err.message, "division by zero");
    }
}

static void callback_is_not_retried_when_its_status_is_its_own(void **state)
{
    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        struct script script = {
            .steps = {"SELECT 1"}, .silent = silent, .returns = PQP_LOST};
        pqp_error err;
        assert_int_equal(transact(&script, &err), PQP_LOST);
        assert_int_equal(script.runs, 1);
        script = (struct script){
            .steps = {"SAVEPOINT s", RAISE("40001"), "ROLLBACK TO SAVEPOINT s"},
            .silent = silent,
            .returns = PQP_BUSY};
        assert_int_equal(transact(&script, &err), PQP_BUSY);
        assert_int_equal(err.flags, 0);
        assert_int_equal(script.runs, 1);
    }
}

/* S10 */
static void
callback_is_retried_when_it_hides_a_serialization_failure(void **state)
{
    (void)state;
    static const pqp_status returns[] = {PQP_OK, PQP_BUSY, PQP_STATUS_COUNT};
    for (size_t i = 0; i < sizeof returns / sizeof *returns; i++) {
        struct script script = {.steps = {RAISE("40001"), "SELECT 1"},
                                .silent = i % 2 != 0,
                                .returns = returns[i],
                                .fail_once = 1};
        pqp_error err;
        assert_int_equal(transact(&script, &err), PQP_OK);
        assert_int_equal(script.runs, 2);
    }
}

/* ---- statements that fn runs with libpq ---- */

/* What a transaction callback does with libpq's own functions.  It does not set
 * err. */
struct own {
    const char *steps[6];
    int asynchronous;
    pqp_status returns;
    int runs, fail_once;
};

static void run_own(PGconn *pg, const char *sql, int asynchronous)
{
    if (!asynchronous) {
        PQclear(PQexecParams(pg, sql, 0, NULL, NULL, NULL, NULL, 0));
        return;
    }
    assert_int_equal(PQsendQuery(pg, sql), 1);
    for (PGresult *res; (res = PQgetResult(pg)) != NULL;)
        PQclear(res);
}

static pqp_status play_own(void *arg, pqp_conn *conn, pqp_error *err)
{
    (void)err;
    struct own *own = arg;
    if (++own->runs > 1 && own->fail_once)
        return PQP_OK;
    for (int i = 0; own->steps[i] != NULL; i++)
        run_own(pqp_pgconn(conn), own->steps[i], own->asynchronous);
    return own->returns;
}

static pqp_status transact_own(struct own *own, pqp_error *err)
{
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_status status = pqp_transact(pool, SOON_MS, PQP_TX(.max_attempts = 3),
                                     play_own, own, err);
    close_pool(&pool);
    assert_int_equal(err->status, status);
    return status;
}

static void
callback_is_retried_when_libpq_call_meets_serialization_failure(void **state)
{
    (void)state;
    static const pqp_status returns[] = {PQP_OK, PQP_SERVER, PQP_BUSY};
    static const char *const failures[] = {RAISE("40001"), RAISE("40P01")};
    for (size_t i = 0; i < 12; i++) {
        struct own own = {.steps = {failures[i % 2], "SELECT 1"},
                          .asynchronous = i / 6 != 0,
                          .returns = returns[i % 3],
                          .fail_once = 1};
        pqp_error err;
        assert_int_equal(transact_own(&own, &err), PQP_OK);
        assert_int_equal(own.runs, 2);
    }
}

static void
transact_reports_failure_when_callback_called_libpq_itself(void **state)
{
    (void)state;
    static const struct {
        const char *step, *sqlstate;
        unsigned flags;
        int runs;
    } cases[] = {{RAISE("40001"), "40001", PQP_ERR_RETRY, 3},
                 {"SELECT 1/0", "22012", 0, 1}};
    for (size_t i = 0; i < 4; i++) {
        struct own own = {.steps = {cases[i / 2].step, "SELECT 1"},
                          .returns = i % 2 ? PQP_OK : PQP_SERVER};
        pqp_error err;
        assert_int_equal(transact_own(&own, &err), PQP_SERVER);
        assert_string_equal(err.sqlstate, cases[i / 2].sqlstate);
        assert_int_equal(err.flags, cases[i / 2].flags);
        assert_int_equal(own.runs, cases[i / 2].runs);
    }
}

static void
libpq_failure_is_forgotten_when_rolled_back_to_a_savepoint(void **state)
{
    (void)state;
    struct own own = {
        .steps = {"SAVEPOINT s", RAISE("40001"), "ROLLBACK TO SAVEPOINT s"}};
    pqp_error err;
    assert_int_equal(transact_own(&own, &err), PQP_OK);
    assert_int_equal(own.runs, 1);
    own = (struct own){.steps = {"SAVEPOINT s", RAISE("40001"),
                                 "ROLLBACK TO SAVEPOINT s", "SELECT 1/0"},
                       .returns = PQP_SERVER};
    assert_int_equal(transact_own(&own, &err), PQP_SERVER);
    assert_string_equal(err.sqlstate, "22012");
    assert_int_equal(own.runs, 1);
}

static void
commit_error_has_retry_flag_when_libpq_call_met_serialization_failure(void **s)
{
    (void)s;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    pqp_error err;
    assert_int_equal(pqp_begin(conn, NULL, &err), PQP_OK);
    run_own(pqp_pgconn(conn), RAISE("40001"), 0);
    assert_int_equal(pqp_commit(conn, &err), PQP_SERVER);
    assert_string_equal(err.sqlstate, "25P02");
    assert_int_equal(err.flags, PQP_ERR_RETRY);
    pqp_release(&conn);
    close_pool(&pool);
}

/* libpq's event procedures may be called for a copy of a result after its
 * connection has ended. */
static void copied_result_can_be_cleared_when_its_session_is_gone(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    PGresult *res = PQexec(pqp_pgconn(conn), "SELECT 1/0");
    PGresult *copy = PQcopyResult(res, PG_COPYRES_EVENTS);
    PQclear(res);
    pqp_discard(&conn);
    close_pool(&pool);
    (void)PQfireResultCreateEvents(NULL, copy);
    PQclear(copy);
}

/* ---- an attempt that cannot be made ---- */

struct thief {
    pqp_pool *pool;
    pqp_conn *stolen;
    pthread_t thread;
    pqp_status got;
    int runs;
};

static void *steal(void *arg)
{
    struct thief *thief = arg;
    thief->got = pqp_acquire(thief->pool, SOON_MS, &thief->stolen, NULL);
    return NULL;
}

static int is_awaited(void *pool)
{
    return stats_of(pool).waiting == 1;
}

/* Fails while another thread waits, so that the release serves that thread. */
static pqp_status fail_and_be_robbed(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct thief *thief = arg;
    thief->runs++;
    assert_int_equal(pthread_create(&thief->thread, NULL, steal, thief), 0);
    assert_true(becomes(is_awaited, thief->pool));
    return pqp_exec(conn, RAISE("40001"), NULL, err);
}

static void
transact_reports_first_error_when_retry_gets_no_connection(void **state)
{
    (void)state;
    struct thief thief = {.pool = open_pool(.max_size = 1)};
    pqp_error err;
    assert_int_equal(
        pqp_transact(thief.pool, 300, NULL, fail_and_be_robbed, &thief, &err),
        PQP_SERVER);
    pthread_join(thief.thread, NULL);
    assert_int_equal(thief.got, PQP_OK);
    assert_int_equal(err.status, PQP_SERVER);
    assert_string_equal(err.sqlstate, "40001");
    assert_int_equal(err.flags, PQP_ERR_RETRY);
    assert_int_equal(thief.runs, 1);
    pqp_release(&thief.stolen);
    close_pool(&thief.pool);
}

static void freeze_once(void *arg, const pqp_event *event)
{
    int *left = arg;
    if (event->type != PQP_EVENT_ACQUIRED || *left == 0)
        return;
    --*left;
    assert_true(server_ctl("pause"));
}

static void transact_times_out_when_begin_gets_no_answer(void **state)
{
    (void)state;
    need_server_ctl();
    static const int timeouts[] = {0, 300};
    for (size_t i = 0; i < 2; i++) {
        int left = 0;
        pqp_pool *pool = open_pool(.max_size = 1, .ping_timeout_ms = 100,
                                   .on_event = freeze_once, .arg = &left);
        pqp_conn *conn = borrow(pool);
        pqp_release(&conn);
        left = 1;
        struct script script = {.steps = {"SELECT 1"}};
        pqp_error err;
        int64_t start = now_ms();
        pqp_status status =
            pqp_transact(pool, timeouts[i], NULL, play, &script, &err);
        int64_t took = now_ms() - start;
        assert_true(server_ctl("resume"));
        assert_int_equal(status, PQP_TIMEOUT);
        assert_in_range(took, 100, 2000);
        assert_int_equal(script.runs, 0);
        close_pool(&pool);
    }
}

static void
transact_succeeds_when_timeout_is_zero_and_a_connection_is_idle(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    pqp_release(&conn);
    struct script script = {.steps = {"SELECT 1"}};
    pqp_error err;
    assert_int_equal(pqp_transact(pool, 0, NULL, play, &script, &err), PQP_OK);
    assert_int_equal(script.runs, 1);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            transact_commits_when_failure_was_rolled_back_to_a_savepoint),
        cmocka_unit_test(
            transact_reports_last_failure_when_earlier_one_was_handled),
        cmocka_unit_test(
            transact_reports_timeout_when_later_statements_fail_because_of_it),
        cmocka_unit_test(
            transact_returns_callback_status_with_text_of_first_error_when_both_exist),
        cmocka_unit_test(callback_is_not_retried_when_its_status_is_its_own),
        cmocka_unit_test(
            callback_is_retried_when_it_hides_a_serialization_failure),
        cmocka_unit_test(
            callback_is_retried_when_libpq_call_meets_serialization_failure),
        cmocka_unit_test(
            transact_reports_failure_when_callback_called_libpq_itself),
        cmocka_unit_test(
            libpq_failure_is_forgotten_when_rolled_back_to_a_savepoint),
        cmocka_unit_test(
            commit_error_has_retry_flag_when_libpq_call_met_serialization_failure),
        cmocka_unit_test(copied_result_can_be_cleared_when_its_session_is_gone),
        cmocka_unit_test(
            transact_reports_first_error_when_retry_gets_no_connection),
        cmocka_unit_test(transact_times_out_when_begin_gets_no_answer),
        cmocka_unit_test(
            transact_succeeds_when_timeout_is_zero_and_a_connection_is_idle),
    };
    return run_with_server(tests);
}
