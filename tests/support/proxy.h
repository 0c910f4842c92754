/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A fault proxy: it stands between a client and a PostgreSQL server, passes
 * bytes in both directions, and breaks what the test tells it to break, where
 * the test tells it to (rule.h).  One thread on epoll serves all connections.
 * TLS passes as bytes: rules that name messages do not see into it.  The first
 * packets of a client pass once the eight bytes of their header are there.
 *
 *   struct proxy *proxy = proxy_start("127.0.0.1", server_port);
 *   proxy_set(proxy, PROXY_ALL, TO_CLIENT,
 *             &(struct fault_rule){.action = FAULT_HOLD, .message = 'Z'});
 *   ... connect to 127.0.0.1, proxy_port(proxy) ...
 *   assert_true(proxy_wait_reached(proxy, 1, TO_CLIENT, 5000));
 *   proxy_pass(proxy);
 *   proxy_stop(proxy);
 *
 * A connection is named by its number in the order of arrival; the first is 1.
 * A cancel request is a connection too.  Every function may be called by any
 * thread.  A function that waits returns 1 if the fact has become true, 0 if
 * `ms` milliseconds have passed before.  Nothing here fails but the two
 * functions that start it, which return NULL and set errno.
 */
#ifndef TESTS_SUPPORT_PROXY_H
#define TESTS_SUPPORT_PROXY_H

#include <stdint.h>

#include "rule.h"

struct proxy;

enum { PROXY_NEW = 0, PROXY_ALL = -1, PROXY_NEXT = -2 };
enum proxy_direction { TO_SERVER, TO_CLIENT, BOTH_WAYS };

/* Starts a proxy on a free port of 127.0.0.1.  The server is host and port as
 * socket_connect() takes them: a numeric IPv4 address, or the directory of a
 * Unix socket. */
struct proxy *proxy_start(const char *host, int port);
/* Listens on the Unix socket that libpq finds as host=DIRECTORY port=PORT.
 * proxy_stop() removes it. */
struct proxy *proxy_start_unix(const char *directory, int port,
                               const char *server_host, int server_port);
/* Closes all its connections with a FIN. */
void proxy_stop(struct proxy *proxy);
int proxy_port(const struct proxy *proxy);

/* Sends connections that are accepted from now on to this server. */
void proxy_route(struct proxy *proxy, const char *host, int port);
/* With 0, refuses connections from now on, as a machine without a server does.
 * With 1, accepts them again. */
void proxy_listen(struct proxy *proxy, int accepts);

/* Sets the rule of a direction.  `which` is a live connection's number,
 * PROXY_NEW for those that are accepted from now on, PROXY_ALL for these and
 * all that are open now, or PROXY_NEXT for the next one alone, which comes
 * before PROXY_NEW.  It holds for each byte that the proxy has not passed
 * on yet, and replaces the rule before it, so that what was held passes. */
void proxy_set(struct proxy *proxy, int which, enum proxy_direction direction,
               const struct fault_rule *rule);
/* Removes the rules of all connections, in both directions. */
void proxy_pass(struct proxy *proxy);

/* Return how many connections were accepted, and how many are open. */
int proxy_accepted(struct proxy *proxy);
int proxy_open_count(struct proxy *proxy);
int proxy_wait_accepted(struct proxy *proxy, int count, int ms);
int proxy_wait_open(struct proxy *proxy, int count, int ms);

/* Return the bytes, and the complete messages of a type (not MESSAGE_ANY), that
 * came from the sender of one connection, open or not, whether they were passed
 * on or not.  Return 0 if there is no such connection. */
uint64_t proxy_bytes(struct proxy *proxy, int number,
                     enum proxy_direction direction);
int proxy_messages(struct proxy *proxy, int number,
                   enum proxy_direction direction, int type);
int proxy_wait_bytes(struct proxy *proxy, int number,
                     enum proxy_direction direction, uint64_t count, int ms);
int proxy_wait_messages(struct proxy *proxy, int number,
                        enum proxy_direction direction, int type, int count,
                        int ms);
/* Waits until the place of the current rule is reached. */
int proxy_wait_reached(struct proxy *proxy, int number,
                       enum proxy_direction direction, int ms);

#endif
