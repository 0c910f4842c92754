/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The secrets of a pool, and hiding them in texts. */
#ifndef PG_CONFIG_SECRETS_H
#define PG_CONFIG_SECRETS_H

#include "pg/config/config.h"

/* Adds a password that came from the environment, a file or a service to the
 * secrets; NULL and "" are none.  Returns 0, or -1 for want of memory.
 * Thread: any. */
int pqp__secrets_add(struct config *config, const char *password);

/* Allows the value of this setting to be shown, also if it contains a secret
 * that is known by now.  Returns 0, or -1 for want of memory.  Thread: any. */
int pqp__secrets_exempt(struct config *config, const char *value);

/* Frees what the two functions above have added. */
void pqp__secrets_free(struct config *config);

/* The number of bytes at `p`, inside of the text `from`, that have to be
 * hidden; 0: none.  config may be NULL: nothing is hidden. */
size_t pqp__hidden_length(const struct config *config, const char *from,
                          const char *p);

/* Copies the text `from`, without secrets, control bytes and line ends, into
 * `to`.  A text that does not fit is cut between two characters and ends with
 * "...". */
void pqp__clean_text(const struct config *config, char *to, size_t size,
                     const char *from);

#endif
