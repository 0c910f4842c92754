/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where a thread sleeps until a time, until it is woken, or until the other
 * end of a watched socket hangs up; and the stop descriptor, which is readable
 * once it was raised.
 *
 * A socket is registered once, edge-triggered and for hang-up only: data on it
 * wakes nobody, and one that was hung up before is reported at once.
 */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include <stdint.h>

struct watch {
    int epoll, wake;
};

/* 0, or an errno value. */
int watch_open(struct watch *watch);
void watch_close(struct watch *watch);

/* 0, or an errno value.  Thread: any. */
int watch_add(struct watch *watch, int fd, uint64_t token);

/* Before fd is closed, never after: its number may be somebody else's by then.
 * Thread: any. */
void watch_remove(struct watch *watch, int fd);

/* Sleeps; returns how many tokens of hung-up sockets it stored (at most max),
 * 0 if woken or if the deadline has passed.  Thread: one. */
int watch_wait(struct watch *watch, int64_t deadline, uint64_t *tokens,
               int max);

/* Ends the present or the next watch_wait().  Thread: any. */
void watch_wake(struct watch *watch);

/* A descriptor, or -1 and errno. */
int stop_open(void);
void stop_raise(int fd);
void stop_close(int fd);

#endif
