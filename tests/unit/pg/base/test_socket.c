/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Waiting for a socket: what ends the wait, and when. */
#include "support.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/watch.h"
#include "pg/base/socket.h"

static int pair[2];

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int64_t in_ms(int ms)
{
    return clock_after(clock_now(), ms);
}

static void socket_wait_ends_when_socket_is_readable(void **state)
{
    (void)state;
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(pqp__wait_socket(pair[0], 0, -1, CLOCK_NEVER), 1);
}

static void socket_wait_polls_once_when_deadline_has_passed(void **state)
{
    (void)state;
    assert_int_equal(pqp__wait_socket(pair[0], 0, -1, 0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(pqp__wait_socket(pair[0], 0, -1, 0), 1);
}

static void socket_wait_lasts_until_deadline_when_socket_is_silent(void **state)
{
    (void)state;
    int64_t deadline = in_ms(20);
    assert_int_equal(pqp__wait_socket(pair[0], 0, -1, deadline), 0);
    assert_true(clock_now() >= deadline);
}

static void socket_wait_ends_on_writable_socket_only_when_asked_to(void **state)
{
    (void)state;
    assert_int_equal(pqp__wait_socket(pair[0], 1, -1, 0), 1);
    assert_int_equal(pqp__wait_socket(pair[0], 0, -1, 0), 0);
}

static void
socket_wait_for_write_ends_when_socket_becomes_readable(void **state)
{
    (void)state;
    char block[4096] = {0};
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    while (write(pair[0], block, sizeof block) > 0)
        ;
    assert_int_equal(pqp__wait_socket(pair[0], 1, -1, 0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(pqp__wait_socket(pair[0], 1, -1, CLOCK_NEVER), 1);
}

static void socket_wait_returns_stop_when_socket_is_readable_too(void **state)
{
    (void)state;
    int stop = stop_open();
    assert_true(stop >= 0);
    assert_int_equal(pqp__wait_socket(pair[0], 0, stop, 0), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    stop_raise(stop);
    assert_int_equal(pqp__wait_socket(pair[0], 0, stop, CLOCK_NEVER), -1);
    stop_close(stop);
}

static void socket_wait_ends_when_peer_closes(void **state)
{
    (void)state;
    shutdown(pair[1], SHUT_RDWR);
    assert_int_equal(pqp__wait_socket(pair[0], 0, -1, CLOCK_NEVER), 1);
}

static void socket_wait_fails_at_once_when_descriptor_is_invalid(void **state)
{
    (void)state;
    assert_int_equal(pqp__wait_socket(-1, 0, -1, CLOCK_NEVER), -1);
    int closed = dup(pair[0]);
    close(closed);
    assert_int_equal(pqp__wait_socket(closed, 0, -1, CLOCK_NEVER), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(socket_wait_ends_when_socket_is_readable),
        TEST(socket_wait_polls_once_when_deadline_has_passed),
        TEST(socket_wait_lasts_until_deadline_when_socket_is_silent),
        TEST(socket_wait_ends_on_writable_socket_only_when_asked_to),
        TEST(socket_wait_for_write_ends_when_socket_becomes_readable),
        TEST(socket_wait_returns_stop_when_socket_is_readable_too),
        TEST(socket_wait_ends_when_peer_closes),
        TEST(socket_wait_fails_at_once_when_descriptor_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
