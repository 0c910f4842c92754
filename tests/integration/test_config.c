/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Options and connection strings, on a real server. */
#include "support_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pqp_pool *open_dsn(const char *dsn)
{
    return open_pool_with(PQP_OPTIONS(.conninfo = dsn, .max_size = 1));
}

static void
pool_option_applies_when_it_is_a_keyword_of_the_conninfo(void **state)
{
    (void)state;
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = pg_dsn_with("pool_max_size=1")));
    pqp_conn *conn = borrow(pool), *other = NULL;
    assert_int_equal(pqp_try_acquire(pool, &other), PQP_BUSY);
    assert_int_equal(stats_of(pool).total, 1);
    pqp_release(&conn);
    close_pool(&pool);
}

static void options_field_wins_when_conninfo_sets_the_same_option(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = pg_dsn_with("pool_max_size=1"), .max_size = 2));
    pqp_conn *a = borrow(pool), *b = borrow(pool);
    assert_int_equal(stats_of(pool).in_use, 2);
    pqp_release(&a);
    pqp_release(&b);
    close_pool(&pool);
}

/* N02 */
static void pool_keeps_no_connection_when_min_size_is_zero(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 3, .idle_timeout_ms = 50);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    assert_int_equal(count_backends(), 0);
    close_pool(&pool);
}

/* N02 N04 */
static void
open_fails_and_names_the_option_when_its_value_is_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *named;
    } bad[] = {
        {"pool_max_size=0", "max_size"},
        {"pool_max_size=many", "max_size"},
        {"pool_min_size=-5", "min_size"},
        {"pool_no_such=CANARY", "pool_no_such"},
        {"no_such=CANARY", "unknown keyword"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pqp_pool *pool = (pqp_pool *)(uintptr_t)1;
        pqp_error err;
        assert_int_equal(
            pqp_pool_open(&pool,
                          PQP_OPTIONS(.conninfo = pg_dsn_with(bad[i].setting)),
                          &err),
            PQP_INVALID);
        assert_null(pool);
        if (strstr(err.message, bad[i].named) == NULL)
            fail_msg("%s: %s", bad[i].setting, err.message);
        assert_null(strstr(err.message, "CANARY"));
    }
}

/* N11 */
static void application_name_reaches_server_when_it_is_very_long(void **state)
{
    (void)state;
    char setting[256] = "application_name=";
    for (size_t n = strlen(setting); n < 220; n++)
        setting[n] = 'n';
    pqp_pool *pool = open_dsn(pg_dsn_with(setting));
    PQP_AUTO_CONN conn = borrow(pool);
    assert_int_equal(strlen(ask(conn, "SHOW application_name")), 63);
    pqp_release(&conn);
    close_pool(&pool);
}

static void application_name_is_pqpool_when_none_is_given(void **state)
{
    (void)state;
    pqp_pool *pool = open_dsn(pg_dsn_with("application_name="));
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SHOW application_name"), "pqpool");
    pqp_release(&conn);
    close_pool(&pool);
}

/* N18 */
static void pool_name_is_not_a_format_when_it_has_percent_signs(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool = open_pool(.max_size = 1, .name = "%s%n%d",
                               .on_event = record, .arg = &r);
    pqp_conn *conn = borrow(pool), *other = NULL;
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 20, &other, &err), PQP_TIMEOUT);
    assert_string_equal(event_of(&r, PQP_EVENT_TIMED_OUT, 0).pool, "%s%n%d");
    pqp_release(&conn);
    close_pool(&pool);
}

/* N09 */
static void
environment_variable_applies_when_conninfo_lacks_the_keyword(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGOPTIONS", "-c statement_timeout=43210", 1), 0);
    pqp_pool *pool = open_dsn(pg_dsn());
    PQP_AUTO_CONN conn = borrow(pool);
    (void)unsetenv("PGOPTIONS");
    assert_string_equal(ask(conn, "SHOW statement_timeout"), "43210ms");
    pqp_release(&conn);
    close_pool(&pool);
}

/* B24 N19 */
static void connect_tries_next_host_when_first_host_refuses(void **state)
{
    (void)state;
    PGconn *pg = PQconnectdb(pg_dsn());
    char setting[64];
    (void)snprintf(setting, sizeof setting, "host=%s,%s", "127.0.0.1",
                   PQhost(pg));
    char ports[64];
    (void)snprintf(ports, sizeof ports, "port=1,%s", PQport(pg));
    int is_tcp = PQhost(pg)[0] != '/';
    PQfinish(pg);
    if (!is_tcp)
        skip_because("the test server has a Unix socket only");
    char both[160];
    (void)snprintf(both, sizeof both, "%s %s", setting, ports);
    if (strstr(pg_dsn(), "://") != NULL)
        skip_because("PQPOOL_TEST_DSN is a URI");
    pqp_pool *pool = open_dsn(pg_dsn_with(both));
    PQP_AUTO_CONN conn = borrow(pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            pool_option_applies_when_it_is_a_keyword_of_the_conninfo),
        cmocka_unit_test(options_field_wins_when_conninfo_sets_the_same_option),
        cmocka_unit_test(pool_keeps_no_connection_when_min_size_is_zero),
        cmocka_unit_test(
            open_fails_and_names_the_option_when_its_value_is_invalid),
        cmocka_unit_test(application_name_reaches_server_when_it_is_very_long),
        cmocka_unit_test(application_name_is_pqpool_when_none_is_given),
        cmocka_unit_test(pool_name_is_not_a_format_when_it_has_percent_signs),
        cmocka_unit_test(
            environment_variable_applies_when_conninfo_lacks_the_keyword),
        cmocka_unit_test(connect_tries_next_host_when_first_host_refuses),
    };
    return run_with_server(tests);
}
