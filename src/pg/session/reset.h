/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Cleaning a session at its release. */
#ifndef PG_SESSION_RESET_H
#define PG_SESSION_RESET_H

/* Function of the core's provider: ctx is a struct config, the resource a
 * struct session. */
int pqp__session_reset(void *ctx, void *resource);

#endif
