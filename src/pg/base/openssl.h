/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What the library uses of OpenSSL. */
#ifndef PG_BASE_OPENSSL_H
#define PG_BASE_OPENSSL_H

#include <stddef.h>

/* Initialises OpenSSL, so that it has registered its handler of exit(). */
void pqp__openssl_init(void);

/* Overwrites memory that held a secret. */
void pqp__wipe(void *at, size_t size);

/* Overwrites the text up to its NUL and frees it.  NULL is a no-op. */
void pqp__wipe_free(char *text);

#endif
