/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_EXPIRY_H
#define CORE_EXPIRY_H

#include "pool.h"

struct scan { /* what one look at all slots found */
    int64_t now, next;
    int acted;
    int reports_leaks; /* the cleaner's own look: leaks are told */
};

void rpool__scan_slot_locked(struct pool *pool, struct slot *slot,
                             struct scan *scan) POOL_LOCKED(pool);
/* For what is due of one slot; what is due now begins. */
void rpool__arm_slot_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

#endif
