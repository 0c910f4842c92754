/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_MISUSE_H
#define CORE_MISUSE_H

#include "pool.h"

/* Counts it and tells of it; item: the resource's number, or 0.  Lock: not
 * held, and the pool may be over. */
void rpool__misuse(struct pool *pool, uint64_t item, const char *message);

#endif
