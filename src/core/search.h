/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_SEARCH_H
#define CORE_SEARCH_H

#include "slot.h"

/* The first slot from `from` on that is idle, or NULL; clears the hints of
 * those before it that are not. */
struct slot *rpool__next_idle(struct pool *pool, uint32_t from);
/* The next slot whose hint says that it may be idle, below `below`, or NULL. */
struct slot *rpool__hinted_below(const struct pool *pool, uint32_t below);
/* The fittest idle slot from `from` on, of those whose fitness is in `accept`,
 * and of equal ones the lowest; NULL if there is none.  At most 64 idle slots
 * are looked at for a fitter one.  unrequested: only one that is not wished to
 * be checked yet (with the mutex held). */
struct slot *rpool__find(struct pool *pool, int64_t now, unsigned accept,
                         uint32_t from, int unrequested);
/* Claims that slot: LEASED if it is ready, else CHECKING.  Returns its word and
 * sets *out, or returns 0. */
uint64_t rpool__claim(struct pool *pool, int64_t now, unsigned accept,
                      uint32_t from, struct slot **out);

#endif
