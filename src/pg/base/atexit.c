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

enum { EXIT_GRACE_MS = 1000 };

static atomic_int libpq_users, exiting;

static void wait_for_libpq_users(void)
{
    atomic_store(&exiting, 1);
    for (int ms = 0; ms < EXIT_GRACE_MS && atomic_load(&libpq_users) > 0; ms++)
        (void)poll(NULL, 0, 1);
}

/* The child has none of the parent's threads. */
static void reset_after_fork(void)
{
    atomic_store(&libpq_users, 0);
}

/* Handlers run in reverse order: OpenSSL's, set by now, comes after ours. */
static void register_handlers(void)
{
    pqp__openssl_init();
    (void)atexit(wait_for_libpq_users);
    (void)thread_at_fork(reset_after_fork);
}

void pqp__atexit_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, register_handlers);
}

int pqp__libpq_enter(void)
{
    atomic_fetch_add(&libpq_users, 1);
    if (!atomic_load(&exiting))
        return 1;
    pqp__libpq_leave();
    return 0;
}

void pqp__libpq_leave(void)
{
    atomic_fetch_sub(&libpq_users, 1);
}
