/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The listener; see support_listener.h.  Its thread ends when the other end of
 * the pipe `stop` is closed, and then closes its connections.
 */
#include "support_listener.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_pg.h"

enum { MOST = 64 };

/* Returns 1 when fd is readable, 0 when the thread has to end. */
static int wait_for(const struct listener *l, int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = l->stop[0], .events = POLLIN}};
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

/* Counts the bytes that can be read now.  Returns 0 if there are none. */
static int hear(struct listener *l, int fd)
{
    char bytes[512];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    l->heard += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void answer(struct listener *l, int fd)
{
    if (wait_for(l, fd) && hear(l, fd) && l->reply != NULL)
        (void)send(fd, l->reply, l->size, MSG_NOSIGNAL);
}

static void *listen_and_answer(void *arg)
{
    struct listener *l = arg;
    int fds[MOST], count = 0;
    while (count < MOST && wait_for(l, l->fd)) {
        fds[count] = accept(l->fd, NULL, NULL);
        if (fds[count] < 0)
            continue;
        atomic_fetch_add(&l->accepted, 1);
        answer(l, fds[count++]);
    }
    while (count-- > 0) {
        while (hear(l, fds[count]))
            ;
        (void)close(fds[count]);
    }
    return NULL;
}

void listener_start(struct listener *l, const char *reply, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    *l = (struct listener){.reply = reply, .size = size};
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(l->fd >= 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(l->fd, MOST), 0);
    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&at, &length), 0);
    l->port = ntohs(at.sin_port);
    assert_int_equal(pipe(l->stop), 0);
    assert_int_equal(pthread_create(&l->thread, NULL, listen_and_answer, l), 0);
}

void listener_end(struct listener *l)
{
    (void)close(l->stop[1]);
    pthread_join(l->thread, NULL);
    (void)close(l->stop[0]);
    (void)close(l->fd);
}

const char *listener_dsn(const struct listener *l, const char *setting)
{
    char place[128];
    (void)snprintf(place, sizeof place, "host=127.0.0.1 port=%d %s", l->port,
                   setting);
    return pg_dsn_with(place);
}
