/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The secrets of a pool, and hiding them in texts. */
#ifndef PG_CONFIG_SECRETS_H
#define PG_CONFIG_SECRETS_H

#include "pg/config/config.h"

/* Adds a password that libpq found in the environment, a file or a service to
 * the secrets.  NULL and "" are no passwords.  Returns 0, or -1 for want of
 * memory.  Thread: any. */
int pqp__secrets_add(struct config *config, const char *password);

/* Allows the value of a setting to be shown, even if it contains a secret that
 * is known by now.  Returns 0, or -1 for want of memory.  Thread: any. */
int pqp__secrets_exempt(struct config *config, const char *value);

/* Wipes and frees the texts that the two functions above have added. */
void pqp__secrets_free(struct config *config);

/* Returns how many bytes at `p`, inside of the text `from`, have to be hidden;
 * 0 for none.  config may be NULL: there are no secrets. */
size_t pqp__hidden_length(const struct config *config, const char *from,
                          const char *p);

/* Copies the text `from` into `to` as one line of valid UTF-8, with "***" in
 * place of secrets.  A text that does not fit is cut between two characters and
 * ends with "...". */
void pqp__clean_text(const struct config *config, char *to, size_t size,
                     const char *from);

#endif
