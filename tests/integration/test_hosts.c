/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Lists of hosts, names whose address changes or cannot be resolved, closed
 * ports, and ports with a listener that is no PostgreSQL server.  The test
 * replaces the resolver of the C library.
 */
#include "support_pg.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_listener.h"

/* ---- a resolver ---- */

/* The test's resolver: every name has the one address; `hangs` blocks the
 * calls. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const char *address;
    int hangs;
} names = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, "127.0.0.1", 0};

static const char *look_up(void)
{
    pthread_mutex_lock(&names.mutex);
    while (names.hangs)
        pthread_cond_wait(&names.changed, &names.mutex);
    const char *address = names.address;
    pthread_mutex_unlock(&names.mutex);
    return address;
}

static void set_names(const char *address, int hangs)
{
    pthread_mutex_lock(&names.mutex);
    names.address = address;
    names.hangs = hangs;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.mutex);
}

static int names_as_ever(void **state)
{
    (void)state;
    set_names("127.0.0.1", 0);
    return 0;
}

struct found {
    struct addrinfo info;
    struct sockaddr_in at;
};

/* Replaces the C library's function for pqpool; libpq is given addresses.  Only
 * IPv4. */
int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **to)
{
    (void)hints;
    struct found *found = calloc(1, sizeof *found);
    if (found == NULL)
        return EAI_MEMORY;
    if (inet_pton(AF_INET, name, &found->at.sin_addr) != 1 &&
        inet_pton(AF_INET, look_up(), &found->at.sin_addr) != 1)
        abort();
    long port = service != NULL ? strtol(service, NULL, 10) : 0;
    found->at.sin_family = AF_INET;
    found->at.sin_port = htons((uint16_t)port);
    found->info.ai_family = AF_INET;
    found->info.ai_socktype = SOCK_STREAM;
    found->info.ai_addrlen = sizeof found->at;
    found->info.ai_addr = (struct sockaddr *)&found->at;
    *to = &found->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

/* ---- names ---- */

/* P14: a connection stays where it is; a new one goes to the new address. */
static void
host_name_is_resolved_again_when_a_connection_is_opened(void **state)
{
    (void)state;
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = pg_dsn_with("host=pqpool.test"),
                                   .max_size = 2));
    pqp_conn *old = borrow(pool), *new = NULL;
    assert_string_equal(PQhostaddr(pqp_pgconn(old)), "127.0.0.1");
    set_names("127.0.0.2", 0); /* there is no server */
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 200, &new, &err), PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "127.0.0.2"));
    assert_string_equal(ask(old, "SELECT 1"), "1");
    set_names("127.0.0.1", 0);
    new = borrow(pool);
    pqp_release(&old);
    pqp_release(&new);
    close_pool(&pool);
}

static int is_freed(void *recorder)
{
    return count_of(recorder, PQP_EVENT_FREED) == 1;
}

/* P15 */
static void acquire_and_close_keep_deadlines_when_resolver_hangs(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    set_names("127.0.0.1", 1);
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = pg_dsn_with("host=pqpool.test"), .max_size = 1,
                    .connect_timeout_ms = 50, .on_event = record, .arg = &r));
    pqp_conn *conn = NULL;
    int64_t start = now_ms();
    pqp_status acquired = pqp_acquire(pool, 100, &conn, NULL);
    int64_t took = now_ms() - start;
    pqp_status closed = pqp_pool_close(&pool, 100);
    int64_t both = now_ms() - start;
    int freed_early = count_of(&r, PQP_EVENT_FREED);
    set_names("127.0.0.1", 0);
    assert_true(becomes(is_freed, &r));
    assert_int_equal(acquired, PQP_TIMEOUT);
    assert_in_range(took, 100, 600);
    assert_int_equal(closed, PQP_TIMEOUT);
    assert_in_range(both, 200, 1200);
    assert_int_equal(freed_early, 0);
}

/* ---- lists ---- */

/* Returns a connection string with two hosts.  The server is the first or the
 * second. */
static const char *two_places(int other_port, int first, const char *setting)
{
    PGconn *pg = PQconnectdb(pg_dsn());
    char other[16], list[160];
    (void)snprintf(other, sizeof other, "%d", other_port);
    (void)snprintf(list, sizeof list, "host=%s,%s port=%s,%s %s",
                   first ? PQhost(pg) : "127.0.0.1",
                   first ? "127.0.0.1" : PQhost(pg), first ? PQport(pg) : other,
                   first ? other : PQport(pg), setting);
    PQfinish(pg);
    return pg_dsn_with(list);
}

/* P13: the other server is dead, or silent, or not reached at all. */
static void
connect_tries_next_host_when_a_server_accepts_no_writes(void **state)
{
    (void)state;
    struct listener silent;
    listener_start(&silent, NULL, 0);
    const char *dsns[] = {
        two_places(1, 0, "target_session_attrs=read-write"),
        two_places(silent.port, 0, "target_session_attrs=read-write"),
        two_places(silent.port, 1, "target_session_attrs=read-write"),
    };
    for (int i = 0; i < 3; i++) {
        pqp_pool *pool =
            open_pool_with(PQP_OPTIONS(.conninfo = dsns[i], .max_size = 1,
                                       .connect_timeout_ms = 300));
        pqp_conn *conn = borrow(pool);
        assert_string_equal(ask(conn, "SHOW transaction_read_only"), "off");
        assert_int_equal(atomic_load(&silent.accepted), i == 0 ? 0 : 1);
        pqp_release(&conn);
        close_pool(&pool);
    }
    listener_end(&silent);
}

