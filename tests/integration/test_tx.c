/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Transactions: begin, commit, rollback, and when a callback is run again. */
#include "support_pg.h"

#include <string.h>

#define RAISE(sqlstate) "DO $$BEGIN RAISE SQLSTATE '" sqlstate "'; END$$"

/* What a transaction callback of these tests does, and what it saw. */
struct job {
    const char *sql;
    int runs, fail_first; /* sql runs only in the first fail_first runs */
    int dirty;            /* runs that did not begin in a clean transaction */
    pqp_status returns;   /* the result, unless sql failed */
};

static pqp_status do_job(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct job *job = arg;
    job->runs++;
    if (PQtransactionStatus(pqp_pgconn(conn)) != PQTRANS_INTRANS)
        job->dirty++;
    if (job->runs > job->fail_first)
        return job->returns;
    pqp_status status = pqp_exec(conn, job->sql, NULL, err);
    return status != PQP_OK ? status : job->returns;
}

static void inserted_rows_stay_only_when_transaction_is_committed(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    must_exec(conn, "CREATE TEMP TABLE t (n int)");
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    must_exec(conn, "INSERT INTO t VALUES (1)");
    assert_int_equal(pqp_rollback(conn, NULL), PQP_OK);
    assert_string_equal(ask(conn, "SELECT count(*) FROM t"), "0");
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    must_exec(conn, "INSERT INTO t VALUES (1)");
    assert_int_equal(pqp_commit(conn, NULL), PQP_OK);
    assert_string_equal(ask(conn, "SELECT count(*) FROM t"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

static void
transaction_has_isolation_and_mode_when_begin_sets_them(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    static const char *const names[] = {"read committed", "read committed",
                                        "repeatable read", "serializable"};
    for (int i = PQP_ISO_DEFAULT; i <= PQP_ISO_SERIALIZABLE; i++) {
        int on = i % 2;
        assert_int_equal(pqp_begin(conn,
                                   PQP_TX(.isolation = (pqp_isolation)i,
                                          .read_only = on, .deferrable = on),
                                   NULL),
                         PQP_OK);
        assert_string_equal(ask(conn, "SHOW transaction_isolation"), names[i]);
        assert_string_equal(ask(conn, "SHOW transaction_read_only"),
                            on ? "on" : "off");
        assert_string_equal(ask(conn, "SHOW transaction_deferrable"),
                            on ? "on" : "off");
        assert_int_equal(pqp_commit(conn, NULL), PQP_OK);
    }
    pqp_release(&conn);
    close_pool(&pool);
}

static void
begin_and_commit_are_refused_when_transaction_state_is_wrong(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    assert_int_equal(pqp_commit(conn, NULL), PQP_INVALID);
    assert_int_equal(pqp_rollback(conn, NULL), PQP_OK);
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_INVALID);
    assert_int_equal(
        pqp_begin(conn, PQP_TX(.isolation = (pqp_isolation)9), NULL),
        PQP_INVALID);
    assert_int_equal(pqp_commit(conn, NULL), PQP_OK);
    pqp_release(&conn);
    close_pool(&pool);
}

static void commit_fails_with_25P02_when_transaction_had_failed(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    PQP_AUTO_CONN conn = borrow(pool);
    pqp_error err;
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    assert_int_equal(pqp_exec(conn, "SELECT 1/0", NULL, NULL), PQP_SERVER);
    assert_int_equal(pqp_commit(conn, &err), PQP_SERVER);
    assert_string_equal(err.sqlstate, "25P02");
    assert_int_equal(err.flags, 0);
    assert_non_null(strstr(err.message, "division by zero"));
    assert_int_equal(PQtransactionStatus(pqp_pgconn(conn)), PQTRANS_IDLE);
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    assert_int_equal(pqp_exec(conn, RAISE("40001"), NULL, NULL), PQP_SERVER);
    assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, NULL), PQP_SERVER);
    assert_int_equal(pqp_commit(conn, &err), PQP_SERVER);
    assert_string_equal(err.sqlstate, "25P02");
    assert_int_equal(err.flags, PQP_ERR_RETRY);
    pqp_release(&conn);
    close_pool(&pool);
}

/* C16: COMMIT was not sent, so there is no doubt. */
static void
commit_is_not_in_doubt_when_connection_was_lost_before_it(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    int pid = backend_of(conn);
    pqp_error err;
    assert_int_equal(pqp_begin(conn, NULL, NULL), PQP_OK);
    must_exec(conn, "INSERT INTO notes (body) VALUES ('lost')");
    kill_backend(pid);
    assert_int_equal(pqp_commit(conn, &err), PQP_LOST);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    assert_string_equal(err.sqlstate, "57P01");
    assert_non_null(strstr(err.message, "terminating connection"));
    assert_int_equal(pqp_commit(conn, &err), PQP_LOST);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    pqp_release(&conn);
    close_pool(&pool);
}

