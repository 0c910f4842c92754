/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_SEARCH_H
#define CORE_SEARCH_H

#include "slot.h"

/* Returns the first idle slot from that index on, or NULL.  Clears the hints of
 * slots before it that are not idle. */
struct slot *rpool__next_idle(struct pool *pool, uint32_t from);

/* Returns the highest slot below that index whose hint is set, or NULL. */
struct slot *rpool__hinted_below(const struct pool *pool, uint32_t below);

/* Returns the fittest idle slot from that index on whose fitness is in
 * `accept`, and of equally fit ones the lowest; NULL if there is none.  Looks
 * at MOST_LOOKS idle slots at most.  unrequested: only a slot that no check is
 * requested for; the mutex must be held. */
struct slot *rpool__find(struct pool *pool, int64_t now, unsigned accept,
                         uint32_t from, int unrequested);

/* Claims the slot that rpool__find() finds: LEASED if it needs nothing, else
 * CHECKING.  Returns its word and stores it in *out, or returns 0. */
uint64_t rpool__claim(struct pool *pool, int64_t now, unsigned accept,
                      uint32_t from, struct slot **out);

#endif
