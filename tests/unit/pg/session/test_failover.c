/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The role that a scripted server reports: which sessions contradict the
 * connection string, and which are closed after a refused write. */
#include "support_session.h"

#include <stdlib.h>

#include "base/clock.h"
#include "pg/config/settings.h"
#include "pg/query/statement.h"

/* ---- target_session_attrs ---- */

/* A role that was not reported contradicts nothing. */
static void check_fails_when_role_contradicts_target_session_attrs(void **state)
{
    (void)state;
    static const struct {
        enum role wanted;
        const char *script;
        int answer;
    } cases[] = {
        {ROLE_ANY, "qyvezw", RPOOL_GOOD},
        {ROLE_READ_WRITE, "qezw", RPOOL_GOOD},
        {ROLE_READ_WRITE, "qYVezw", RPOOL_GOOD},
        {ROLE_READ_WRITE, "qyezw", RPOOL_BAD},
        {ROLE_READ_WRITE, "qYvezw", RPOOL_BAD},
        {ROLE_READ_ONLY, "qezw", RPOOL_GOOD},
        {ROLE_READ_ONLY, "qyVezw", RPOOL_GOOD},
        {ROLE_READ_ONLY, "qYvezw", RPOOL_GOOD},
        {ROLE_READ_ONLY, "qVezw", RPOOL_GOOD},
        {ROLE_READ_ONLY, "qYVezw", RPOOL_BAD},
        {ROLE_PRIMARY, "qezw", RPOOL_GOOD},
        {ROLE_PRIMARY, "qYvezw", RPOOL_GOOD},
        {ROLE_PRIMARY, "qyezw", RPOOL_BAD},
        {ROLE_STANDBY, "qezw", RPOOL_GOOD},
        {ROLE_STANDBY, "qyezw", RPOOL_GOOD},
        {ROLE_STANDBY, "qYezw", RPOOL_BAD},
        {ROLE_PREFER_STANDBY, "qYVezw", RPOOL_GOOD},
        {ROLE_PREFER_STANDBY, "qyvezw", RPOOL_GOOD},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        begin(cases[i].script, PQP_RESET_ROLLBACK);
        session->wanted_role = cases[i].wanted;
        if (check(60000) != cases[i].answer)
            fail_msg("case %zu", i);
        tear_down(NULL);
    }
}

/* The answer to the borrower's own statement reported it. */
static void
reset_discards_when_role_contradicts_target_session_attrs(void **state)
{
    (void)state;
    begin("qYczw", PQP_RESET_ROLLBACK);
    session->wanted_role = ROLE_STANDBY;
    borrower_runs("SELECT");
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void role_is_found_when_target_session_attrs_names_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum role role;
    } names[] = {
        {"", ROLE_ANY},
        {"any", ROLE_ANY},
        {"read-write", ROLE_READ_WRITE},
        {"read-only", ROLE_READ_ONLY},
        {"primary", ROLE_PRIMARY},
        {"standby", ROLE_STANDBY},
        {"prefer-standby", ROLE_PREFER_STANDBY},
        {"of a later libpq", ROLE_ANY},
    };
    for (size_t i = 0; i < LENGTH(names); i++)
        assert_int_equal(pqp__role_named(names[i].name), names[i].role);
}

static void
wanted_role_is_set_when_conninfo_or_environment_names_it(void **state)
{
    (void)state;
    begin_on_primary(NULL, "w");
    assert_int_equal(session->wanted_role, ROLE_ANY);
    tear_down(NULL);
    begin_on_primary("read-write", "w");
    assert_int_equal(session->wanted_role, ROLE_READ_WRITE);
    tear_down(NULL);
    assert_int_equal(setenv("PGTARGETSESSIONATTRS", "primary", 1), 0);
    begin_on_primary(NULL, "w");
    assert_int_equal(unsetenv("PGTARGETSESSIONATTRS"), 0);
    assert_int_equal(session->wanted_role, ROLE_PRIMARY);
    tear_down(NULL);
}

static void
check_fails_when_primary_became_standby_during_the_session(void **state)
{
    (void)state;
    begin_on_primary("primary", "qezqyezw");
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(check(60000), RPOOL_BAD);
}

/* ---- a write that a standby refuses ---- */

static void write_is_refused(void)
{
    const pqp_query query = {.size = sizeof query, .sql = "INSERT"};
    pqp_error err;
    assert_int_equal(
        pqp__statement(session, &query, 1, in_ms(60000), NULL, &err),
        PQP_SERVER);
    assert_string_equal(err.sqlstate, "25006");
}

static int64_t mark(void)
{
    return atomic_load(&config->address_marks[session->mark_index]);
}

/* As if another session to the same address had been refused at that time. */
static void set_mark(int64_t at)
{
    atomic_store(&config->address_marks[session->mark_index], at);
}

