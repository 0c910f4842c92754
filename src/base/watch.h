/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A watch is where the cleaner sleeps: until a deadline, until it is woken, or
 * until the peer of a watched socket closes the connection.  A stop descriptor
 * becomes readable when it is raised.
 *
 * A socket is registered once, edge-triggered and for the peer's close only.
 * Data on it does not end the sleep.  If the peer has closed before, that is
 * reported at once.
 */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include "base/platform.h"

#include <stdint.h>

/* Returns 0, or an errno value. */
int watch_open(struct watch *watch);
void watch_close(struct watch *watch);

/* Returns 0, or an errno value.  Thread: any. */
int watch_add(struct watch *watch, int fd, uint64_t token);

/* Called before fd is closed, because the number may belong to another file
 * afterwards.  Thread: any. */
void watch_remove(struct watch *watch, int fd);

/* Sleeps.  Returns how many tokens of closed sockets it has stored, at most
 * max; or 0 if it was woken or the deadline has passed.  Thread: one. */
int watch_wait(struct watch *watch, int64_t deadline, uint64_t *tokens,
               int max);

/* Ends the running or the next watch_wait().  Thread: any. */
void watch_wake(struct watch *watch);

/* Returns a stop descriptor, or -1 and sets errno. */
int stop_open(void);
void stop_raise(int fd);
void stop_close(int fd);

#endif
