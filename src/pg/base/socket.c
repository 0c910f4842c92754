/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The only place where the PostgreSQL layer waits for a socket.  Each wait has
 * a deadline and can be stopped.  The caller holds no lock.
 */
#include "pg/base/socket.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"

/* A socket with an error is ready: libpq reads the error and explains it. */
int pqp__wait_socket(int fd, int for_write, int stop_fd, int64_t deadline)
{
    if (fd < 0)
        return -1;

    struct pollfd fds[2] = {
        {.fd = fd, .events = for_write ? POLLIN | POLLOUT : POLLIN},
        {.fd = stop_fd, .events = POLLIN}, /* poll() ignores a negative one */
    };
    for (;;) {
        int64_t now = clock_now();
        int ready = poll(fds, 2, clock_ms_until(deadline, now));

        if (ready < 0 && errno != EINTR)
            return -1;
        if (ready > 0 && (fds[1].revents || (fds[0].revents & POLLNVAL)))
            return -1;
        if (ready > 0)
            return 1;
        if (now >= deadline)
            return 0;
    }
}
