/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/lock.h"

#include "base/clock.h"

#include <assert.h>
#include <time.h>

int lock_init(struct lock *lock)
{
    return pthread_mutex_init(&lock->mutex, NULL);
}

void lock_destroy(struct lock *lock)
{
    (void)pthread_mutex_destroy(&lock->mutex);
}

void lock_take(struct lock *lock) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    int rc = pthread_mutex_lock(&lock->mutex);
    assert(rc == 0);
    (void)rc;
}

void lock_drop(struct lock *lock) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    int rc = pthread_mutex_unlock(&lock->mutex);
    assert(rc == 0);
    (void)rc;
}

int cond_init(struct cond *cond)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(&cond->cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    return rc;
}

void cond_destroy(struct cond *cond)
{
    (void)pthread_cond_destroy(&cond->cond);
}

void cond_wait(struct cond *cond, struct lock *lock, int64_t deadline)
{
    if (deadline == CLOCK_NEVER) {
        (void)pthread_cond_wait(&cond->cond, &lock->mutex);
        return;
    }
    struct timespec t = {.tv_sec = (time_t)(deadline / 1000000000),
                         .tv_nsec = (long)(deadline % 1000000000)};
    (void)pthread_cond_timedwait(&cond->cond, &lock->mutex, &t);
}

void cond_wake(struct cond *cond)
{
    (void)pthread_cond_signal(&cond->cond);
}

void cond_wake_all(struct cond *cond)
{
    (void)pthread_cond_broadcast(&cond->cond);
}
