/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/lock.h"

#include "base/sched.h"

#include <errno.h>

#define LOCK_ALIVE 0x6b636f6c206d6973U
#define COND_ALIVE 0x646e6f63206d6973U

static void expect(int fact, const char *otherwise)
{
    if (!fact)
        sim_fail("%s %s", sched_self()->name, otherwise);
}

int lock_init(struct lock *lock)
{
    if (sched_broken(SIM_LOCK_INIT))
        return ENOMEM;
    *lock = (struct lock){.alive = LOCK_ALIVE};
    return 0;
}

void lock_destroy(struct lock *lock)
{
    expect(lock->alive == LOCK_ALIVE, "destroys a lock that is none");
    expect(lock->owner == NULL, "destroys a lock that is held");
    lock->alive = 0;
}

/* Any waiting coroutine may get the lock next, as with a real mutex. */
static void lock_own(struct lock *lock)
{
    struct sim_thread *self = sched_self();
    while (lock->owner != NULL)
        sched_queue(lock, "lock");
    lock->owner = self;
    lock->since = sched_counts.atoms;
    self->locks++;
}

static void lock_disown(struct lock *lock)
{
    lock->owner = NULL;
    uint64_t atoms = sched_counts.atoms - lock->since;
    if (atoms > sched_counts.held)
        sched_counts.held = atoms;
    sched_self()->locks--;
    sched_wake_all(lock);
}

void lock_take(struct lock *lock) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    expect(lock->alive == LOCK_ALIVE, "takes a lock that is none");
    expect(lock->owner != sched_self(), "takes a lock that it holds");
    sched_counts.locks++;
    sched_point();
    lock_own(lock);
}

void lock_drop(struct lock *lock) LOCK_ATTRIBUTE(no_thread_safety_analysis)
{
    expect(lock->alive == LOCK_ALIVE, "drops a lock that is none");
    expect(lock->owner == sched_self(), "drops a lock that it does not hold");
    lock_disown(lock);
    sched_point();
}

int cond_init(struct cond *cond)
{
    if (sched_broken(SIM_COND_INIT))
        return ENOMEM;
    cond->alive = COND_ALIVE;
    return 0;
}

void cond_destroy(struct cond *cond)
{
    expect(cond->alive == COND_ALIVE, "destroys a condition that is none");
    expect(sched_waiter(cond) == NULL,
           "destroys a condition that is waited for");
    cond->alive = 0;
}

void cond_wait(struct cond *cond, struct lock *lock, int64_t deadline)
{
    expect(cond->alive == COND_ALIVE, "waits for a condition that is none");
    expect(lock->owner == sched_self(), "waits without holding the lock");
    expect(sched_self()->locks == 1, "waits while it holds a second lock");
    sched_counts.waits++;
    lock_disown(lock);
    if (decide_spurious())
        sim_yield();
    else
        (void)sched_block(cond, deadline, "condition");
    lock_own(lock);
}

void cond_wake(struct cond *cond)
{
    sched_counts.wakes++;
    sched_point();
    expect(cond->alive == COND_ALIVE, "wakes a condition that is none");
    struct sim_thread *waiter = sched_waiter(cond);
    if (waiter != NULL)
        sched_wake(waiter);
}

void cond_wake_all(struct cond *cond)
{
    sched_counts.wakes++;
    sched_point();
    expect(cond->alive == COND_ALIVE, "wakes a condition that is none");
    sched_wake_all(cond);
}
