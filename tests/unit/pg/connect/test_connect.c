/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Connecting to servers that answer, refuse, are silent or send nonsense.  All
 * timeouts are a minute, except those that a test waits for. */
#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/watch.h"
#include "pg/config/config.h"
#include "pg/config/secrets.h"
#include "pg/session/session.h"
#include "support_mock.h"

/* Milliseconds that a mock needs to answer on a busy machine. */
enum { FOR_AN_ANSWER = 200 };

static struct mock *mocks[2];
static struct config *config;
static rpool_failure why;
static int64_t began, deadline;
static int stop_fd;
static char last_notice[512];

static void keep_notice(void *arg, const pqp_event *event)
{
    (void)arg;
    if (event->type == PQP_EVENT_NOTICE)
        snprintf(last_notice, sizeof last_notice, "%s %s", event->sqlstate,
                 event->message);
}

/* Starts servers with these scripts, as the hosts of the config. */
static void serve(const char *first, const char *second)
{
    char ports[32];
    mocks[0] = mock_start(first);
    mocks[1] = second ? mock_start(second) : NULL;
    snprintf(ports, sizeof ports, second ? "%d,%d" : "%d", mock_port(mocks[0]),
             second ? mock_port(mocks[1]) : 0);
    config = mock_config(second ? "127.0.0.1,127.0.0.1" : "127.0.0.1", ports);
    config->options.on_event = keep_notice;
}