static void
connect_fails_and_says_read_only_when_server_accepts_no_writes(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = pg_dsn_with(
                        "target_session_attrs=read-write "
                        "options='-c default_transaction_read_only=on'"),
                    .max_size = 1));
    pqp_conn *conn = NULL;
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 300, &conn, &err), PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "read-only"));
    close_pool(&pool);
}

/* ---- listeners that are no servers ---- */

/* Returns the error of one acquire from a listener that answers with `reply`.
 */
static pqp_error refused_by(const char *reply, size_t size, const char *setting,
                            pqp_status expected)
{
    struct listener listener;
    listener_start(&listener, reply, size);
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = listener_dsn(&listener, setting),
                                   .max_size = 1, .connect_timeout_ms = 100));
    pqp_conn *conn = NULL;
    pqp_error err;
    int64_t start = now_ms();
    pqp_status status = pqp_acquire(pool, 300, &conn, &err);
    int64_t took = now_ms() - start;
    close_pool(&pool);
    listener_end(&listener);
    assert_int_equal(status, expected);
    assert_in_range(took, expected == PQP_TIMEOUT ? 300 : 0, 900);
    assert_in_range(atomic_load(&listener.accepted), 1, 12);
    /* The client sends the request for TLS and nothing else, whatever the
     * answer is. */
    if (strstr(setting, "sslmode=require") != NULL)
        assert_in_range(listener.heard, 8,
                        (size_t)atomic_load(&listener.accepted) * 8);
    return err;
}
#define REFUSED_BY(reply, ...) refused_by(reply, sizeof(reply) - 1, __VA_ARGS__)

/* Q02 Q13 */
static void connect_times_out_when_peer_never_answers(void **state)
{
    (void)state;
    pqp_error err = refused_by(NULL, 0, "sslmode=require", PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "no answer within 100 ms"));
}

/* Q01 */
static void connect_is_retried_with_back_off_when_port_is_closed(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    struct listener gone;
    listener_start(&gone, NULL, 0);
    listener_end(&gone);
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = listener_dsn(&gone, ""), .max_size = 1,
                    .on_event = record, .arg = &r));
    pqp_conn *conn = NULL;
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 500, &conn, &err), PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "refused"));
    assert_true(event_of(&r, PQP_EVENT_CREATE_FAILED, 0).ms < 100);
    assert_in_range(stats_of(pool).connect_failed, 1, 12);
    close_pool(&pool);
}

/* O08 O09: the client does not go on without encryption. */
static void
connect_fails_when_server_has_no_tls_but_sslmode_requires_it(void **state)
{
    (void)state;
    pqp_error err = REFUSED_BY("N", "sslmode=require", PQP_CONNECT);
    assert_non_null(strstr(err.message, "does not support SSL"));
    err = REFUSED_BY("E\0\0\0\x25SERROR\0C28000\0MCANARY of nobody\0\0",
                     "sslmode=require", PQP_TIMEOUT);
    assert_null(strstr(err.message, "CANARY"));
}

/* Each SQLSTATE comes from the server. */
static void
connect_fails_permanently_when_server_rejects_a_startup_option(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"options='-c work_mem=nonsense'", "22023"},
        {"options='-c nonsense'", "42601"},
        {"options='-c no_such=1'", "42704"},
        {"options='-c port=1'", "55P02"},
        {"client_encoding=nonsense", "22023"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        pqp_pool *pool = open_pool_with(
            PQP_OPTIONS(.conninfo = pg_dsn_with(refused[i][0]), .max_size = 1));
        pqp_conn *conn = NULL;
        pqp_error err;
        assert_int_equal(pqp_acquire(pool, SOON_MS, &conn, &err), PQP_CONNECT);
        assert_string_equal(err.sqlstate, refused[i][1]);
        close_pool(&pool);
    }
}

/* T10 */
static void connect_error_is_classified_when_its_text_is_japanese(void **state)
{
    (void)state;
    pqp_error err = REFUSED_BY("E\0\0\0\x3E"
                               "S致命的エラー\0VFATAL\0C28P01\0"
                               "Mパスワード認証\0\0",
                               "sslmode=disable", PQP_CONNECT);
    assert_string_equal(err.sqlstate, "28P01");
    assert_non_null(strstr(err.message, "パスワード認証"));
}

#define TEST(test) cmocka_unit_test_teardown(test, names_as_ever)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(host_name_is_resolved_again_when_a_connection_is_opened),
        TEST(acquire_and_close_keep_deadlines_when_resolver_hangs),
        TEST(connect_tries_next_host_when_a_server_accepts_no_writes),
        TEST(connect_fails_and_says_read_only_when_server_accepts_no_writes),
        TEST(connect_times_out_when_peer_never_answers),
        TEST(connect_is_retried_with_back_off_when_port_is_closed),
        TEST(connect_fails_when_server_has_no_tls_but_sslmode_requires_it),
        TEST(connect_fails_permanently_when_server_rejects_a_startup_option),
        TEST(connect_error_is_classified_when_its_text_is_japanese),
    };
    return run_with_server(tests);
}
