/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_MISUSE_H
#define CORE_MISUSE_H

#include "pool.h"

/* Counts the misuse and emits MISUSE.  `number` is that of the resource, or 0.
 * The pool may be over; then nothing happens.  Lock: not held. */
void rpool__misuse(struct pool *pool, uint64_t number, const char *message);

#endif
