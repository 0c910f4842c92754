/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reading a connection string. */
#ifndef PG_CONFIG_CONNINFO_H
#define PG_CONFIG_CONNINFO_H

#include <pqpool/pqpool.h>

/* Takes the pool_* keywords out of a keyword string or URI, and gives each to
 * `set`, which returns 0 to go on.  Returns the rest, unchanged, which the
 * caller frees with pqp__wipe_free(); NULL and *err for a malformed string. */
char *pqp__conninfo_split(const char *conninfo,
                          int (*set)(void *arg, const char *keyword,
                                     const char *value, pqp_error *err),
                          void *arg, pqp_error *err);

/* Fills *err with the reason for which libpq refused the string, without any
 * part of a value.  Returns its status. */
pqp_status pqp__conninfo_explain(const char *conninfo, pqp_error *err);

#endif
