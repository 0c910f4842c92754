/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A listening socket that is no PostgreSQL server.  It answers the first bytes
 * of each connection with fixed bytes, and then stays silent.
 */
#ifndef SUPPORT_LISTENER_H
#define SUPPORT_LISTENER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct listener {
    int fd, port, stop[2];
    const char *reply; /* NULL: no answer */
    size_t size;
    atomic_int accepted;
    size_t heard; /* number of bytes; to be read after listener_end() */
    pthread_t thread;
};

/* Listens on a free port of 127.0.0.1, or fails the test. */
void listener_start(struct listener *listener, const char *reply, size_t size);
void listener_end(struct listener *listener);
/* Returns the server's connection string with the host and port of the
 * listener, and with `setting`. */
const char *listener_dsn(const struct listener *listener, const char *setting);

#endif
