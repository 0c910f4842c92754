/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/sleep.h"

#include "base/sched.h"

#define SLEEPER_ALIVE 0x7065656c73006973U

static void expect(int fact, const char *otherwise)
{
    if (!fact)
        sim_fail("%s %s", sched_self()->name, otherwise);
}

void sleeper_init(struct sleeper *sleeper)
{
    *sleeper = (struct sleeper){.alive = SLEEPER_ALIVE, .owner = sched_self()};
}

void sleeper_wait(struct sleeper *sleeper, struct lock *lock, int64_t deadline)
{
    expect(sleeper->alive == SLEEPER_ALIVE, "sleeps on a sleeper that is none");
    expect(sleeper->owner == sched_self(), "sleeps on another's sleeper");
    expect(sched_self()->locks == 1, "sleeps while it holds a second lock");
    sched_counts.waits++;
    lock_drop(lock);
    if (decide_spurious())
        sim_yield();
    else if (!sleeper->roused)
        (void)sched_block(sleeper, deadline, "sleeper");
    lock_take(lock);
}

struct wake sleeper_rouse(struct sleeper *sleeper)
{
    expect(sleeper->alive == SLEEPER_ALIVE, "rouses a sleeper that is none");
    expect(sched_self()->locks == 1, "rouses without holding the lock");
    sleeper->roused = 1;
    return (struct wake){.target = sleeper};
}

void wake_send(struct wake wake)
{
    sched_counts.wakes++;
    sched_point();
    struct sim_thread *sleeping = sched_waiter(wake.target);
    if (sleeping != NULL)
        sched_wake(sleeping);
}
