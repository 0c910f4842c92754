/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One proxied connection: the client's socket, the server's, and the two
 * directions between them.  The proxy's lock protects it.
 */
#ifndef TESTS_SUPPORT_PAIR_H
#define TESTS_SUPPORT_PAIR_H

#include "flow.h"

enum { CLIENT, SERVER, ENDS };

struct pair {
    struct list link; /* in the proxy's list of open ones */
    uint64_t token; /* of its events: token for CLIENT, token + 1 for SERVER */
    int epoll;
    int fd[ENDS];
    uint32_t watched[ENDS]; /* events that epoll was asked for */
    struct flow flow[ENDS]; /* flow[CLIENT] is what comes from the client */
    int open;
};

/* Takes both sockets.  Counts go on to be valid after pair_close(). */
struct pair *pair_open(int epoll, uint64_t token, int client, int server);
void pair_close(struct pair *pair, enum fault_action how);
void pair_free(struct pair *pair);

/* The socket of `end` has something to read, or is broken. */
void pair_read(struct pair *pair, int end);
/* After any change: judges, writes, ends, and tells epoll what it waits for. */
void pair_settle(struct pair *pair);
/* The next time at which it has something to do; CLOCK_NEVER if none. */
int64_t pair_due(const struct pair *pair, int64_t now);

#endif