static int set_up(void **state)
{
    (void)state;
    mocks[0] = mocks[1] = NULL;
    config = NULL;
    deadline = clock_after(clock_now(), 60000);
    stop_fd = -1;
    last_notice[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mock_config_free(config);
    for (int i = 0; i < 2; i++) {
        if (mocks[i])
            mock_stop(mocks[i]);
    }
    return 0;
}

static struct session *connect_now(void)
{
    void *resource = NULL;
    began = clock_now();
    int status =
        pqp__session_create(config, deadline, stop_fd, &resource, &why);
    assert_int_equal(status != 0, resource == NULL);
    return resource;
}

static void assert_connected_to(int port)
{
    struct session *session = connect_now();
    assert_non_null(session);
    int connected = (int)strtol(PQport(session->pg), NULL, 10);
    ConnStatusType status = PQstatus(session->pg);
    pqp__session_destroy(config, session);
    assert_int_equal(status, CONNECTION_OK);
    assert_int_equal(connected, port);
}

/* `code` may be "".  `word` is a part of the message. */
static void assert_refused(const char *code, int permanent, const char *word)
{
    assert_null(connect_now());
    assert_string_equal(why.code, code);
    assert_int_equal(why.permanent, permanent);
    assert_non_null(strstr(why.message, word));
    assert_null(strpbrk(why.message, "\n\t"));
}

static void assert_took_ms(int least, int most)
{
    int64_t took = clock_now() - began;
    assert_true(took >= least * CLOCK_MS);
    assert_true(took <= most * CLOCK_MS);
}

/* ---- a server that answers ---- */

static void
session_has_libpq_defaults_and_pqpool_name_when_connected(void **state)
{
    (void)state;
    serve("sow", NULL);
    struct session *session = connect_now();
    assert_non_null(session);
    PGconn *pg = session->pg;
    int pid = session->pid, nonblocking = PQisnonblocking(pg);
    int encoding = session->encoding == PQclientEncoding(pg);
    PGVerbosity verbosity = PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
    int watched = pqp__session_fd(config, session) == PQsocket(pg);
    pqp__session_destroy(config, session);
    assert_int_equal(pid, 7);
    assert_false(nonblocking);
    assert_true(encoding);
    assert_int_equal(verbosity, PQERRORS_DEFAULT);
    assert_true(watched);
    assert_true(mock_heard(mocks[0], "pqpool"));
}

static int tcp_option(const struct session *session, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    (void)getsockopt(PQsocket(session->pg), IPPROTO_TCP, option, &value, &size);
    return value;
}

static void
tcp_user_timeout_is_unset_when_conninfo_does_not_set_it(void **state)
{
    (void)state;
    serve("so", NULL);
    struct session *session = connect_now();
    assert_non_null(session);
    int timeout = tcp_option(session, TCP_USER_TIMEOUT);
    int idle = tcp_option(session, TCP_KEEPIDLE);
    int interval = tcp_option(session, TCP_KEEPINTVL);
    int count = tcp_option(session, TCP_KEEPCNT);
    pqp__session_destroy(config, session);
    assert_int_equal(timeout, 0);
    assert_int_equal(idle + interval * count, 60);
    mock_config_set(config, "tcp_user_timeout", "7000");
    session = connect_now();
    assert_non_null(session);
    timeout = tcp_option(session, TCP_USER_TIMEOUT);
    pqp__session_destroy(config, session);
    assert_int_equal(timeout, 7000);
}

static void application_name_of_user_is_sent_when_conninfo_sets_it(void **state)
{
    (void)state;
    serve("sow", NULL);
    mock_config_set(config, "application_name", "mine");
    assert_connected_to(mock_port(mocks[0]));
    assert_true(mock_heard(mocks[0], "mine"));
    assert_false(mock_heard(mocks[0], "pqpool"));
}

static void
application_name_of_environment_is_sent_when_PGAPPNAME_is_set(void **state)
{
    (void)state;
    serve("sow", NULL);
    setenv("PGAPPNAME", "theirs", 1);
    struct session *session = connect_now();
    unsetenv("PGAPPNAME");
    assert_non_null(session);
    pqp__session_destroy(config, session);
    assert_true(mock_heard(mocks[0], "theirs"));
    assert_false(mock_heard(mocks[0], "pqpool"));
}

/* T01 */
static void
notice_event_is_emitted_when_notice_comes_while_connecting(void **state)
{
    (void)state;
    serve("sknzw", NULL);
    stderr_catch();
    struct session *session = connect_now();
    size_t caught = stderr_caught();
    assert_non_null(session);
    pqp__session_destroy(config, session);
    assert_string_equal(last_notice, "00000 two lines");
    assert_int_equal(caught, 0);
}

/* ---- a server that refuses ---- */

/* O14 */
static void
connect_fails_permanently_when_server_rejects_login_or_database(void **state)
{
    (void)state;
    serve("sP sD", NULL);
    assert_refused("28P01", 1, "the server says no");
    assert_null(strstr(why.message, "28P01"));
    assert_refused("3D000", 1, "the server says no");
}

static void
connect_error_names_host_and_address_when_connect_fails(void **state)
{
    (void)state;
    char text[64];
    serve("sP", NULL);
    mock_config_set(config, "host", "localhost");
    assert_refused("28P01", 1, "at \"localhost\" (127.0.0.1), port");
    mock_config_set(config, "host", "127.0.0.1");
    assert_refused("28P01", 1, "at \"127.0.0.1\", port");
    int port = mock_closed_port();
    snprintf(text, sizeof text, "%d,%d", port, port);
    mock_config_set(config, "port", text);
    mock_config_set(config, "host", "one,two");
    mock_config_set(config, "hostaddr", "127.0.0.1,127.0.0.1");
    assert_refused("", 0, "at \"one\" (127.0.0.1), port");
    assert_non_null(strstr(why.message, "at \"two\" (127.0.0.1), port"));
}

/* Each address has its own part, and libpq's hints take no room. */
static void
connect_error_lists_addresses_without_hints_when_all_refuse(void **state)
{
    (void)state;
    char text[256], list[64];
    serve("s", NULL);
    int port = mock_closed_port();
    snprintf(list, sizeof list, "%d,%d", port, port);
    mock_config_set(config, "port", list);
    mock_config_set(config, "host", "127.0.0.1,127.0.0.1");
    mock_config_set(config, "hostaddr", "127.0.0.1,127.0.0.1");
    snprintf(
        text, sizeof text,
        "connection to server at \"127.0.0.1\", port %d failed: Connection "
        "refused; connection to server at \"127.0.0.1\", port %d failed: "
        "Connection refused",
        port, port);
    assert_refused("", 0, text);
    assert_string_equal(why.message, text);
}

static void password_is_hidden_when_it_comes_from_the_environment(void **state)
{
    (void)state;
    serve("sP sknzw", NULL);
    setenv("PGPASSWORD", "server says", 1);
    assert_refused("28P01", 1, "the *** no");
    setenv("PGPASSWORD", "two\nlines", 1);
    struct session *session = connect_now();
    unsetenv("PGPASSWORD");
    assert_non_null(session);
    pqp__session_destroy(config, session);
    assert_string_equal(last_notice, "00000 ***");
    char text[64];
    pqp__clean_text(config, text, sizeof text, "the server says: two\nlines");
    assert_string_equal(text, "the ***: ***");
}

static void
password_is_hidden_for_each_host_when_it_comes_from_a_passfile(void **state)
{
    (void)state;
    char path[] = "/tmp/pqpool-passfile-XXXXXX", lines[128];
    serve("sU", "sU");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(lines, sizeof lines, "*:%d:*:*:first one\n*:%d:*:*:server says\n",
             mock_port(mocks[0]), mock_port(mocks[1]));
    ssize_t wrote = write(fd, lines, strlen(lines));
    close(fd);
    mock_config_set(config, "passfile", path);
    struct session *session = connect_now();
    unlink(path);
    assert_int_equal(wrote, strlen(lines));
    assert_null(session);
    assert_non_null(strstr(why.message, "the *** no"));
    char text[64];
    pqp__clean_text(config, text, sizeof text, "the first one");
    assert_string_equal(text, "the ***");
}

/* P02 */
static void connect_failure_is_transient_when_server_is_starting(void **state)
{
    (void)state;
    serve("sU so", NULL);
    assert_refused("57P03", 0, "the server says no");
    assert_connected_to(mock_port(mocks[0]));
}

/* T09 */
static void connect_error_has_message_but_no_code_when_server_sends_no_sqlstate(
    void **state)
{
    (void)state;
    serve("sX", NULL);
    assert_refused("", 0, "no code at all");
}

/* Q11 */
static void connect_failure_is_transient_when_server_sends_garbage(void **state)
{
    (void)state;
    serve("sg", NULL);
    assert_refused("", 0, "127.0.0.1");
}

/* Q01 */
static void connect_fails_at_once_when_port_is_closed(void **state)
{
    (void)state;
    serve("sow", NULL);
    int port = mock_closed_port();
    char text[16];
    snprintf(text, sizeof text, "%d", port);
    mock_config_set(config, "port", text);
    assert_refused("", 0, text);
    assert_took_ms(0, 5000);
}

static void
connect_fails_permanently_when_libpq_rejects_a_parameter(void **state)
{
    (void)state;
    serve("sow", NULL);
    mock_config_set(config, "target_session_attrs", "nonsense");
    assert_refused("", 1, "target_session_attrs");
    assert_int_equal(mock_accepted(mocks[0]), 0);
}

static void
connect_fails_permanently_when_an_environment_variable_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"PGTARGETSESSIONATTRS", "nonsense", "target_session_attrs"},
        {"PGCHANNELBINDING", "nonsense", "channel_binding"},
        {"PGSERVICE", "no-such-service", "no-such-service"},
    };
    serve("sow", NULL);
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        setenv(wrong[i][0], wrong[i][1], 1);
        assert_refused("", 1, wrong[i][2]);
        unsetenv(wrong[i][0]);
    }
    assert_connected_to(mock_port(mocks[0]));
}

