/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_EXPIRY_H
#define CORE_EXPIRY_H

#include "pool.h"

/* One visit of some slots. */
struct scan {
    int64_t now, next; /* next: when the next thing is due */
    int acted;         /* how many slots have changed */
    int reports_leaks; /* this is the cleaner's scan, which reports leaks */
};

/* Does what is due of one slot, and lowers scan->next to when more is due. */
void rpool__scan_slot_locked(struct pool *pool, struct slot *slot,
                             struct scan *scan) POOL_LOCKED(pool);

/* The same for a slot that has just changed.  Has the cleaner wake in time. */
void rpool__arm_slot_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

#endif
