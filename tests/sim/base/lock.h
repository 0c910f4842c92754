/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/lock.h on coroutines.  A lock and a condition variable know whether
 * they are alive, so that use after their end is a failure. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdint.h>

#if defined(__clang__)
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif
#define LOCK_HELD(...) LOCK_ATTRIBUTE(requires_capability(__VA_ARGS__))

struct LOCK_ATTRIBUTE(capability("mutex")) lock {
    uint64_t alive;
    const struct sim_thread *owner;
    uint64_t since; /* sched_counts.atoms when the owner took it */
};

struct cond {
    uint64_t alive;
};

int lock_init(struct lock *lock);
void lock_destroy(struct lock *lock);
void lock_take(struct lock *lock) LOCK_ATTRIBUTE(acquire_capability(lock));
void lock_drop(struct lock *lock) LOCK_ATTRIBUTE(release_capability(lock));

int cond_init(struct cond *cond);
void cond_destroy(struct cond *cond);
void cond_wait(struct cond *cond, struct lock *lock, int64_t deadline)
    LOCK_HELD(lock);
void cond_wake(struct cond *cond);
void cond_wake_all(struct cond *cond);

#endif
