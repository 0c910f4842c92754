/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The end of the process while threads of the pool are inside libpq. */
#ifndef PG_BASE_ATEXIT_H
#define PG_BASE_ATEXIT_H

/* Registers, once, a handler of exit() that waits for threads inside libpq.
 * Must be called before the first such thread exists. */
void pqp__atexit_register(void);

/* Surrounds the calls of libpq that use TLS, but not the waits for a socket.
 * Returns 1, or 0 if the process ends and libpq must not be called again. */
int pqp__libpq_enter(void);
void pqp__libpq_leave(void);

#endif