static void reset_discards_when_standby_refused_a_write(void **state)
{
    (void)state;
    begin("qyRzw", PQP_RESET_ROLLBACK);
    write_is_refused();
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_true(mark() > session->connect_began && mark() <= clock_now());
}

/* The borrower sent it through libpq's functions. */
static void
reset_discards_when_standby_refused_a_write_sent_through_libpq(void **state)
{
    (void)state;
    begin("qyRzw", PQP_RESET_ROLLBACK);
    borrower_runs("INSERT");
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_true(mark() > session->connect_began);
}

static void reset_reuses_when_primary_refused_a_write(void **state)
{
    (void)state;
    static const char *const scripts[] = {"qRzw", "qYRzw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        write_is_refused();
        assert_int_equal(mark(), 0);
        assert_int_equal(reset(), RPOOL_REUSE);
        tear_down(NULL);
    }
}

static void reset_reuses_when_wanted_standby_refused_a_write(void **state)
{
    (void)state;
    static const enum role wanted[] = {ROLE_STANDBY, ROLE_READ_ONLY,
                                       ROLE_PREFER_STANDBY};
    for (size_t i = 0; i < LENGTH(wanted); i++) {
        begin("qyRzw", PQP_RESET_ROLLBACK);
        session->wanted_role = wanted[i];
        write_is_refused();
        assert_int_equal(mark(), 0);
        assert_int_equal(reset(), RPOOL_REUSE);
        tear_down(NULL);
    }
}

static void
session_is_discarded_when_its_standby_refused_another_session(void **state)
{
    (void)state;
    begin("qyezqezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    set_mark(session->connect_began + 1);
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_int_equal(check(60000), RPOOL_BAD);
}

static void
session_stays_when_it_is_newer_than_the_last_refused_write(void **state)
{
    (void)state;
    begin("qyezqezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    set_mark(session->connect_began);
    assert_int_equal(check(60000), RPOOL_GOOD);
    assert_int_equal(reset(), RPOOL_REUSE);
}

static void
session_stays_when_server_that_refused_a_write_is_no_standby(void **state)
{
    (void)state;
    static const char *const scripts[] = {"qezqezw", "qYezqezw"};
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        begin(scripts[i], PQP_RESET_ROLLBACK);
        assert_int_equal(check(60000), RPOOL_GOOD);
        set_mark(session->connect_began + 1);
        assert_int_equal(check(60000), RPOOL_GOOD);
        assert_int_equal(reset(), RPOOL_REUSE);
        tear_down(NULL);
    }
}

/* A standby under the primary's name costs at most one round of connections a
 * second, however many writes it refuses. */
static void
standby_is_avoided_at_most_once_a_second_when_writes_keep_failing(void **state)
{
    (void)state;
    begin("qyRzqRzw", PQP_RESET_ROLLBACK);
    int64_t first = clock_now() - 500 * CLOCK_MS;
    set_mark(first);
    session->connect_began = first + 1;
    write_is_refused();
    assert_int_equal(mark(), first + 1000 * CLOCK_MS);
    write_is_refused();
    assert_int_equal(mark(), first + 1000 * CLOCK_MS);
    assert_int_equal(reset(), RPOOL_REUSE);
    session->touched = 1;
    /* the first mark was for this session */
    session->connect_began = first - 1;
    assert_int_equal(reset(), RPOOL_DISCARD);
}

static void
session_is_discarded_only_when_the_delay_after_a_refused_write_is_over(
    void **state)
{
    (void)state;
    begin("qyezw", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_GOOD);
    session->connect_began = clock_now() - 300 * CLOCK_MS;
    set_mark(clock_now() + 500 * CLOCK_MS);
    assert_int_equal(reset(), RPOOL_REUSE);
    session->touched = 1;
    set_mark(clock_now());
    assert_int_equal(reset(), RPOOL_DISCARD);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            check_fails_when_role_contradicts_target_session_attrs),
        TEST(reset_discards_when_role_contradicts_target_session_attrs),
        cmocka_unit_test(role_is_found_when_target_session_attrs_names_it),
        cmocka_unit_test(
            wanted_role_is_set_when_conninfo_or_environment_names_it),
        TEST(check_fails_when_primary_became_standby_during_the_session),
        TEST(reset_discards_when_standby_refused_a_write),
        TEST(reset_discards_when_standby_refused_a_write_sent_through_libpq),
        cmocka_unit_test(reset_reuses_when_primary_refused_a_write),
        cmocka_unit_test(reset_reuses_when_wanted_standby_refused_a_write),
        TEST(session_is_discarded_when_its_standby_refused_another_session),
        TEST(session_stays_when_it_is_newer_than_the_last_refused_write),
        cmocka_unit_test(
            session_stays_when_server_that_refused_a_write_is_no_standby),
        TEST(standby_is_avoided_at_most_once_a_second_when_writes_keep_failing),
        TEST(
            session_is_discarded_only_when_the_delay_after_a_refused_write_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
