/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The exit of the process while threads of the pool are inside libpq. */
#ifndef PG_BASE_ATEXIT_H
#define PG_BASE_ATEXIT_H

/* Registers, once in a process, a handler of exit() that waits for the threads
 * inside libpq.  To be called before the first such thread exists. */
void pqp__atexit_register(void);

/* Surround the calls of libpq that use TLS, but not the waits for a socket.
 * pqp__libpq_enter() returns 1, or 0 if the process exits: then libpq must not
 * be called again, and pqp__libpq_leave() must not be called either. */
int pqp__libpq_enter(void);
void pqp__libpq_leave(void);

#endif
