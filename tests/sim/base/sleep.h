/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/sleep.h on coroutines.  A wake-up whose sleeper is gone finds the
 * coroutine that sleeps at the same address by then, as in the kernel. */
#ifndef BASE_SLEEP_H
#define BASE_SLEEP_H

#include "base/lock.h"

#include <stdint.h>

struct sleeper {
    uint64_t alive;
    const struct sim_thread *owner;
    int roused;
};

struct wake {
    const void *target;
};

void sleeper_init(struct sleeper *sleeper);
void sleeper_wait(struct sleeper *sleeper, struct lock *lock, int64_t deadline)
    LOCK_HELD(lock);
struct wake sleeper_rouse(struct sleeper *sleeper);
void wake_send(struct wake wake);

#endif
