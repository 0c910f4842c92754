/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A worker neither asks at the terminal nor writes to it, whatever files libpq
 * and OpenSSL find.  Each connect runs in a child whose terminal, standard
 * input and output are a pty of the test.
 */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/config/config.h"
#include "pg/session/session.h"
#include "support_mock.h"

enum { LONGEST_MS = 10000, IS_AS_EXPECTED = 7 };

static char dir[] = "/tmp/pqpool-terminal-XXXXXX";
static struct mock *mock;
static struct config *config;

static const char *in_dir(const char *name)
{
    static char paths[4][64];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int shell(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd '%s' && { %s; } >/dev/null 2>&1", dir,
             command);
    return system(line);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(in_dir(name), "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(in_dir(name), mode), 0);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    return shell("umask 077"
                 " && openssl req -x509 -newkey ec -pkeyopt"
                 " ec_paramgen_curve:prime256v1 -nodes -keyout plain.pem"
                 " -out client.crt -subj /CN=client"
                 " && openssl ec -in plain.pem -aes128 -passout pass:opensesame"
                 " -out encrypted.pem"
                 " && openssl pkcs8 -topk8 -in plain.pem"
                 " -passout pass:opensesame -out encrypted8.pem"
                 " && openssl pkcs8 -topk8 -outform DER -in plain.pem"
                 " -passout pass:opensesame -out encrypted.der"
                 " && cat client.crt encrypted.pem >both.pem");
}

static int remove_files(void **state)
{
    (void)state;
    return shell("rm -rf -- * .pgpass") || rmdir(dir);
}

/* ---- a child with a terminal ---- */

struct seen {
    int status; /* the child's status, from waitpid() */
    size_t size;
    char text[2048]; /* what was written to the terminal */
};

static void take_terminal(const char *name)
{
    setsid();
    int fd = open(name, O_RDWR);
    if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
        _exit(1);
    for (int to = 0; to < 3; to++)
        dup2(fd, to);
}

static void read_until_end(int fd, struct seen *seen)
{
    int64_t until = clock_after(clock_now(), LONGEST_MS);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;
    seen->size = 0;
    while (n > 0 && seen->size < sizeof seen->text - 1) {
        int64_t left = until - clock_now();
        if (left <= 0 || poll(&p, 1, (int)(left / CLOCK_MS)) <= 0)
            break;
        n = read(fd, seen->text + seen->size,
                 sizeof seen->text - 1 - seen->size);
        seen->size += n > 0 ? (size_t)n : 0;
    }
    seen->text[seen->size] = '\0';
}

static struct seen run_with_terminal(int (*run)(const char *expected),
                                     const char *expected)
{
    struct seen seen;
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        take_terminal(ptsname(fd));
        _exit(run(expected));
    }
    read_until_end(fd, &seen);
    kill(child, SIGKILL);
    waitpid(child, &seen.status, 0);
    close(fd);
    return seen;
}

/* ---- connects ---- */

static int is_refused_for_good(const char *expected)
{
    void *session;
    rpool_failure why;
    if (!pqp__session_create(config, clock_after(clock_now(), LONGEST_MS), -1,
                             &session, &why))
        return 1;
    return why.permanent && strstr(why.message, expected) ? IS_AS_EXPECTED : 2;
}

static int is_connected(const char *expected)
{
    void *session;
    rpool_failure why;
    (void)expected;
    if (pqp__session_create(config, clock_after(clock_now(), LONGEST_MS), -1,
                            &session, &why))
        return 1;
    pqp__session_destroy(config, session);
    return IS_AS_EXPECTED;
}

static void assert_silent(int (*run)(const char *expected),
                          const char *expected)
{
    struct seen seen = run_with_terminal(run, expected);
    assert_string_equal(seen.text, "");
    assert_true(WIFEXITED(seen.status));
    assert_int_equal(WEXITSTATUS(seen.status), IS_AS_EXPECTED);
}

static void serve(const char *script)
{
    char port[16];
    mock = mock_start(script);
    snprintf(port, sizeof port, "%d", mock_port(mock));
    config = mock_config("127.0.0.1", port);
}

static int tear_down(void **state)
{
    (void)state;
    mock_config_free(config);
    mock_stop(mock);
    return 0;
}

static void use_key(const char *certificate, const char *key)
{
    serve("sS");
    mock_config_set(config, "sslmode", "require");
    mock_config_set(config, "sslcert", in_dir(certificate));
    mock_config_set(config, "sslkey", in_dir(key));
}