/* S10 S12 */
static void
callback_is_retried_when_serialization_fails_or_deadlock_is_detected(
    void **state)
{
    (void)state;
    static const char *const states[] = {RAISE("40001"), RAISE("40P01")};
    pqp_pool *pool = open_pool(.max_size = 1);
    for (size_t i = 0; i < 2; i++) {
        struct job job = {.sql = states[i], .fail_first = 2};
        pqp_error err;
        assert_int_equal(pqp_transact(pool, SOON_MS, NULL, do_job, &job, &err),
                         PQP_OK);
        assert_int_equal(err.status, PQP_OK);
        assert_int_equal(job.runs, 3);
        assert_int_equal(job.dirty, 0);
    }
    assert_int_equal(stats_of(pool).created, 1);
    close_pool(&pool);
}

/* S12 */
static void transact_gives_up_when_max_attempts_failed(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    struct job job = {.sql = RAISE("40001"), .fail_first = 1000};
    pqp_error err;
    assert_int_equal(pqp_transact(pool, SOON_MS,
                                  PQP_TX(.max_attempts = 3, .backoff_ms = 1),
                                  do_job, &job, &err),
                     PQP_SERVER);
    assert_string_equal(err.sqlstate, "40001");
    assert_int_equal(err.flags, PQP_ERR_RETRY);
    assert_int_equal(job.runs, 3);
    assert_int_equal(job.dirty, 0);
    close_pool(&pool);
}

static void
transact_gives_up_when_deadline_passes_between_attempts(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    struct job job = {.sql = RAISE("40001"), .fail_first = 1000};
    pqp_error err;
    int64_t start = now_ms();
    assert_int_equal(
        pqp_transact(pool, 300,
                     PQP_TX(.max_attempts = 1000000, .backoff_ms = 100), do_job,
                     &job, &err),
        PQP_SERVER);
    assert_in_range(now_ms() - start, 0, 600);
    assert_string_equal(err.sqlstate, "40001");
    assert_in_range(job.runs, 2, 4);
    close_pool(&pool);
}

static void
callback_is_not_retried_when_error_is_no_serialization_failure(void **state)
{
    (void)state;
    static const char *const states[] = {"22012", "08006", "57P01"};
    static const char *const raise[] = {"SELECT 1/0", RAISE("08006"),
                                        RAISE("57P01")};
    pqp_pool *pool = open_pool(.max_size = 1);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct job job = {.sql = raise[i], .fail_first = 1};
        pqp_error err;
        assert_int_equal(pqp_transact(pool, SOON_MS, NULL, do_job, &job, &err),
                         PQP_SERVER);
        assert_string_equal(err.sqlstate, states[i]);
        assert_int_equal(err.flags, 0);
        assert_int_equal(job.runs, 1);
    }
    close_pool(&pool);
}

static pqp_status insert_and_refuse(void *arg, pqp_conn *conn, pqp_error *err)
{
    (void)arg;
    pqp_status status = pqp_exec(
        conn, "INSERT INTO notes (body) VALUES ('refused')", NULL, err);
    return status == PQP_OK ? PQP_BUSY : status;
}

static void
transaction_is_rolled_back_when_callback_returns_an_error(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_error err;
    assert_int_equal(
        pqp_transact(pool, SOON_MS, NULL, insert_and_refuse, NULL, &err),
        PQP_BUSY);
    assert_int_equal(err.status, PQP_BUSY);
    assert_string_not_equal(err.message, "");
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(
        ask(conn, "SELECT count(*) FROM notes WHERE body = 'refused'"), "0");
    pqp_release(&conn);
    close_pool(&pool);
}

static pqp_status fail_and_go_on(void *arg, pqp_conn *conn, pqp_error *err)
{
    int *swallow = arg;
    pqp_status status = pqp_exec(conn, "SELECT 1/0", NULL, err);
    if (status == PQP_SERVER)
        status = pqp_exec(conn, "SELECT 1", NULL, err);
    return *swallow ? PQP_OK : status;
}

/* S13 */
static void
transact_reports_first_error_when_later_statements_fail_too(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    for (int swallow = 0; swallow < 2; swallow++) {
        pqp_error err;
        assert_int_equal(
            pqp_transact(pool, SOON_MS, NULL, fail_and_go_on, &swallow, &err),
            PQP_SERVER);
        assert_string_equal(err.sqlstate, "22012");
    }
    close_pool(&pool);
}

#define SUICIDE "SELECT pg_terminate_backend(pg_backend_pid())"

