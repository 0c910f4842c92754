/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* A client's socket and a server's socket, with the fault proxy between them.
 */
#ifndef SUPPORT_ROUTE_H
#define SUPPORT_ROUTE_H

#include "harness.h"

#include "proxy.h"

enum { SOON_MS = 5000 };

struct route {
    struct proxy *proxy;
    int listener, server_port; /* the server's */
    int client, server;        /* connected through the proxy */
};

/* Starts a server and the proxy.  New connections get the rule, if it is not
 * NULL. */
void route_open(struct route *route, enum proxy_direction direction,
                const struct fault_rule *rule);
/* Connects once more; the old descriptors stay open. */
void route_connect(struct route *route);
void route_close(struct route *route);

void say(int fd, const void *bytes, size_t size);
#define SAY(fd, text) say((fd), (text), sizeof(text) - 1)
/* Fails the test unless exactly these bytes come next. */
void hear(int fd, const void *bytes, size_t size);
#define HEAR(fd, text) hear((fd), (text), sizeof(text) - 1)
/* Fail the test unless the socket reports this next. */
void hear_fin(int fd);
void hear_rst(int fd);
/* Returns whether there is nothing to read now. */
int is_quiet(int fd);

#endif
