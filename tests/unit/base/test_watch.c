/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The watch and the stop descriptor on real sockets.  A close by the peer is
 * reported once, data is not, and a removed socket is not.
 */
#include "base/watch.h"

#include "harness.h"

#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct watch watch;
static int pair[2];

static int setup(void **state)
{
    (void)state;
    return watch_open(&watch) != 0 ||
           socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            (void)close(pair[i]);
    watch_close(&watch);
    return 0;
}

static int wait_ms(int64_t ms, uint64_t *token)
{
    return watch_wait(&watch, clock_after(clock_now(), ms), token, 1);
}

static void hang_up(void)
{
    (void)close(pair[1]);
    pair[1] = -1;
}

/* C01 */
static void close_by_peer_is_reported_once_when_socket_is_watched(void **state)
{
    (void)state;
    uint64_t token = 0;
    assert_int_equal(watch_add(&watch, pair[0], 12345), 0);
    assert_int_equal(wait_ms(0, &token), 0);
    hang_up();
    assert_int_equal(wait_ms(5000, &token), 1);
    assert_int_equal(token, 12345);
    assert_int_equal(wait_ms(0, &token), 0);
    assert_int_equal(wait_ms(20, &token), 0);
}

static void
close_by_peer_is_reported_when_it_came_before_the_watch(void **state)
{
    (void)state;
    uint64_t token = 0;
    hang_up();
    assert_int_equal(watch_add(&watch, pair[0], 7), 0);
    assert_int_equal(wait_ms(5000, &token), 1);
    assert_int_equal(token, 7);
}

/* E13: data on a busy connection wakes no thread. */
static void data_is_not_reported_when_socket_is_watched(void **state)
{
    (void)state;
    uint64_t token = 0;
    char byte = 'x';
    assert_int_equal(watch_add(&watch, pair[0], 7), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(write(pair[1], &byte, 1), 1);
        assert_int_equal(wait_ms(0, &token), 0);
        assert_int_equal(read(pair[0], &byte, 1), 1);
    }
    assert_int_equal(write(pair[1], &byte, 1), 1);
    hang_up(); /* also with unread data */
    assert_int_equal(wait_ms(5000, &token), 1);
}

static void close_by_peer_is_not_reported_when_watch_was_removed(void **state)
{
    (void)state;
    uint64_t token = 0;
    assert_int_equal(watch_add(&watch, pair[0], 7), 0);
    watch_remove(&watch, pair[0]);
    watch_remove(&watch, pair[0]); /* a second removal does no harm */
    hang_up();
    assert_int_equal(wait_ms(20, &token), 0);
    assert_true(watch_add(&watch, -1, 1) != 0);
}

static void
closes_by_peers_are_all_reported_when_many_come_together(void **state)
{
    (void)state;
    enum { MANY = 100 };
    int end[MANY][2], seen[MANY] = {0}, found = 0;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, end[i]), 0);
        assert_int_equal(watch_add(&watch, end[i][0], (uint64_t)i), 0);
    }
    for (int i = 0; i < MANY; i++)
        (void)close(end[i][1]);
    uint64_t tokens[MANY];
    while (found < MANY) {
        int n = watch_wait(&watch, clock_after(clock_now(), 5000), tokens, 7);
        assert_in_range(n, 1, 7);
        for (int i = 0; i < n; i++)
            seen[tokens[i]]++;
        found += n;
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 1);
        (void)close(end[i][0]);
    }
}

static void watch_wait_ends_when_its_deadline_passes(void **state)
{
    (void)state;
    uint64_t token;
    int64_t deadline = clock_after(clock_now(), 20);
    assert_int_equal(watch_wait(&watch, deadline, &token, 1), 0);
    assert_true(clock_now() >= deadline);
    assert_int_equal(watch_wait(&watch, 0, &token, 1), 0);
}

static void watch_wake_ends_exactly_one_wait_when_sent(void **state)
{
    (void)state;
    uint64_t token;
    for (int i = 0; i < 3; i++)
        watch_wake(&watch); /* several wakes count as one */
    assert_int_equal(watch_wait(&watch, CLOCK_NEVER, &token, 1), 0);
    int64_t before = clock_now();
    assert_int_equal(wait_ms(20, &token), 0);
    assert_true(clock_now() - before >= 20 * CLOCK_MS);
}

static int readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static void stop_descriptor_stays_readable_when_raised(void **state)
{
    (void)state;
    int fd = stop_open();
    assert_true(fd >= 0);
    assert_false(readable(fd));
    stop_raise(fd);
    stop_raise(fd);
    assert_true(readable(fd));
    assert_true(readable(fd));
    stop_close(fd);
}

/* J06 */
static void descriptors_are_close_on_exec_when_opened(void **state)
{
    (void)state;
    int fd = stop_open();
    const int ours[] = {fd, watch.epoll, watch.wake};
    for (int i = 0; i < 3; i++)
        assert_true((fcntl(ours[i], F_GETFD) & FD_CLOEXEC) != 0);
    stop_close(fd);
}

#define WATCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(close_by_peer_is_reported_once_when_socket_is_watched),
        WATCH_TEST(close_by_peer_is_reported_when_it_came_before_the_watch),
        WATCH_TEST(data_is_not_reported_when_socket_is_watched),
        WATCH_TEST(close_by_peer_is_not_reported_when_watch_was_removed),
        WATCH_TEST(closes_by_peers_are_all_reported_when_many_come_together),
        WATCH_TEST(watch_wait_ends_when_its_deadline_passes),
        WATCH_TEST(watch_wake_ends_exactly_one_wait_when_sent),
        WATCH_TEST(stop_descriptor_stays_readable_when_raised),
        WATCH_TEST(descriptors_are_close_on_exec_when_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
