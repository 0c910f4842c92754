/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server's password may appear in no error, event, dump or line on stderr,
 * whatever fails, and even if the server repeats the password.
 */
#include "support_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- recorded texts ---- */

static struct {
    pthread_mutex_t mutex;
    size_t used;
    int errors, events, lines; /* number of texts */
    char text[256 * 1024];
} said = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void hear(int *count, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    pthread_mutex_lock(&said.mutex);
    int n = snprintf(said.text + said.used, sizeof said.text - said.used,
                     "%s\n", text);
    said.used += (size_t)n;
    if (said.used >= sizeof said.text)
        abort(); /* the buffer is too small for this test */
    ++*count;
    pthread_mutex_unlock(&said.mutex);
}

static void hear_event(void *arg, const pqp_event *event)
{
    (void)arg;
    hear(&said.events, event->message);
    hear(&said.events, event->reason);
    hear(&said.events, event->pool);
}

static void hear_line(void *arg, const char *text)
{
    (void)arg;
    hear(&said.lines, text);
}

/* Returns not 0 if the status is an error. */
static int hear_error(pqp_status status, const pqp_error *err)
{
    hear(&said.errors, err->message);
    return status != PQP_OK;
}

/* ---- failing calls ---- */

static const char *password(void)
{
    static char value[128];
    PQconninfoOption *options = PQconninfoParse(pg_dsn(), NULL);
    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
        if (strcmp(o->keyword, "password") == 0 && o->val != NULL)
            (void)snprintf(value, sizeof value, "%s", o->val);
    PQconninfoFree(options);
    return value;
}

/* Returns the password between two texts, in one of two static buffers. */
static const char *with_password(const char *before, const char *after)
{
    static char texts[2][512];
    static unsigned next;
    char *text = texts[next++ % 2];
    (void)snprintf(text, sizeof texts[0], "%s%s%s", before, password(), after);
    return text;
}

/* Opens pools with invalid strings.  Returns how many were refused. */
static int refused_strings(void)
{
    const char *const forms[][2] = {
        {"password=", " no_such=1"},
        {"password='", ""},
        {"password=", " ="},
        {"no_such=", ""},
        {"pool_max_size=", ""},
        {"", ""},
        {"postgresql://u:", "@[::1"},
        {"postgresql://u:", "@h:port/%zz"},
        {"postgresql://u:", "@h/?no=1"},
        {"postgresql://h/?no_such=", ""},
        {"password=", " pool_max_size=x"},
        {"postgresql://u:", "%@h/"},
    };
    int refused = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        pqp_pool *pool = NULL;
        pqp_error err;
        pqp_status status = pqp_pool_open(
            &pool,
            PQP_OPTIONS(.conninfo = with_password(forms[i][0], forms[i][1])),
            &err);
        refused += hear_error(status, &err);
        (void)pqp_pool_close(&pool, SOON_MS);
    }
    return refused;
}

/* Acquires with settings that cannot connect.  Returns how many failed. */
static int failing_connects(void)
{
    static const char *const settings[] = {
        "port=1",
        "dbname=no_such",
        "user=no_such",
        "sslmode=verify-full sslrootcert=/none",
        "target_session_attrs=standby",
        "options='-c no_such=1'",
        "channel_binding=require sslmode=disable",
        "host=no_such.invalid",
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        pqp_error err;
        pqp_conn *conn = NULL;
        pqp_pool *pool = NULL;
        if (pqp_pool_open(&pool,
                          PQP_OPTIONS(.conninfo = pg_dsn_with(settings[i]),
                                      .on_event = hear_event),
                          &err) != PQP_OK)
            continue;
        failed += hear_error(pqp_acquire(pool, 200, &conn, &err), &err);
        pqp_pool_dump(pool, hear_line, NULL);
        (void)pqp_pool_close(&pool, SOON_MS);
    }
    return failed;
}

/* Runs statements that contain the password and that the server quotes. */
static int failing_statements(pqp_conn *conn)
{
    const char *const forms[][2] = {
        {"SELECT 'x", "'::int"},
        {"SELECT \"", "\""},
        {"SET \"", "\" = 1"},
        {"DO $$BEGIN RAISE NOTICE 'so %', '", "'; RAISE 'and'; END$$"},
        {"DO $$BEGIN RAISE '", "'; END$$"},
        {"SELECT pg_terminate_backend(pg_backend_pid()) -- ", ""},
        {"SELECT ", ""},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        pqp_error err;
        const char *sql = with_password(forms[i][0], forms[i][1]);
        failed += hear_error(pqp_exec(conn, sql, NULL, &err), &err);
    }
    return failed;
}

static int failing_sessions(void)
{
    pqp_pool *pool = NULL;
    pqp_conn *conn = NULL, *other = NULL;
    pqp_error err;
    if (pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = 1,
                                  .name = "aviary", .on_event = hear_event),
                      &err) != PQP_OK ||
        pqp_acquire(pool, SOON_MS, &conn, &err) != PQP_OK)
        return 0;
    int failed = failing_statements(conn);
    failed += hear_error(pqp_acquire(pool, 20, &other, &err), &err);
    pqp_pool_dump(pool, hear_line, NULL);
    pqp_conn *stale = conn;
    pqp_release(&conn);
    pqp_release(&stale);
    (void)pqp_pool_close(&pool, SOON_MS);
    return failed;
}

/* ---- the test ---- */

static long size_of_stderr(FILE *file)
{
    char line[1024];
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        hear(&said.lines, line);
    return ftell(file);
}

/* U07 */
static void
password_is_in_no_message_when_connects_and_statements_fail(void **state)
{
    (void)state;
    assert_true(strlen(password()) >= 8);
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    int strings = refused_strings();
    int connects = failing_connects();
    int statements = failing_sessions();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    long written = size_of_stderr(file);
    (void)fclose(file);
    const char *found = strstr(said.text, password());
    if (found != NULL)
        fail_msg("after %zu bytes", (size_t)(found - said.text));
    assert_int_equal(written, 0);
    assert_int_equal(strings, 12);
    assert_int_equal(connects, 8);
    assert_int_equal(statements, 8);
    assert_int_equal(said.errors, 28);
    assert_true(said.events > 20 && said.lines > 8);
    /* Without hiding, the password would stand in these places. */
    assert_non_null(strstr(said.text, "integer: \"***\""));
    assert_non_null(strstr(said.text, "so ***"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            password_is_in_no_message_when_connects_and_statements_fail),
    };
    return run_with_server(tests);
}
