/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/lock.h on relacy.  A wait with a deadline may time out at any
 * moment. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdint.h>

#define LOCK_ATTRIBUTE(x)
#define LOCK_HELD(...)

struct lock {
    void *cell;
};

struct cond {
    int alive;
    void *cell; /* NULL: nobody has slept on it yet */
};

int lock_init(struct lock *lock);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);

int cond_init(struct cond *cond);
void cond_destroy(struct cond *cond);
void cond_wait(struct cond *cond, struct lock *lock, int64_t deadline);
void cond_wake(struct cond *cond);
void cond_wake_all(struct cond *cond);

#endif
