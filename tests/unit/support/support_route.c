/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* See support_route.h. */
#include "support_route.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"

static int is_readable(int fd, int ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, ms) == 1;
}

void route_connect(struct route *r)
{
    r->client = socket_connect("127.0.0.1", proxy_port(r->proxy));
    assert_true(r->client >= 0);
    assert_true(is_readable(r->listener, SOON_MS));
    r->server = socket_accept(r->listener);
    assert_true(r->server >= 0);
}

void route_open(struct route *r, enum proxy_direction direction,
                const struct fault_rule *rule)
{
    r->server_port = 0;
    r->listener = socket_bind_tcp(&r->server_port);
    assert_int_equal(listen(r->listener, 8), 0);
    r->proxy = proxy_start("127.0.0.1", r->server_port);
    assert_non_null(r->proxy);
    if (rule)
        proxy_set(r->proxy, PROXY_NEW, direction, rule);
    route_connect(r);
}

void route_close(struct route *r)
{
    (void)close(r->client);
    (void)close(r->server);
    proxy_stop(r->proxy);
    (void)close(r->listener);
}

void say(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

void hear(int fd, const void *bytes, size_t size)
{
    char got[256];
    assert_true(size <= sizeof got);
    for (size_t used = 0; used < size;) {
        assert_true(is_readable(fd, SOON_MS));
        ssize_t n = recv(fd, got + used, size - used, 0);
        assert_true(n > 0);
        used += (size_t)n;
    }
    assert_memory_equal(got, bytes, size);
}

void hear_fin(int fd)
{
    char byte;
    assert_true(is_readable(fd, SOON_MS));
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

void hear_rst(int fd)
{
    char byte;
    assert_true(is_readable(fd, SOON_MS));
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

int is_quiet(int fd)
{
    return !is_readable(fd, 0);
}
