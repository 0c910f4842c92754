/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Waiting for a socket. */
#ifndef PG_BASE_SOCKET_H
#define PG_BASE_SOCKET_H

#include <stdint.h>

/* Waits until the socket is readable, or also writable if for_write is not 0.
 * Returns 1 if it is, 0 at the deadline (a time of rpool_now()), and -1 after
 * an error or if stop_fd (-1: none) is readable. */
int pqp__wait_socket(int fd, int for_write, int stop_fd, int64_t deadline);

#endif
