/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The fault proxy in front of the server that a connection string names. */
#ifndef TESTS_SUPPORT_PROXIED_H
#define TESTS_SUPPORT_PROXIED_H

#include "proxy.h"

/* The string has one host: a numeric IPv4 address, localhost, or a directory.
 * Returns NULL if the string is wrong or the proxy cannot be started. */
struct proxy *proxied_start(const char *conninfo);

/* Returns the connection string with the proxy's host and port, and with
 * `settings` at its end; the caller frees it.  It has no TLS, so that the proxy
 * sees messages, unless the settings ask for TLS. */
char *proxied_conninfo(const struct proxy *proxy, const char *conninfo,
                       const char *settings);

#endif
