/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sockets of the fault proxy and of the hostile server.  Each function
 * that opens one returns a non-blocking descriptor, or -1 and errno.
 */
#ifndef TESTS_SUPPORT_SOCKET_H
#define TESTS_SUPPORT_SOCKET_H

/* A loopback socket that is bound to `*port`, or to a free port if `*port` is
 * 0, and refuses connections until listen() is called.  Several sockets can be
 * bound to one port as long as none of them listens. */
int socket_bind_tcp(int *port);
/* The same for the Unix socket that libpq finds as host=DIRECTORY port=PORT.
 * A file that is in its place is removed. */
int socket_bind_unix(const char *directory, int port);

/* Begins to connect.  A host that begins with '/' is the directory of a Unix
 * socket; any other is a numeric IPv4 address. */
int socket_connect(const char *host, int port);
/* 0, or the errno of an attempt that has ended. */
int socket_error(int fd);

/* Accepts, without blocking later; small messages leave at once. */
int socket_accept(int listener);

/* Closes with a FIN: input that is there already is read first, because the
 * kernel sends RST instead if it is not. */
void socket_close_fin(int fd);
/* Closes with RST.  A Unix socket has no such thing: its peer sees ECONNRESET
 * only if something that it had sent was not read. */
void socket_close_rst(int fd);

#endif