/* S10 */
static void
callback_is_retried_when_connection_is_lost_before_commit(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    struct job job = {.sql = SUICIDE, .fail_first = 1};
    pqp_error err;
    assert_int_equal(pqp_transact(pool, SOON_MS, NULL, do_job, &job, &err),
                     PQP_OK);
    assert_int_equal(job.runs, 2);
    assert_int_equal(job.dirty, 0);
    assert_int_equal(stats_of(pool).created, 2);
    close_pool(&pool);
}

static pqp_status die_at_commit(void *arg, pqp_conn *conn, pqp_error *err)
{
    int *runs = arg;
    ++*runs;
    return pqp_exec(
        conn,
        "CREATE TEMP TABLE d (n int);"
        "CREATE FUNCTION pg_temp.die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid());"
        " PERFORM pg_sleep(5); RETURN NULL; END$$;"
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON d"
        " DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION pg_temp.die();"
        "INSERT INTO d VALUES (1)",
        NULL, err);
}

/* S11 */
static void
callback_is_not_retried_when_connection_is_lost_during_commit(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    int runs = 0;
    pqp_error err;
    assert_int_equal(
        pqp_transact(pool, SOON_MS, NULL, die_at_commit, &runs, &err),
        PQP_LOST);
    assert_int_equal(runs, 1);
    assert_int_equal(err.flags, PQP_ERR_IN_DOUBT | PQP_ERR_DISCARD);
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

struct committer {
    pqp_status returns; /* PQP_STATUS_COUNT: the status of pqp_commit */
    int silent, runs;
};

static pqp_status die_at_own_commit(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct committer *committer = arg;
    pqp_status status = die_at_commit(&committer->runs, conn, err);
    if (status == PQP_OK)
        status = pqp_commit(conn, committer->silent ? NULL : err);
    return committer->returns == PQP_STATUS_COUNT ? status : committer->returns;
}

/* S11: the callback must not commit, but may do so by mistake. */
static void
callback_is_not_retried_when_its_own_commit_is_in_doubt(void **state)
{
    (void)state;
    static const struct committer cases[] = {
        {.returns = PQP_STATUS_COUNT},
        {.returns = PQP_STATUS_COUNT, .silent = 1},
        {.returns = PQP_OK},
        {.returns = PQP_OK, .silent = 1},
    };
    pqp_pool *pool = open_pool(.max_size = 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct committer committer = cases[i];
        pqp_error err;
        assert_int_equal(pqp_transact(pool, SOON_MS, NULL, die_at_own_commit,
                                      &committer, &err),
                         PQP_LOST);
        assert_int_equal(err.status, PQP_LOST);
        assert_int_equal(err.flags, PQP_ERR_IN_DOUBT | PQP_ERR_DISCARD);
        assert_int_equal(committer.runs, 1);
    }
    close_pool(&pool);
}

static pqp_status commit_and_die(void *arg, pqp_conn *conn, pqp_error *err)
{
    ++*(int *)arg;
    pqp_status status = pqp_commit(conn, err);
    return status == PQP_OK ? pqp_exec(conn, SUICIDE, NULL, err) : status;
}

/* S11 */
static void callback_is_not_retried_when_it_committed_by_itself(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    int runs = 0;
    pqp_error err;
    assert_int_equal(
        pqp_transact(pool, SOON_MS, NULL, commit_and_die, &runs, &err),
        PQP_LOST);
    assert_int_equal(err.flags, PQP_ERR_DISCARD);
    assert_int_equal(runs, 1);
    close_pool(&pool);
}

static void kill_once(void *arg, const pqp_event *event)
{
    int *left = arg;
    if (event->type != PQP_EVENT_ACQUIRED || *left == 0)
        return;
    --*left;
    terminate_backend(event->backend_pid);
}

/* D28 */
static void connection_is_released_once_when_begin_fails(void **state)
{
    (void)state;
    int left = 1;
    pqp_pool *pool =
        open_pool(.max_size = 1, .on_event = kill_once, .arg = &left);
    struct job job = {.sql = ""};
    assert_int_equal(pqp_transact(pool, SOON_MS, NULL, do_job, &job, NULL),
                     PQP_OK);
    assert_int_equal(job.runs, 1);
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.created, 2);
    assert_int_equal(stats.misused, 0);
    close_pool(&pool);
}

static void
transact_returns_invalid_when_callback_ends_the_transaction(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    struct job job = {.sql = "COMMIT", .fail_first = 1};
    pqp_error err;
    assert_int_equal(pqp_transact(pool, SOON_MS, NULL, do_job, &job, &err),
                     PQP_INVALID);
    assert_string_equal(err.message,
                        "transaction callback must not COMMIT or ROLLBACK");
    assert_int_equal(job.runs, 1);
    close_pool(&pool);
}

static pqp_status give_away(void *arg, pqp_conn *conn, pqp_error *err)
{
    (void)arg;
    (void)err;
    pqp_release(&conn);
    return PQP_OK;
}

