/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The test server behind the fault proxy, and a pool on it. */
#ifndef SUPPORT_NETWORK_H
#define SUPPORT_NETWORK_H

#include "proxied.h"
#include "support_pg.h"

/* Set by network_begin().  Only for the test's main thread. */
extern struct proxy *proxy;

/* Starts the proxy, or fails the test.  A cmocka setup. */
int network_begin(void **state);
/* Stops the proxy.  A cmocka teardown. */
int network_end(void **state);

/* Opens a pool whose connections go through the proxy, or fails the test. */
#define open_proxied(...)                                                      \
    open_pool_with(PQP_OPTIONS(.conninfo = proxied_dsn(), __VA_ARGS__))
/* Returns the connection string of such a pool, valid until network_end(). */
const char *proxied_dsn(void);

/* Calls proxy_set() with a rule that has these fields. */
#define set_rule(which, direction, ...)                                        \
    proxy_set(proxy, (which), (direction), &(struct fault_rule){__VA_ARGS__})

/* Returns the number of the newest connection. */
int newest(void);

#endif
