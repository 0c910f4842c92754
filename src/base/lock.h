/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* A mutex, and a condition variable on the monotonic clock, with attributes for
 * clang's thread-safety analysis. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "base/annotate.h"
#include "base/platform.h"

#include <stdint.h>

/* Returns 0, or an errno value. */
int lock_init(struct lock *lock);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock) LOCK_ATTRIBUTE(acquire_capability(lock));
void lock_drop(struct lock *lock) LOCK_ATTRIBUTE(release_capability(lock));

/* Returns 0, or an errno value. */
int cond_init(struct cond *cond);
void cond_destroy(struct cond *cond);

/* Sleeps until another thread wakes the condition variable or the deadline
 * passes.  It may also return early, so the caller tests its condition and the
 * clock again. */
void cond_wait(struct cond *cond, struct lock *lock, int64_t deadline)
    LOCK_HELD(lock);
void cond_wake(struct cond *cond);
void cond_wake_all(struct cond *cond);

#endif