static void
transact_returns_invalid_when_callback_releases_the_lease(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    assert_int_equal(pqp_transact(pool, SOON_MS, NULL, give_away, NULL, NULL),
                     PQP_INVALID);
    assert_int_equal(stats_of(pool).in_use, 0);
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

static void transact_times_out_when_no_connection_becomes_free(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *held = borrow(pool);
    struct job job = {.sql = ""};
    assert_int_equal(pqp_transact(pool, 50, NULL, do_job, &job, NULL),
                     PQP_TIMEOUT);
    assert_int_equal(job.runs, 0);
    pqp_release(&held);
    close_pool(&pool);
}

/* ---- two at once ---- */

struct duel {
    pqp_pool *pool;
    pthread_barrier_t *barrier;
    const char *first, *second;
    int runs;
    pqp_status status;
};

static pqp_status strike(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct duel *duel = arg;
    pqp_status status = pqp_exec(conn, duel->first, NULL, err);
    if (++duel->runs == 1)
        pthread_barrier_wait(duel->barrier);
    if (status == PQP_OK)
        status = pqp_exec(conn, duel->second, NULL, err);
    return status;
}

static void *fight(void *arg)
{
    struct duel *duel = arg;
    duel->status = pqp_transact(
        duel->pool, SOON_MS,
        PQP_TX(.isolation = PQP_ISO_SERIALIZABLE, .max_attempts = 50), strike,
        duel, NULL);
    return NULL;
}

/* Both transactions succeed, and at least one of them only when it is run
 * again. */
static void duel_ends_well(const char *a1, const char *a2, const char *b1,
                           const char *b2)
{
    pqp_pool *pool = open_pool(.max_size = 2);
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    struct duel duels[2] = {
        {.pool = pool, .barrier = &barrier, .first = a1, .second = a2},
        {.pool = pool, .barrier = &barrier, .first = b1, .second = b2},
    };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fight, &duels[i]),
                         0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    assert_int_equal(duels[0].status, PQP_OK);
    assert_int_equal(duels[1].status, PQP_OK);
    assert_true(duels[0].runs + duels[1].runs > 2);
    close_pool(&pool);
}

#define TOUCH(id) "UPDATE accounts SET balance = balance WHERE id = " id

/* S15 P19 */
static void both_transactions_succeed_when_they_deadlock(void **state)
{
    (void)state;
    duel_ends_well(TOUCH("1"), TOUCH("2"), TOUCH("2"), TOUCH("1"));
}

#define LOOK(id) "SELECT balance FROM accounts WHERE id = " id

/* S16 */
static void both_transactions_succeed_when_they_meet_write_skew(void **state)
{
    (void)state;
    duel_ends_well(LOOK("3"), TOUCH("4"), LOOK("4"), TOUCH("3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inserted_rows_stay_only_when_transaction_is_committed),
        cmocka_unit_test(
            transaction_has_isolation_and_mode_when_begin_sets_them),
        cmocka_unit_test(
            begin_and_commit_are_refused_when_transaction_state_is_wrong),
        cmocka_unit_test(commit_fails_with_25P02_when_transaction_had_failed),
        cmocka_unit_test(
            commit_is_not_in_doubt_when_connection_was_lost_before_it),
        cmocka_unit_test(
            callback_is_retried_when_serialization_fails_or_deadlock_is_detected),
        cmocka_unit_test(transact_gives_up_when_max_attempts_failed),
        cmocka_unit_test(
            transact_gives_up_when_deadline_passes_between_attempts),
        cmocka_unit_test(
            callback_is_not_retried_when_error_is_no_serialization_failure),
        cmocka_unit_test(
            transaction_is_rolled_back_when_callback_returns_an_error),
        cmocka_unit_test(
            transact_reports_first_error_when_later_statements_fail_too),
        cmocka_unit_test(
            callback_is_retried_when_connection_is_lost_before_commit),
        cmocka_unit_test(
            callback_is_not_retried_when_connection_is_lost_during_commit),
        cmocka_unit_test(
            callback_is_not_retried_when_its_own_commit_is_in_doubt),
        cmocka_unit_test(callback_is_not_retried_when_it_committed_by_itself),
        cmocka_unit_test(connection_is_released_once_when_begin_fails),
        cmocka_unit_test(
            transact_returns_invalid_when_callback_ends_the_transaction),
        cmocka_unit_test(
            transact_returns_invalid_when_callback_releases_the_lease),
        cmocka_unit_test(transact_times_out_when_no_connection_becomes_free),
        cmocka_unit_test(both_transactions_succeed_when_they_deadlock),
        cmocka_unit_test(both_transactions_succeed_when_they_meet_write_skew),
    };
    return run_with_server(tests);
}
