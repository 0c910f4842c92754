/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/watch.h on descriptors that exist only in watch.c. */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include <stdint.h>

struct watch {
    int open, woken;
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
