/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Something that listens where a server should: it answers the first bytes of
 * each connection with the same few bytes, and is silent ever after.
 */
#ifndef SUPPORT_LISTENER_H
#define SUPPORT_LISTENER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct listener {
    int fd, port, stop[2];
    const char *reply; /* NULL: nothing at all */
    size_t size;
    atomic_int accepted;
    size_t heard; /* bytes; to be read after listener_end() */
    pthread_t thread;
};

/* On a free port of 127.0.0.1; fails the test if it cannot. */
void listener_start(struct listener *listener, const char *reply, size_t size);
void listener_end(struct listener *listener);
/* The server's connection string with this one's place and `setting`. */
const char *listener_dsn(const struct listener *listener, const char *setting);

#endif
