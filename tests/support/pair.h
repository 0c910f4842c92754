/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One proxied connection: the client's socket, the server's socket, and the two
 * directions between them.  The proxy's lock protects it.
 */
#ifndef TESTS_SUPPORT_PAIR_H
#define TESTS_SUPPORT_PAIR_H

#include "flow.h"

enum { CLIENT, SERVER, ENDS };

struct pair {
    struct list link; /* in the proxy's list of open connections */
    /* of its epoll events: token for CLIENT, token + 1 for SERVER */
    uint64_t token;
    int epoll;
    int fd[ENDS];
    uint32_t watched[ENDS]; /* the events that epoll watches */
    struct flow flow[ENDS]; /* flow[CLIENT] is what the client sends */
    int open;
};

/* Takes over both sockets.  The counters stay valid after pair_close(). */
struct pair *pair_open(int epoll, uint64_t token, int client, int server);
void pair_close(struct pair *pair, enum fault_action how);
void pair_free(struct pair *pair);

/* The socket of `end` has input, or is broken. */
void pair_read(struct pair *pair, int end);
/* To be called after any change: applies rules, writes, closes, and updates
 * epoll. */
void pair_settle(struct pair *pair);
/* Returns when it has to act next, or CLOCK_NEVER. */
int64_t pair_due(const struct pair *pair, int64_t now);

#endif
