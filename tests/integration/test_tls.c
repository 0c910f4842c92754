/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * TLS: which certificates are accepted, which are refused and how often the
 * pool retries, and sessions over TLS.  The server's certificate is for
 * localhost and 127.0.0.1, signed by the authority in PQPOOL_TEST_CA.
 */
#include "support_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_admin.h"

/* ---- files ---- */

static char dir[] = "/tmp/pqpool-tls.XXXXXX";

/* Returns the path of a file in the test's directory, in a static buffer. */
static const char *in_dir(const char *name)
{
    static char paths[4][64];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* Runs a shell command in the test's directory. */
static int shell(const char *command)
{
    char line[2048];
    (void)snprintf(line, sizeof line, "cd '%s' && { %s; } >/dev/null 2>&1", dir,
                   command);
    return system(line) == 0 ? 0 : -1;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_dir(name), "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Creates the server's authority and another authority. */
static int make_files(void **state)
{
    (void)state;
    const char *ca = getenv("PQPOOL_TEST_CA");
    char copy[512] = "";
    if (mkdtemp(dir) == NULL)
        return -1;
    if (ca != NULL)
        (void)snprintf(copy, sizeof copy, "cp '%s' ca.crt &&", ca);
    else
        write_file("ca.crt", admin("SELECT pg_read_file('ca.crt')"));
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "%s openssl req -x509 -newkey ec -pkeyopt "
                   "ec_paramgen_curve:prime256v1 -nodes -keyout other.key "
                   "-out other.crt -subj '/CN=nobody'",
                   copy);
    return shell(command);
}

static int remove_files(void **state)
{
    (void)state;
    return shell("rm -f -- *") == 0 ? rmdir(dir) : -1;
}

/* ---- connecting ---- */

__attribute__((format(printf, 1, 2))) static const char *
dsn_with(const char *format, ...)
{
    char settings[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(settings, sizeof settings, format, args);
    va_end(args);
    return pg_dsn_with(settings);
}

/* Returns the server's IP address. */
static const char *server_address(void)
{
    static char address[64];
    PGconn *pg = PQconnectdb(pg_dsn());
    (void)snprintf(address, sizeof address, "%s", PQhostaddr(pg));
    PQfinish(pg);
    return address;
}

/* Returns not 0 if libpq and the server both say that the session uses TLS. */
static int works_over_tls(const char *dsn)
{
    pqp_pool *pool = open_pool_with(PQP_OPTIONS(.conninfo = dsn));
    pqp_conn *conn = borrow(pool);
    int ours = PQsslInUse(pqp_pgconn(conn));
    const char *theirs =
        ask(conn, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    pqp_release(&conn);
    close_pool(&pool);
    return ours && strcmp(theirs, "t") == 0;
}

/* Returns the error of an acquire from a pool that wants two connections. */
static pqp_error refusal(const char *dsn, pqp_status expected)
{
    pqp_pool *pool = open_pool_with(
        PQP_OPTIONS(.conninfo = dsn, .max_size = 2, .min_size = 2));
    pqp_conn *conn = NULL;
    pqp_error err;
    int64_t start = now_ms();
    pqp_status status = pqp_acquire(pool, 500, &conn, &err);
    pause_ms((int)(start + 500 - now_ms()));
    uint64_t failed = stats_of(pool).connect_failed;
    close_pool(&pool);
    assert_int_equal(status, expected);
    /* more than 12 happens once in 10^8, by the jitter */
    assert_in_range(failed, 1, 12);
    return err;
}

/* O01 */
static void
connect_fails_permanently_when_certificate_authority_is_unknown(void **state)
{
    (void)state;
    static const char *const modes[] = {"verify-ca", "verify-full"};
    for (int i = 0; i < 2; i++) {
        pqp_error err = refusal(dsn_with("sslmode=%s sslrootcert=%s", modes[i],
                                         in_dir("other.crt")),
                                PQP_CONNECT);
        assert_non_null(strstr(err.message, "certificate verify failed"));
    }
}

/* O02 */
static void connect_fails_when_verify_full_meets_another_host_name(void **state)
{
    (void)state;
    const char *full =
        dsn_with("sslmode=verify-full sslrootcert=%s host=other.test "
                 "hostaddr=%s",
                 in_dir("ca.crt"), server_address());
    pqp_error err = refusal(full, PQP_CONNECT);
    assert_non_null(strstr(err.message, "does not match host name"));
    assert_true(works_over_tls(dsn_with("sslmode=verify-ca sslrootcert=%s "
                                        "host=other.test hostaddr=%s",
                                        in_dir("ca.crt"), server_address())));
}

static void
connect_succeeds_when_host_name_and_authority_are_right(void **state)
{
    (void)state;
    assert_true(works_over_tls(
        dsn_with("sslmode=verify-full sslrootcert=%s", in_dir("ca.crt"))));
}

/* O04 */
static void connect_fails_when_verify_full_has_no_authority_file(void **state)
{
    (void)state;
    pqp_error err =
        refusal(dsn_with("sslmode=verify-full sslrootcert=%s", in_dir("none")),
                PQP_CONNECT);
    assert_non_null(strstr(err.message, "does not exist"));
    assert_true(works_over_tls(
        dsn_with("sslmode=require sslrootcert=%s", in_dir("none"))));
}

/* O07 */
static void
connect_fails_when_verify_full_has_an_address_but_no_host_name(void **state)
{
    (void)state;
    pqp_error err = refusal(dsn_with("sslmode=verify-full sslrootcert=%s "
                                     "host='' hostaddr=%s",
                                     in_dir("ca.crt"), server_address()),
                            PQP_CONNECT);
    assert_non_null(strstr(err.message, "host name must be specified"));
}

/* O13 */
static void
connect_fails_when_channel_binding_is_required_without_tls(void **state)
{
    (void)state;
    assert_true(works_over_tls(pg_dsn_with("channel_binding=require")));
    pqp_error err = refusal(
        pg_dsn_with("channel_binding=require sslmode=disable"), PQP_CONNECT);
    assert_non_null(strstr(err.message, "channel binding"));
}

static int has_newest_tls(void *version)
{
    return strcmp(admin("SHOW ssl_max_protocol_version"), version) == 0;
}

static int own_versions_again(void **state)
{
    (void)state;
    char any[] = "";
    (void)admin("ALTER SYSTEM RESET ssl_max_protocol_version");
    (void)admin("SELECT pg_reload_conf()");
    return becomes(has_newest_tls, any) ? 0 : -1;
}

static void
connect_fails_permanently_when_no_tls_version_is_common(void **state)
{
    (void)state;
    char newest[] = "TLSv1.2";
    (void)admin("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'");
    (void)admin("SELECT pg_reload_conf()");
    assert_true(becomes(has_newest_tls, newest));
    pqp_error err =
        refusal(pg_dsn_with("ssl_min_protocol_version=TLSv1.3"), PQP_CONNECT);
    assert_non_null(strstr(err.message, "protocol version"));
}

/* ---- sessions ---- */

/* C05: libpq may have read TLS records ahead, and the socket may be empty. */
static void large_results_and_pings_succeed_when_session_uses_tls(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .ping_always = 1);
    for (int i = 0; i < 20; i++) {
        pqp_conn *conn = borrow(pool);
        assert_true(PQsslInUse(pqp_pgconn(conn)));
        PQP_AUTO_RESULT res = NULL;
        assert_int_equal(
            pqp_exec_params(conn,
                            PQP_QUERY(.sql = "SELECT repeat('x', 16000 + n)"
                                             " FROM generate_series(1, 100) n",
                                      .timeout_ms = SOON_MS),
                            &res, NULL),
            PQP_OK);
        assert_int_equal(PQntuples(res), 100);
        assert_int_equal(PQgetlength(res, 99, 0), 16100);
        assert_string_equal(ask(conn, "SELECT 1"), "1");
        pqp_release(&conn);
    }
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.created, 1);
    assert_int_equal(stats.closed, 0);
    assert_int_equal(stats.pinged, 20);
    close_pool(&pool);
}

/* ---- the server's certificate ---- */

/* Copies the file `name` to the server's data directory. */
static void send_to_server(const char *name)
{
    char pem[4096], sql[6000];
    FILE *file = fopen(in_dir(name), "r");
    assert_non_null(file);
    size_t size = fread(pem, 1, sizeof pem - 1, file);
    (void)fclose(file);
    pem[size] = '\0';
    (void)snprintf(sql, sizeof sql,
                   "DO $$BEGIN EXECUTE format('COPY (SELECT line FROM "
                   "string_to_table(%%L, E''\\n'') line) TO %%L', '%s', "
                   "current_setting('data_directory') || '/%s'); END$$",
                   pem, name);
    (void)admin(sql);
}

/* Makes a certificate for the server's key, signed by the other authority.
 * With 0 days it expires at once (OpenSSL 3.4 and later refuse -1). */
static void make_certificate(const char *name, int days)
{
    write_file("server.crt", admin("SELECT pg_read_file('server.crt')"));
    char command[800];
    (void)snprintf(
        command, sizeof command,
        "openssl x509 -in server.crt -pubkey -noout -out public.pem"
        " && openssl req -new -key other.key -subj /CN=localhost -out r.csr"
        " && printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' > ext"
        " && openssl x509 -req -in r.csr -force_pubkey public.pem"
        " -CA other.crt -CAkey other.key -set_serial 7 -days %d"
        " -extfile ext -out %s",
        days, name);
    assert_int_equal(shell(command), 0);
    send_to_server(name);
}

static int names_certificate(void *name)
{
    return strcmp(admin("SHOW ssl_cert_file"), name) == 0;
}

static void use_certificate(const char *certificate)
{
    char name[32], sql[128];
    (void)snprintf(name, sizeof name, "%s", certificate);
    (void)snprintf(sql, sizeof sql, "ALTER SYSTEM SET ssl_cert_file = '%s'",
                   name);
    (void)admin(sql);
    (void)admin("SELECT pg_reload_conf()");
    assert_true(becomes(names_certificate, name));
}

static int own_certificate_again(void **state)
{
    (void)state;
    char own[] = "server.crt";
    (void)admin("ALTER SYSTEM RESET ssl_cert_file");
    (void)admin("COPY (SELECT 1) TO PROGRAM 'rm -f new.crt late.crt'");
    (void)admin("SELECT pg_reload_conf()");
    return becomes(names_certificate, own) ? 0 : -1;
}

/* O17 O03: open sessions stay; a new session gets the new certificate, and
 * verifies it if asked to. */
static void
only_new_sessions_verify_certificate_when_server_changed_it(void **state)
{
    (void)state;
    const char *verify =
        dsn_with("sslmode=verify-full sslrootcert=%s", in_dir("ca.crt"));
    make_certificate("new.crt", 2);
    make_certificate("late.crt", 0);
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = verify, .max_size = 2));
    pqp_conn *old = borrow(pool), *new = NULL;
    use_certificate("new.crt");
    pqp_error err;
    assert_int_equal(pqp_acquire(pool, 300, &new, &err), PQP_TIMEOUT);
    assert_non_null(strstr(err.message, "certificate verify failed"));
    assert_string_equal(ask(old, "SELECT 1"), "1");
    pqp_release(&old);
    close_pool(&pool);
    verify =
        dsn_with("sslmode=verify-full sslrootcert=%s", in_dir("other.crt"));
    assert_true(works_over_tls(verify));
    use_certificate("late.crt");
    err = refusal(verify, PQP_CONNECT);
    assert_non_null(strstr(err.message, "certificate verify failed"));
    assert_true(works_over_tls(pg_dsn_with("sslmode=require")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            connect_fails_permanently_when_certificate_authority_is_unknown),
        cmocka_unit_test(
            connect_fails_when_verify_full_meets_another_host_name),
        cmocka_unit_test(
            connect_succeeds_when_host_name_and_authority_are_right),
        cmocka_unit_test(connect_fails_when_verify_full_has_no_authority_file),
        cmocka_unit_test(
            connect_fails_when_verify_full_has_an_address_but_no_host_name),
        cmocka_unit_test(
            connect_fails_when_channel_binding_is_required_without_tls),
        cmocka_unit_test_teardown(
            connect_fails_permanently_when_no_tls_version_is_common,
            own_versions_again),
        cmocka_unit_test(large_results_and_pings_succeed_when_session_uses_tls),
        cmocka_unit_test_teardown(
            only_new_sessions_verify_certificate_when_server_changed_it,
            own_certificate_again),
    };
    if (server_missing())
        return server_missing();
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
