/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sleeping until one event happens, for one thread.
 *
 * A sleeper is a record on the stack of the thread that sleeps.  The thread
 * that ends the sleep marks the record while it holds the mutex, and sends the
 * wake-up after it has dropped the mutex.  By then the sleeper may have found
 * the mark by itself, and its record may be gone.  Therefore a wake-up is a
 * value: the kernel compares its address with those of the sleeping threads,
 * and never reads the memory at that address.
 */
#ifndef BASE_SLEEP_H
#define BASE_SLEEP_H

#include "base/lock.h"
#include "base/platform.h"

#include <stdint.h>

/* A wake-up that is still to be sent.  It is a copy, so that it stays valid
 * when the sleeper is gone. */
struct wake {
    const void *target;
};

void sleeper_init(struct sleeper *sleeper);

/* Drops the mutex, sleeps, and takes the mutex again.  Returns when the sleeper
 * was roused (at once if it was roused before), when the deadline has passed,
 * or for no reason: the caller tests its predicate and the clock again. */
void sleeper_wait(struct sleeper *sleeper, struct lock *lock, int64_t deadline)
    LOCK_HELD(lock);

/* Ends the sleep of a sleeper that exists.  The caller holds the mutex, and
 * passes the result to wake_send() after it has dropped the mutex. */
struct wake sleeper_rouse(struct sleeper *sleeper);

/* Lock: not held.  The sleeper need not exist any more. */
void wake_send(struct wake wake);

#endif