static void
connect_failure_is_transient_when_unix_socket_is_missing(void **state)
{
    (void)state;
    serve("sow", NULL);
    mock_config_set(config, "host", "/no/such/folder");
    assert_refused("", 0, "/no/such/folder");
}

/* ---- several hosts ---- */

/* Connects to a pair of servers that both refuse, and checks the error. */
static void assert_both_refuse(const char *first, const char *second,
                               const char *code, int permanent)
{
    char text[2][64];
    serve(first, second);
    config->options.connect_timeout_ms = FOR_AN_ANSWER;
    mock_config_set(config, "host", "one,two");
    mock_config_set(config, "hostaddr", "127.0.0.1,127.0.0.1");
    assert_null(connect_now());
    assert_string_equal(why.code, code);
    assert_int_equal(why.permanent, permanent);
    for (int i = 0; i < 2; i++)
        snprintf(text[i], sizeof text[i], "\"%s\" (127.0.0.1), port %d",
                 i ? "two" : "one", mock_port(mocks[i]));
    const char *one = strstr(why.message, text[0]);
    const char *two = strstr(why.message, text[1]);
    assert_true(one && two && one < two);
    tear_down(NULL);
    set_up(NULL);
}

/* B24 */
static void connect_failure_is_permanent_only_when_every_host_fails_permanently(
    void **state)
{
    (void)state;
    assert_both_refuse("s(28000:no)", "s(28P01:no)", "28P01", 1);
    assert_both_refuse("s(28000:no)", "s", "28000", 0);
    assert_both_refuse("s", "s(28000:no)", "28000", 0);
    assert_both_refuse("s(28000:no)", "w", "28000", 0);
    assert_both_refuse("w", "s(28000:no)", "28000", 0);
    assert_both_refuse("s(28000:no)", "sU", "57P03", 0);
    assert_both_refuse("sU", "s(28000:no)", "57P03", 0);
    assert_both_refuse("sA3", "sX", "", 0);
    assert_both_refuse("sA3", "sP", "28P01", 1);
}

