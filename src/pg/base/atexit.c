/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * exit() takes the state of OpenSSL and Kerberos away, whoever is using it.
 * So threads of ours say when they are inside libpq, and a handler of exit()
 * lets them come out, for a moment, and none in again.  What they were at is
 * left to the kernel.
 */
#include "pg/base/atexit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"
#include "pg/base/openssl.h"

enum { MOMENT_MS = 1000 };

static atomic_int inside, ending;

static void let_them_out(void)
{
    atomic_store(&ending, 1);
    for (int ms = 0; ms < MOMENT_MS && atomic_load(&inside) > 0; ms++)
        (void)poll(NULL, 0, 1);
}

/* The child has none of the parent's threads. */
static void forget_them(void)
{
    atomic_store(&inside, 0);
}

/* Handlers run in reverse order: OpenSSL's, set by now, comes after ours. */
static void watch_for_end(void)
{
    pqp__tls_begin();
    (void)atexit(let_them_out);
    (void)thread_at_fork(forget_them);
}

void pqp__ending_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_for_end);
}

int pqp__libpq_enter(void)
{
    atomic_fetch_add(&inside, 1);
    if (!atomic_load(&ending))
        return 1;
    pqp__libpq_leave();
    return 0;
}

void pqp__libpq_leave(void)
{
    atomic_fetch_sub(&inside, 1);
}
