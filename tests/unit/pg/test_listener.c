/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The reason in the CLOSED event of a session, against a scripted server. */
#include "support_session.h"

#include "pg/listener.h"

#include <stdio.h>

static char last_reason[64];

static void keep_reason(void *arg, const pqp_event *event)
{
    (void)arg;
    if (event->type == PQP_EVENT_CLOSED)
        snprintf(last_reason, sizeof last_reason, "%s", event->reason);
}

/* Returns the reason of the event, when the core gives `reason`. */
static const char *reason_told(rpool_reason reason)
{
    config->options.on_event = keep_reason;
    pqp__core_event(config, &(rpool_event){.type = RPOOL_EVENT_CLOSED,
                                           .reason = reason,
                                           .resource = session});
    return last_reason;
}

/* Only the notice tells it: libpq has not seen the close yet. */
static void
close_reason_names_peer_when_fatal_error_came_before_release(void **state)
{
    (void)state;
    begin("qctpTw", PQP_RESET_ROLLBACK);
    borrower_runs("BEGIN");
    session->tx_error.status = PQP_SERVER; /* from an older failure */
    let_server_go_on();
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_int_equal(PQstatus(session->pg), CONNECTION_OK);
    assert_string_equal(reason_told(RPOOL_REASON_RESET), "closed by the peer");
}

static void
close_reason_names_peer_when_a_statement_found_connection_closed(void **state)
{
    (void)state;
    begin("q", PQP_RESET_ROLLBACK);
    borrower_runs("SELECT");
    assert_int_equal(reset(), RPOOL_DISCARD);
    assert_string_equal(reason_told(RPOOL_REASON_RESET), "closed by the peer");
}

static void
close_reason_names_peer_when_ping_found_connection_closed(void **state)
{
    (void)state;
    begin("q", PQP_RESET_ROLLBACK);
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_string_equal(reason_told(RPOOL_REASON_CHECK), "closed by the peer");
}

static void
close_reason_does_not_name_peer_when_server_is_still_there(void **state)
{
    (void)state;
    begin("qw", PQP_RESET_ROLLBACK);
    config->options.ping_timeout_ms = 10;
    assert_int_equal(check(60000), RPOOL_BAD);
    assert_string_equal(reason_told(RPOOL_REASON_CHECK), "check failed");
    assert_string_equal(reason_told(RPOOL_REASON_RESET),
                        "not reusable after its lease");
    session->server_ended = 1;
    assert_string_equal(reason_told(RPOOL_REASON_DISCARD),
                        "discarded by its borrower");
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(close_reason_names_peer_when_fatal_error_came_before_release),
        TEST(close_reason_names_peer_when_a_statement_found_connection_closed),
        TEST(close_reason_names_peer_when_ping_found_connection_closed),
        TEST(close_reason_does_not_name_peer_when_server_is_still_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