static void second_host_serves_when_first_fails_permanently(void **state)
{
    (void)state;
    serve("s(28000:no_entry_while_it_is_fenced)", "so");
    assert_connected_to(mock_port(mocks[1]));
}

static void
host_list_is_tried_twice_when_standby_is_preferred_but_missing(void **state)
{
    (void)state;
    serve("sHz", "sHz");
    mock_config_set(config, "target_session_attrs", "prefer-standby");
    assert_connected_to(mock_port(mocks[0]));
    assert_int_equal(mock_accepted(mocks[0]), 2);
    assert_int_equal(mock_accepted(mocks[1]), 1);
}

/* ---- a server that is silent ---- */

/* Q13 */
static void connect_times_out_when_server_is_silent(void **state)
{
    (void)state;
    serve("w", NULL);
    config->options.connect_timeout_ms = 30;
    assert_refused("", 0, "no answer within 30 ms");
    assert_took_ms(30, 5000);
}

/* Q12 */
static void connect_times_out_when_server_sends_one_byte_at_a_time(void **state)
{
    (void)state;
    serve("sd", NULL);
    config->options.connect_timeout_ms = 60;
    assert_refused("", 0, "no answer within 60 ms");
    assert_took_ms(60, 5000);
}

/* B24 */
static void second_address_serves_when_first_is_silent(void **state)
{
    (void)state;
    serve("w", "sow");
    config->options.connect_timeout_ms = FOR_AN_ANSWER;
    assert_connected_to(mock_port(mocks[1]));
    assert_took_ms(FOR_AN_ANSWER, 5000);
    assert_int_equal(mock_accepted(mocks[0]), 1);
}

/* Together they take longer than one address may. */
static void connect_timeout_starts_anew_when_next_address_is_tried(void **state)
{
    (void)state;
    serve("slU", "slow");
    config->options.connect_timeout_ms = 2 * FOR_AN_ANSWER;
    assert_connected_to(mock_port(mocks[1]));
    assert_int_equal(mock_accepted(mocks[1]), 1);
}

static void second_address_serves_when_first_refuses(void **state)
{
    (void)state;
    serve("sU", "sow");
    assert_connected_to(mock_port(mocks[1]));
}

/* P16 */
static void
connect_keeps_its_deadline_when_all_addresses_are_silent(void **state)
{
    (void)state;
    serve("w", "w");
    deadline = clock_after(clock_now(), 40);
    assert_refused("", 0, "no answer within");
    assert_took_ms(0, 5000);
    assert_true(clock_now() >= deadline);
    assert_int_equal(mock_accepted(mocks[1]), 0);
}

