/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/sleep.h on relacy's futex.  The futex word has a cell that lives as
 * long as the run: relacy does not know that stacks are used again. */
#ifndef BASE_SLEEP_H
#define BASE_SLEEP_H

#include "base/lock.h"

#include <stdint.h>

struct sleeper {
    void *cell;
};

struct wake {
    void *target;
};

void sleeper_init(struct sleeper *sleeper);
void sleeper_wait(struct sleeper *sleeper, struct lock *lock, int64_t deadline);
struct wake sleeper_rouse(struct sleeper *sleeper);
void wake_send(struct wake wake);

#endif
