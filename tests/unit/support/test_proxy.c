/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The fault proxy between two sockets of the test. */
#include "support_route.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "socket.h"

#define START_UP "\0\0\0\12\0\3\0\0u\0"
#define READY    "Z\0\0\0\5I"
#define ROW      "D\0\0\0\10rows"

static void proxy_passes_bytes_and_fin_when_it_has_no_rule(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, BOTH_WAYS, NULL);
    SAY(r.client, "to the server");
    HEAR(r.server, "to the server");
    SAY(r.server, "to the client");
    HEAR(r.client, "to the client");
    assert_int_equal(proxy_accepted(r.proxy), 1);
    assert_int_equal(proxy_bytes(r.proxy, 1, TO_SERVER), 13);

    (void)shutdown(r.client, SHUT_WR);
    hear_fin(r.server);
    SAY(r.server, "more");
    HEAR(r.client, "more");
    (void)shutdown(r.server, SHUT_WR);
    hear_fin(r.client);
    assert_true(proxy_wait_open(r.proxy, 0, SOON_MS));
    route_close(&r);
}

static void proxy_passes_reset_when_one_peer_resets(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, BOTH_WAYS, NULL);
    socket_close_rst(r.server);
    hear_rst(r.client);
    r.server = dup(r.client);
    route_close(&r);
}

/* Sends ten bytes, and expects exactly n of them, and then the end. */
static void cut_after(size_t n, enum fault_action action, void (*end)(int))
{
    struct route r;
    route_open(&r, TO_SERVER,
               &(struct fault_rule){.action = action, .offset = (int64_t)n});
    if (n > 0) {
        SAY(r.client, "0123456789");
        hear(r.server, "0123456789", n);
    }
    end(r.server);
    end(r.client);
    assert_true(proxy_wait_open(r.proxy, 0, SOON_MS));
    route_close(&r);
}

static void proxy_passes_exactly_n_bytes_when_it_cuts_after_n(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 10; n++) {
        cut_after(n, FAULT_FIN, hear_fin);
        cut_after(n, FAULT_RST, hear_rst);
    }
}

static void proxy_swallows_both_directions_when_silent(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_SERVER,
               &(struct fault_rule){.action = FAULT_SILENCE, .offset = 3});
    SAY(r.client, "0123456789");
    HEAR(r.server, "012");
    assert_true(proxy_wait_reached(r.proxy, 1, TO_SERVER, SOON_MS));
    SAY(r.server, "lost");
    assert_true(proxy_wait_bytes(r.proxy, 1, TO_CLIENT, 4, SOON_MS));
    (void)shutdown(r.client, SHUT_WR);
    assert_true(is_quiet(r.client));
    assert_true(is_quiet(r.server));
    assert_int_equal(proxy_open_count(r.proxy), 1);
    route_close(&r);
}

static void proxy_passes_held_bytes_when_rule_is_removed(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_CLIENT,
               &(struct fault_rule){.action = FAULT_HOLD, .message = 'Z'});
    SAY(r.server, ROW READY ROW);
    HEAR(r.client, ROW);
    assert_true(proxy_wait_reached(r.proxy, 1, TO_CLIENT, SOON_MS));
    assert_true(is_quiet(r.client));
    SAY(r.client, "the other direction passes");
    HEAR(r.server, "the other direction passes");
    proxy_pass(r.proxy);
    HEAR(r.client, READY ROW);
    route_close(&r);
}

static void sender_blocks_when_proxy_holds_its_bytes(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_SERVER, &(struct fault_rule){.action = FAULT_HOLD});
    static const char bytes[65536];
    ssize_t n;
    size_t sent = 0;
    while ((n = send(r.client, bytes, sizeof bytes, MSG_NOSIGNAL)) > 0) {
        sent += (size_t)n;
        assert_true(sent < (size_t)64 << 20);
    }
    assert_int_equal(errno, EAGAIN);
    proxy_pass(r.proxy);
    struct pollfd writable = {.fd = r.client, .events = POLLOUT};
    for (int64_t end = clock_now() + SOON_MS * CLOCK_MS;
         poll(&writable, 1, 0) == 0 && clock_now() < end;) {
        struct pollfd in = {.fd = r.server, .events = POLLIN};
        char got[4096];
        if (poll(&in, 1, SOON_MS) == 1)
            assert_true(recv(r.server, got, sizeof got, 0) > 0);
    }
    assert_true(writable.revents & POLLOUT);
    route_close(&r);
}