/* ---- keys ---- */

static void
connect_fails_without_prompt_when_encrypted_key_has_no_password(void **state)
{
    (void)state;
    static const char *const keys[] = {"encrypted.pem", "encrypted8.pem",
                                       "encrypted.der", "both.pem"};
    for (size_t i = 0; i < LENGTH(keys); i++) {
        use_key(i == 3 ? "both.pem" : "client.crt", keys[i]);
        assert_silent(is_refused_for_good, "private key file");
        if (i + 1 < LENGTH(keys))
            tear_down(NULL);
    }
}

static void
connect_fails_without_prompt_when_key_password_is_empty(void **state)
{
    (void)state;
    use_key("client.crt", "encrypted.pem");
    mock_config_set(config, "sslpassword", "");
    assert_silent(is_refused_for_good, "private key file");
}

static void
connect_fails_without_prompt_when_key_password_is_wrong(void **state)
{
    (void)state;
    use_key("client.crt", "encrypted.pem");
    mock_config_set(config, "sslpassword", "wrong");
    assert_silent(is_refused_for_good, "private key file");
}

/* The mock speaks no TLS: if it gets a message, the key was opened. */
static int opens_the_key(const char *expected)
{
    (void)expected;
    void *session;
    rpool_failure why;
    if (!pqp__session_create(config, clock_after(clock_now(), LONGEST_MS), -1,
                             &session, &why))
        return 1;
    return strstr(why.message, "private key file") ? 2 : IS_AS_EXPECTED;
}

static void encrypted_key_opens_when_conninfo_has_its_password(void **state)
{
    (void)state;
    use_key("client.crt", "encrypted.pem");
    mock_config_set(config, "sslpassword", "opensesame");
    assert_silent(opens_the_key, "");
}

static void encrypted_key_opens_when_service_file_has_its_password(void **state)
{
    (void)state;
    use_key("client.crt", "encrypted.pem");
    write_file("service", "[mine]\nsslpassword=opensesame\n", 0600);
    setenv("PGSERVICEFILE", in_dir("service"), 1);
    mock_config_set(config, "service", "mine");
    assert_silent(opens_the_key, "");
    unsetenv("PGSERVICEFILE");
}

static void key_opens_when_it_is_not_encrypted(void **state)
{
    (void)state;
    use_key("client.crt", "plain.pem");
    assert_silent(opens_the_key, "");
}

/* ---- password files ---- */

static void
password_file_is_ignored_silently_when_other_users_can_read_it(void **state)
{
    (void)state;
    write_file("pass", "*:*:*:*:opensesame\n", 0644);
    serve("so");
    mock_config_set(config, "passfile", in_dir("pass"));
    assert_silent(is_connected, "");
    tear_down(NULL);
    serve("sA3");
    mock_config_set(config, "passfile", in_dir("pass"));
    assert_silent(is_refused_for_good, "others have access to it");
}

static void
password_file_is_ignored_silently_when_it_is_a_directory(void **state)
{
    (void)state;
    char *home = getenv("HOME"), old[256];
    snprintf(old, sizeof old, "%s", home ? home : "/");
    assert_int_equal(mkdir(in_dir(".pgpass"), 0700), 0);
    setenv("HOME", dir, 1);
    serve("sA3");
    assert_silent(is_refused_for_good, "it is not a plain file");
    setenv("HOME", old, 1);
}

static void password_file_is_read_when_only_its_owner_can_read_it(void **state)
{
    (void)state;
    write_file("pass", "*:*:*:*:opensesame\n", 0600);
    serve("sA3jo");
    mock_config_set(config, "passfile", in_dir("pass"));
    assert_silent(is_connected, "");
    assert_true(mock_heard(mock, "opensesame"));
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connect_fails_without_prompt_when_encrypted_key_has_no_password),
        TEST(connect_fails_without_prompt_when_key_password_is_empty),
        TEST(connect_fails_without_prompt_when_key_password_is_wrong),
        TEST(encrypted_key_opens_when_conninfo_has_its_password),
        TEST(encrypted_key_opens_when_service_file_has_its_password),
        TEST(key_opens_when_it_is_not_encrypted),
        TEST(password_file_is_ignored_silently_when_other_users_can_read_it),
        TEST(password_file_is_ignored_silently_when_it_is_a_directory),
        TEST(password_file_is_read_when_only_its_owner_can_read_it),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