static void
connect_error_has_sqlstate_when_one_server_refuses_and_one_is_silent(
    void **state)
{
    (void)state;
    serve("sU", "w");
    deadline = clock_after(clock_now(), FOR_AN_ANSWER);
    assert_refused("57P03", 0, "the server says no");
}

/* The same holds for the service file, because libpq merges both. */
static void
connect_timeout_of_environment_applies_when_no_other_is_set(void **state)
{
    (void)state;
    serve("w", NULL);
    config->timeout_is_open = 1;
    setenv("PGCONNECT_TIMEOUT", "1", 1);
    assert_refused("", 0, "no answer within 1000 ms");
    config->timeout_is_open = 0;
    config->options.connect_timeout_ms = 30;
    assert_refused("", 0, "no answer within 30 ms");
    unsetenv("PGCONNECT_TIMEOUT");
}

static void connect_fails_permanently_when_timeout_is_no_number(void **state)
{
    (void)state;
    serve("sow", NULL);
    config->timeout_is_open = 1;
    setenv("PGCONNECT_TIMEOUT", "1s", 1);
    assert_refused("", 1, "connect_timeout must be a number of seconds");
    unsetenv("PGCONNECT_TIMEOUT");
    assert_connected_to(mock_port(mocks[0]));
}

/* ---- stop ---- */

static void connect_ends_at_once_when_stop_is_raised(void **state)
{
    (void)state;
    serve("w", NULL);
    stop_fd = stop_open();
    stop_raise(stop_fd);
    struct session *session = connect_now();
    stop_close(stop_fd);
    assert_null(session);
    assert_int_equal(why.permanent, 0);
    assert_string_equal(why.message, "cannot connect: the pool is closing");
    assert_took_ms(0, 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(session_has_libpq_defaults_and_pqpool_name_when_connected),
        TEST(tcp_user_timeout_is_unset_when_conninfo_does_not_set_it),
        TEST(application_name_of_user_is_sent_when_conninfo_sets_it),
        TEST(application_name_of_environment_is_sent_when_PGAPPNAME_is_set),
        TEST(notice_event_is_emitted_when_notice_comes_while_connecting),
        TEST(connect_fails_permanently_when_server_rejects_login_or_database),
        TEST(connect_error_names_host_and_address_when_connect_fails),
        TEST(connect_error_lists_addresses_without_hints_when_all_refuse),
        TEST(password_is_hidden_when_it_comes_from_the_environment),
        TEST(password_is_hidden_for_each_host_when_it_comes_from_a_passfile),
        TEST(connect_failure_is_transient_when_server_is_starting),
        TEST(
            connect_error_has_message_but_no_code_when_server_sends_no_sqlstate),
        TEST(connect_failure_is_transient_when_server_sends_garbage),
        TEST(connect_fails_at_once_when_port_is_closed),
        TEST(connect_fails_permanently_when_libpq_rejects_a_parameter),
        TEST(connect_fails_permanently_when_an_environment_variable_is_wrong),
        TEST(connect_failure_is_transient_when_unix_socket_is_missing),
        TEST(
            connect_failure_is_permanent_only_when_every_host_fails_permanently),
        TEST(second_host_serves_when_first_fails_permanently),
        TEST(host_list_is_tried_twice_when_standby_is_preferred_but_missing),
        TEST(connect_times_out_when_server_is_silent),
        TEST(connect_times_out_when_server_sends_one_byte_at_a_time),
        TEST(second_address_serves_when_first_is_silent),
        TEST(connect_timeout_starts_anew_when_next_address_is_tried),
        TEST(second_address_serves_when_first_refuses),
        TEST(connect_keeps_its_deadline_when_all_addresses_are_silent),
        TEST(
            connect_error_has_sqlstate_when_one_server_refuses_and_one_is_silent),
        TEST(connect_timeout_of_environment_applies_when_no_other_is_set),
        TEST(connect_fails_permanently_when_timeout_is_no_number),
        TEST(connect_ends_at_once_when_stop_is_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
