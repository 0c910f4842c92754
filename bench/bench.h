/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a peer is to the harness: one pool in one process.  bench/peers has one
 * file for each; each becomes a program of its own, so that no peer carries
 * another's libraries, and a call of the peer is a plain call.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* Opens the pool and returns how many resources stand ready: `size`, or one
 * for each thread.  Connections, or, where the peer can pool anything and
 * `real` is 0, something that costs nothing.  Failures end the process. */
int peer_open(int size, int threads, int real);
void *peer_acquire(int thread); /* waits for ever */
void peer_release(int thread, void *lease);
/* The statement, on the lease; its result is read and dropped. */
void peer_run(void *lease, const char *sql);
/* The same, prepared by hand earlier as "lookup", with one integer. */
void peer_lookup(void *lease, int key);

/* resource.c: what the peers in C put into their pools. */
void *resource_make(int real);
void resource_run(void *resource, const char *sql);
void resource_lookup(void *resource, int key);
const char *resource_conninfo(void);

/* harness.c */
_Noreturn void die(const char *what);
int64_t now_ns(void);

#endif
