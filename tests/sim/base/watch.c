/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sockets, stop descriptors and the epoll set.  As in the kernel, the lowest
 * closed number is used again, and closing removes a descriptor from the set: a
 * removal that comes too late removes another socket.
 */
#include "base/watch.h"

#include "base/clock.h"
#include "base/sched.h"

#include <errno.h>

enum { FD_FIRST = 100, FD_MAX = 16384 };
enum fd_kind { FD_CLOSED, FD_SOCKET, FD_STOP };

static struct fd {
    enum fd_kind kind;
    int raised;          /* closed by the peer, or stopped */
    struct watch *watch; /* the set that it is in */
    uint64_t token;
    int ready; /* it was not reported yet */
} fds[FD_MAX];
static int fd_top; /* no descriptor from here on is open */
static int fd_count;
static int watch_count;

static struct fd *fd_of(int fd, enum fd_kind kind, const char *call)
{
    if (fd < FD_FIRST || fd >= FD_FIRST + fd_top ||
        fds[fd - FD_FIRST].kind != kind)
        sim_fail("%s of descriptor %d, which is not open", call, fd);
    return &fds[fd - FD_FIRST];
}

static int fd_open(enum fd_kind kind)
{
    int i = 0;
    while (i < fd_top && fds[i].kind != FD_CLOSED)
        i++;
    if (i == FD_MAX)
        sim_fail("out of descriptors");
    if (i == fd_top)
        fd_top++;
    fds[i] = (struct fd){.kind = kind};
    fd_count++;
    return i + FD_FIRST;
}

static void fd_close(struct fd *fd)
{
    *fd = (struct fd){.kind = FD_CLOSED};
    fd_count--;
}

int sim_fd_open(void)
{
    return fd_open(FD_SOCKET);
}

void sim_fd_close(int fd)
{
    sched_point();
    fd_close(fd_of(fd, FD_SOCKET, "close"));
}

int sim_fds_open(void)
{
    return fd_count;
}

int sim_fd_watched(int fd)
{
    return fd_of(fd, FD_SOCKET, "look")->watch != NULL;
}

void sim_hang_up(int fd)
{
    struct fd *f = fd_of(fd, FD_SOCKET, "hang-up");
    f->raised = 1;
    if (f->watch != NULL) {
        f->ready = 1;
        sched_wake_all(f->watch);
    }
    sched_point();
}

/* ---- the epoll set --------------------------------------------------------
 */

int watch_open(struct watch *watch)
{
    sched_counts.system++;
    if (sched_broken(SIM_WATCH_OPEN))
        return EMFILE;
    *watch = (struct watch){.open = 1};
    watch_count++;
    return 0;
}

void watch_close(struct watch *watch)
{
    sched_counts.system++;
    if (!watch->open)
        sim_fail("close of a watch that is not open");
    for (int i = 0; i < fd_top; i++) {
        if (fds[i].watch == watch)
            fds[i].watch = NULL;
    }
    watch->open = 0;
    watch_count--;
}

int watch_add(struct watch *watch, int fd, uint64_t token)
{
    sched_counts.system++;
    sched_point();
    if (!watch->open)
        sim_fail("use of a watch that is not open");
    struct fd *f = fd_of(fd, FD_SOCKET, "watch");
    if (sched_broken(SIM_WATCH_ADD))
        return ENOSPC;
    if (f->watch != NULL)
        return EEXIST;
    f->watch = watch;
    f->token = token;
    f->ready = f->raised;
    if (f->ready)
        sched_wake_all(watch);
    return 0;
}

void watch_remove(struct watch *watch, int fd)
{
    sched_counts.system++;
    sched_point();
    if (!watch->open)
        sim_fail("use of a watch that is not open");
    struct fd *f =
        fd >= FD_FIRST && fd < FD_FIRST + fd_top ? &fds[fd - FD_FIRST] : NULL;
    if (f == NULL || f->kind != FD_SOCKET)
        sched_counts.late_removals++;
    else if (f->watch == watch)
        f->watch = NULL;
}

static int watch_collect(struct watch *watch, uint64_t *tokens, int max)
{
    int found = 0;
    for (int i = 0; i < fd_top && found < max; i++) {
        if (fds[i].watch == watch && fds[i].ready) {
            fds[i].ready = 0;
            tokens[found++] = fds[i].token;
        }
    }
    return found;
}

int watch_wait(struct watch *watch, int64_t deadline, uint64_t *tokens, int max)
{
    sched_counts.system++;
    for (;;) {
        sched_point();
        if (!watch->open)
            sim_fail("use of a watch that is not open");
        int found = watch_collect(watch, tokens, max);
        int woken = watch->woken;
        watch->woken = 0;
        if (found > 0 || woken || deadline <= sched_now()) {
            /* a collected event may be old when it is returned */
            sched_point();
            return found;
        }
        (void)sched_block(watch, deadline, "watch");
    }
}

void watch_wake(struct watch *watch)
{
    sched_counts.system++;
    sched_point();
    if (!watch->open)
        sim_fail("wake of a watch that is not open");
    watch->woken = 1;
    sched_wake_all(watch);
}

/* ---- stop descriptors
 * --------------------------------------------------------- */

int stop_open(void)
{
    sched_counts.system++;
    if (sched_broken(SIM_STOP_OPEN)) {
        errno = EMFILE;
        return -1;
    }
    return fd_open(FD_STOP);
}

void stop_raise(int fd)
{
    sched_counts.system++;
    sched_point();
    struct fd *f = fd_of(fd, FD_STOP, "raise");
    f->raised = 1;
    sched_wake_all(f);
}

void stop_close(int fd)
{
    sched_counts.system++;
    sched_point();
    struct fd *f = fd_of(fd, FD_STOP, "close");
    if (sched_waiter(f) != NULL)
        sim_fail("close of stop descriptor %d, which is waited for", fd);
    fd_close(f);
}

int sim_stop_raised(int fd)
{
    return fd_of(fd, FD_STOP, "look")->raised;
}

int sim_stop_wait(int fd, int64_t deadline)
{
    struct fd *f = fd_of(fd, FD_STOP, "wait");
    if (!f->raised)
        (void)sched_block(f, deadline, "stop");
    return f->raised;
}

/* ---- the run
 * ------------------------------------------------------------------- */

void watch_forget(void)
{
    for (int i = 0; i < fd_top; i++)
        fds[i] = (struct fd){.kind = FD_CLOSED};
    fd_top = fd_count = watch_count = 0;
}

const char *watch_left(void)
{
    if (watch_count > 0)
        return "a watch is open";
    return fd_count > 0 ? "a descriptor is open" : NULL;
}
