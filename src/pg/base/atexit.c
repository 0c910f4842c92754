/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * exit() takes away the state of OpenSSL and Kerberos, even if another thread
 * is using it.  So the threads of the pool count themselves while they are
 * inside libpq.  A handler of exit() waits for them, for a limited time, and
 * lets no thread enter any more.  The kernel frees their connections.
 */
#include "pg/base/atexit.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"
#include "pg/base/openssl.h"

enum { EXIT_GRACE_MS = 1000 };

static atomic_int libpq_users; /* threads of the pool inside libpq */
static atomic_int exiting;     /* set once, by the handler */

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

/* exit() runs handlers in reverse order.  OpenSSL has registered its own by
 * now, so that it runs after ours. */
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

/* The thread counts itself before it reads `exiting`, and the handler sets
 * `exiting` before it reads the count: so at least one of the two sees the
 * other. */
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
    int before = atomic_fetch_sub(&libpq_users, 1);
    assert(before > 0);
    (void)before;
}
