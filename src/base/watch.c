/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/watch.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WATCH_BATCH = 64 };
#define WATCH_WAKE UINT64_MAX /* the token of the wake descriptor */

int watch_open(struct watch *watch)
{
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (watch->epoll < 0)
        return errno;

    watch->wake = stop_open();
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WATCH_WAKE};
    if (watch->wake < 0 ||
        epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->wake, &event) != 0) {
        int rc = errno;
        if (watch->wake >= 0)
            stop_close(watch->wake);
        (void)close(watch->epoll);
        return rc;
    }
    return 0;
}

void watch_close(struct watch *watch)
{
    stop_close(watch->wake);
    (void)close(watch->epoll);
}

int watch_add(struct watch *watch, int fd, uint64_t token)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET,
                                .data.u64 = token};
    return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void watch_remove(struct watch *watch, int fd)
{
    (void)epoll_ctl(watch->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int watch_wait(struct watch *watch, int64_t deadline, uint64_t *tokens, int max)
{
    struct epoll_event events[WATCH_BATCH];
    if (max > WATCH_BATCH)
        max = WATCH_BATCH;

    int n = epoll_wait(watch->epoll, events, max,
                       clock_ms_until(deadline, clock_now()));
    int found = 0;
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == WATCH_WAKE) {
            uint64_t count;
            ssize_t got = read(watch->wake, &count, sizeof count);
            (void)got; /* fails if there is nothing to read */
        } else {
            tokens[found++] = events[i].data.u64;
        }
    }
    return found;
}

void watch_wake(struct watch *watch)
{
    stop_raise(watch->wake);
}

int stop_open(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void stop_raise(int fd)
{
    uint64_t one = 1;
    ssize_t put = write(fd, &one, sizeof one);
    (void)put; /* fails if the counter is full: it is raised */
}

void stop_close(int fd)
{
    (void)close(fd);
}
