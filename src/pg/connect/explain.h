/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The meaning of a failed connect. */
#ifndef PG_CONNECT_EXPLAIN_H
#define PG_CONNECT_EXPLAIN_H

#include "pg/connect/targets.h"

/* Removes the hints from a text of libpq: the lines that begin with a tab, in
 * any language. */
void pqp__drop_hints(char *text);

/* Whether each further attempt fails in the same way as one that failed with
 * this SQLSTATE ("": none) and this text of libpq, which is in English. */
int pqp__is_permanent(const char *sqlstate, const char *text);

/* Explains an attempt that libpq ended, with errno as its last step left it.
 * passfile_fault says why no password file is read, or is NULL. */
void pqp__explain_end(const struct config *config, const char *passfile_fault,
                      struct target *target, const PGconn *pg);

/* Explains an attempt that had no complete answer after `ms`. */
void pqp__explain_timeout(const struct config *config,
                          const char *passfile_fault, struct target *target,
                          const PGconn *pg, int64_t ms);

/* Explains why all attempts failed: the reason of each entry that was tried. */
void pqp__targets_explain(const struct targets *targets, rpool_failure *why);

#endif
