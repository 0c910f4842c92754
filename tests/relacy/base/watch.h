/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/watch.h without sockets: a place to sleep and a bell. */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include "base/lock.h"

#include <stdint.h>

struct watch {
    struct lock lock;
    struct cond bell;
    int rung;
};

int watch_open(struct watch *watch);
void watch_close(struct watch *watch);
int watch_add(struct watch *watch, int fd, uint64_t token);
void watch_remove(struct watch *watch, int fd);
int watch_wait(struct watch *watch, int64_t deadline, uint64_t *tokens,
               int max);
void watch_wake(struct watch *watch);

int stop_open(void);
void stop_raise(int fd);
void stop_close(int fd);

#endif