static void proxy_counts_bytes_when_it_swallows_them(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_SERVER, NULL);
    SAY(r.client, START_UP);
    HEAR(r.server, START_UP);
    proxy_set(r.proxy, 1, TO_SERVER,
              &(struct fault_rule){.action = FAULT_SWALLOW});
    SAY(r.client, "Q\0\0\0\6x\0");
    assert_true(proxy_wait_messages(r.proxy, 1, TO_SERVER, 'Q', 1, SOON_MS));
    proxy_pass(r.proxy);
    SAY(r.client, "X\0\0\0\4");
    HEAR(r.server, "X\0\0\0\4");
    assert_int_equal(proxy_messages(r.proxy, 1, TO_SERVER, '^'), 1);
    route_close(&r);
}

struct place_case {
    struct fault_rule rule;
    const char *passes;
    size_t size;
};
#define CASE(text, ...)                                                        \
    {                                                                          \
        .rule = {.action = FAULT_FIN, __VA_ARGS__}, .passes = (text),          \
        .size = sizeof(text) - 1                                               \
    }

static void proxy_acts_at_the_given_place_when_nth_message_comes(void **state)
{
    (void)state;
    static const struct place_case cases[] = {
        CASE("", .message = 'D'),
        CASE(ROW, .message = 'D', .nth = 2),
        CASE(ROW "D", .message = 'D', .nth = 2, .offset = 1),
        CASE(ROW "D\0\0\0\10ro", .message = 'D', .nth = 2, .offset = 7),
        CASE(ROW ROW, .message = 'D', .nth = 2, .offset = FAULT_END),
        CASE(ROW ROW, .message = 'D', .nth = 2, .offset = 1000),
        CASE(ROW ROW, .message = 'Z'),
        CASE(ROW ROW READY, .message = MESSAGE_ANY, .nth = 3,
             .offset = FAULT_END),
        CASE(ROW ROW, .message = MESSAGE_ANY, .nth = 3),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct route r;
        route_open(&r, TO_CLIENT, &cases[i].rule);
        SAY(r.server, ROW ROW READY ROW);
        hear(r.client, cases[i].passes, cases[i].size);
        hear_fin(r.client);
        route_close(&r);
    }
}

static void proxy_counts_messages_from_then_on_when_rule_is_set(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_CLIENT, NULL);
    SAY(r.server, ROW ROW);
    HEAR(r.client, ROW ROW);
    proxy_set(
        r.proxy, 1, TO_CLIENT,
        &(struct fault_rule){.action = FAULT_RST, .message = 'D', .nth = 2});
    SAY(r.server, ROW ROW);
    HEAR(r.client, ROW);
    hear_rst(r.client);
    route_close(&r);
}

static void
proxy_rule_affects_one_connection_when_set_for_its_number(void **state)
{
    (void)state;
    struct route first, r;
    route_open(&r, BOTH_WAYS, NULL);
    first = r;
    route_connect(&r);
    proxy_set(r.proxy, 1, BOTH_WAYS, &(struct fault_rule){.action = FAULT_RST});
    hear_rst(first.client);
    hear_rst(first.server);
    SAY(r.client, "the second lives");
    HEAR(r.server, "the second lives");
    assert_int_equal(proxy_open_count(r.proxy), 1);
    (void)close(first.client);
    (void)close(first.server);
    route_close(&r);
}

static void
proxy_rule_affects_only_next_connection_when_set_for_it(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, BOTH_WAYS, NULL);
    proxy_set(r.proxy, PROXY_NEXT, TO_SERVER,
              &(struct fault_rule){.action = FAULT_RST, .offset = 3});
    SAY(r.client, "the first is as before");
    HEAR(r.server, "the first is as before");
    struct route second = r, third = r;
    route_connect(&second);
    route_connect(&third);
    SAY(second.client, "the second is cut");
    HEAR(second.server, "the");
    hear_rst(second.server);
    SAY(third.client, "the third is not");
    HEAR(third.server, "the third is not");
    (void)close(second.client);
    (void)close(second.server);
    (void)close(third.client);
    (void)close(third.server);
    route_close(&r);
}

static void proxy_delays_bytes_in_order_when_rule_has_a_delay(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_SERVER,
               &(struct fault_rule){.delay_ms = 30, .jitter_ms = 10});
    int64_t start = clock_now();
    SAY(r.client, "first, ");
    SAY(r.client, "second, ");
    SAY(r.client, "third");
    HEAR(r.server, "first, second, third");
    assert_true(clock_now() - start >= 30 * CLOCK_MS);
    (void)shutdown(r.client, SHUT_WR);
    hear_fin(r.server);
    route_close(&r);
}

static void proxy_keeps_gaps_between_chunks_when_rule_has_a_gap(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, TO_SERVER, &(struct fault_rule){.chunk = 1, .gap_ms = 4});
    int64_t start = clock_now();
    SAY(r.client, "0123456789");
    HEAR(r.server, "0123456789");
    assert_true(clock_now() - start >= 9 * 4 * CLOCK_MS);
    route_close(&r);
}

