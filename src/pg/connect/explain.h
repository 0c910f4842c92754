/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The meaning of a failed connect. */
#ifndef PG_CONNECT_EXPLAIN_H
#define PG_CONNECT_EXPLAIN_H

#include "pg/connect/targets.h"

/* Removes the hints from a text of libpq: the lines that begin with a tab, in
 * any language. */
void pqp__drop_hints(char *text);

/* Returns whether each further attempt would fail in the same way as one that
 * failed with this SQLSTATE ("": none) and this text of libpq, in English. */
int pqp__is_permanent(const char *sqlstate, const char *text);

/* Fills in target->why after libpq ended the attempt, with errno as libpq's
 * last step left it.  passfile_fault says why no password file was read, or is
 * NULL. */
void pqp__explain_end(const struct config *config, const char *passfile_fault,
                      struct target *target, const PGconn *pg);

/* Fills in target->why after an attempt that was not connected within `ms`. */
void pqp__explain_timeout(const struct config *config,
                          const char *passfile_fault, struct target *target,
                          const PGconn *pg, int64_t ms);

/* Fills in *why from the reasons of all targets. */
void pqp__targets_explain(const struct targets *targets, rpool_failure *why);

#endif
