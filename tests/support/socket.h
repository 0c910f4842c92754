/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sockets of the fault proxy and of the hostile server.  Functions that
 * open one return a non-blocking descriptor, or -1 and errno.
 */
#ifndef TESTS_SUPPORT_SOCKET_H
#define TESTS_SUPPORT_SOCKET_H

/* Binds a loopback socket to `*port`, or to a free port if it is 0.  The socket
 * refuses connections until listen().  Several sockets can be bound to one port
 * as long as none of them listens. */
int socket_bind_tcp(int *port);
/* Binds the Unix socket that libpq finds as host=DIRECTORY port=PORT, and
 * removes an old file there. */
int socket_bind_unix(const char *directory, int port);

/* Begins to connect.  A host that begins with '/' is the directory of a Unix
 * socket.  Any other host is a numeric IPv4 address. */
int socket_connect(const char *host, int port);
/* Returns 0, or the errno of an attempt that has ended. */
int socket_error(int fd);

/* Accepts a connection.  The new socket does not block, and sends small
 * messages at once. */
int socket_accept(int listener);

/* Closes with a FIN.  Reads pending input first, because the kernel would send
 * RST instead. */
void socket_close_fin(int fd);
/* Closes with RST.  A Unix socket cannot do that: its peer sees ECONNRESET only
 * if something that it had sent was not read. */
void socket_close_rst(int fd);

#endif