static void proxy_refuses_connections_when_told_not_to_listen(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, BOTH_WAYS, NULL);
    (void)close(r.client);
    (void)close(r.server);
    proxy_listen(r.proxy, 0);
    int fd = socket_connect("127.0.0.1", proxy_port(r.proxy));
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    assert_true(fd < 0 || poll(&one, 1, SOON_MS) == 1);
    assert_int_equal(fd < 0 ? errno : socket_error(fd), ECONNREFUSED);
    if (fd >= 0)
        (void)close(fd);
    proxy_listen(r.proxy, 1);
    route_connect(&r);
    route_close(&r);
}

static void
proxy_sends_new_connections_to_new_server_when_route_changes(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, BOTH_WAYS, NULL);
    int port = 0, listener = socket_bind_tcp(&port);
    assert_int_equal(listen(listener, 1), 0);
    proxy_route(r.proxy, "127.0.0.1", port);
    int client = socket_connect("127.0.0.1", proxy_port(r.proxy));
    struct pollfd one = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&one, 1, SOON_MS), 1);
    (void)close(client);
    (void)close(listener);
    route_close(&r);
}

static void proxy_passes_bytes_when_sockets_are_unix_sockets(void **state)
{
    (void)state;
    char directory[] = "/tmp/pqpool-proxy-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    int listener = socket_bind_unix(directory, 1);
    assert_int_equal(listen(listener, 1), 0);
    struct proxy *proxy = proxy_start_unix(directory, 2, directory, 1);
    assert_non_null(proxy);
    int client = socket_connect(directory, 2);
    struct pollfd one = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&one, 1, SOON_MS), 1);
    int server = socket_accept(listener);
    SAY(client, "over a Unix socket");
    HEAR(server, "over a Unix socket");
    (void)close(client);
    hear_fin(server);
    (void)close(server);
    proxy_stop(proxy);
    (void)close(listener);
    (void)snprintf(path, sizeof path, "%s/.s.PGSQL.1", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void proxy_closes_client_when_server_refuses(void **state)
{
    (void)state;
    int port = 0, bound = socket_bind_tcp(&port);
    struct proxy *proxy = proxy_start("127.0.0.1", port);
    int client = socket_connect("127.0.0.1", proxy_port(proxy));
    struct pollfd one = {.fd = client, .events = POLLIN};
    assert_int_equal(poll(&one, 1, SOON_MS), 1);
    char byte;
    assert_true(recv(client, &byte, 1, 0) <= 0);
    (void)close(client);
    proxy_stop(proxy);
    (void)close(bound);
}

static void proxy_wait_ends_when_its_deadline_passes(void **state)
{
    (void)state;
    struct route r;
    route_open(&r, BOTH_WAYS, NULL);
    assert_true(proxy_wait_accepted(r.proxy, 1, SOON_MS));
    assert_false(proxy_wait_accepted(r.proxy, 2, 10));
    assert_false(proxy_wait_bytes(r.proxy, 7, TO_SERVER, 1, 0));
    route_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxy_passes_bytes_and_fin_when_it_has_no_rule),
        cmocka_unit_test(proxy_passes_reset_when_one_peer_resets),
        cmocka_unit_test(proxy_passes_exactly_n_bytes_when_it_cuts_after_n),
        cmocka_unit_test(proxy_swallows_both_directions_when_silent),
        cmocka_unit_test(proxy_passes_held_bytes_when_rule_is_removed),
        cmocka_unit_test(sender_blocks_when_proxy_holds_its_bytes),
        cmocka_unit_test(proxy_counts_bytes_when_it_swallows_them),
        cmocka_unit_test(proxy_acts_at_the_given_place_when_nth_message_comes),
        cmocka_unit_test(proxy_counts_messages_from_then_on_when_rule_is_set),
        cmocka_unit_test(
            proxy_rule_affects_one_connection_when_set_for_its_number),
        cmocka_unit_test(
            proxy_rule_affects_only_next_connection_when_set_for_it),
        cmocka_unit_test(proxy_delays_bytes_in_order_when_rule_has_a_delay),
        cmocka_unit_test(proxy_keeps_gaps_between_chunks_when_rule_has_a_gap),
        cmocka_unit_test(proxy_refuses_connections_when_told_not_to_listen),
        cmocka_unit_test(
            proxy_sends_new_connections_to_new_server_when_route_changes),
        cmocka_unit_test(proxy_passes_bytes_when_sockets_are_unix_sockets),
        cmocka_unit_test(proxy_closes_client_when_server_refuses),
        cmocka_unit_test(proxy_wait_ends_when_its_deadline_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
