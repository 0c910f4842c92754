/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Non-blocking sockets; see socket.h. */
#define _GNU_SOURCE /* accept4 */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KIND = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC };

/* Closes fd and keeps errno.  Returns -1. */
static int give_up(int fd)
{
    int rc = errno;
    (void)close(fd);
    errno = rc;
    return -1;
}

static void send_small_messages_at_once(int fd)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static struct sockaddr_un unix_address(const char *directory, int port)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%.80s/.s.PGSQL.%d",
                   directory, port);
    return at;
}

int socket_bind_tcp(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)*port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, KIND, 0);
    if (fd < 0)
        return -1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return give_up(fd);
    *port = ntohs(at.sin_port);
    return fd;
}

int socket_bind_unix(const char *directory, int port)
{
    struct sockaddr_un at = unix_address(directory, port);
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0)
        return -1;

    (void)unlink(at.sun_path);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        return give_up(fd);
    return fd;
}

static int connect_to(int family, const void *address, socklen_t size)
{
    int fd = socket(family, KIND, 0);
    if (fd < 0)
        return -1;

    if (family == AF_INET)
        send_small_messages_at_once(fd);
    if (connect(fd, address, size) != 0 && errno != EINPROGRESS)
        return give_up(fd);
    return fd;
}

int socket_connect(const char *host, int port)
{
    if (host[0] == '/') {
        struct sockaddr_un at = unix_address(host, port);
        return connect_to(AF_UNIX, &at, sizeof at);
    }
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    return connect_to(AF_INET, &at, sizeof at);
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

int socket_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        send_small_messages_at_once(fd);
    return fd;
}

void socket_close_fin(int fd)
{
    char bytes[4096];
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    (void)close(fd);
}

void socket_close_rst(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(fd);
}
