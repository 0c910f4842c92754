/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "support_session.h"

#include <stdio.h>

#include "base/clock.h"
#include "pg/base/socket.h"
#include "pg/session/check.h"
#include "pg/session/reset.h"

struct mock *mock;
struct config *config;
struct session *session;
int notices;

static void count_notice(void *arg, const pqp_event *event)
{
    (void)arg;
    notices += event->type == PQP_EVENT_NOTICE;
}

int64_t in_ms(int ms)
{
    return clock_after(clock_now(), ms);
}

static void start(const char *log_in, const char *script, pqp_reset how)
{
    char ports[16], whole[64];
    snprintf(whole, sizeof whole, "%s%s", log_in, script);
    mock = mock_start(whole);
    snprintf(ports, sizeof ports, "%d", mock_port(mock));
    config = mock_config("127.0.0.1", ports);
    config->options.reset = how;
    config->options.on_event = count_notice;
    notices = 0;
}

static void connect_session(void)
{
    void *resource = NULL;
    rpool_failure why;
    assert_int_equal(
        pqp__session_create(config, in_ms(60000), -1, &resource, &why), 0);
    session = resource;
    session->touched = 1; /* the tests use its PGconn, as after pqp_pgconn() */
}

void begin(const char *script, pqp_reset how)
{
    start("so", script, how);
    connect_session();
}

void begin_on_primary(const char *wanted, const char *script)
{
    start("skYVz", script, PQP_RESET_ROLLBACK);
    if (wanted)
        mock_config_set(config, "target_session_attrs", wanted);
    connect_session();
}

int tear_down(void **state)
{
    (void)state;
    if (session)
        pqp__session_destroy(config, session);
    session = NULL;
    mock_stop(mock);
    mock_config_free(config);
    return 0;
}

int check(int ms)
{
    return pqp__session_check(config, session, 0, in_ms(ms));
}

int check_at_once(void)
{
    return pqp__session_check(config, session, 0, 0);
}

int reset(void)
{
    return pqp__session_reset(config, session);
}

void let_server_go_on(void)
{
    mock_go_on(mock);
    assert_int_equal(
        pqp__wait_socket(PQsocket(session->pg), 0, -1, in_ms(60000)), 1);
}

void borrower_runs(const char *sql)
{
    PQclear(PQexec(session->pg, sql));
}
