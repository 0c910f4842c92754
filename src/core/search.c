/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The search for an idle slot, without the mutex, by the hints of 64 slots. */
#include "search.h"

struct slot *rpool__next_idle(struct pool *pool, uint32_t from)
{
    uint32_t nslots = (uint32_t)atom_load(&pool->slots.count);
    for (uint32_t base = from & ~(uint32_t)(HINT_SLOTS - 1); base < nslots;
         base += HINT_SLOTS) {
        uint64_t bits = atom_load(&pool_slot(pool, base)->hint->maybe_idle);
        if (base < from)
            bits &= ~(uint64_t)0 << (from - base);
        for (; bits != 0; bits &= bits - 1) {
            struct slot *slot =
                pool_slot(pool, base + (uint32_t)__builtin_ctzll(bits));
            if (word_state(atom_load(&slot->word)) == SLOT_IDLE)
                return slot;
            slot_clear_hint(slot);
        }
    }
    return NULL;
}

struct slot *rpool__find(struct pool *pool, int64_t now, unsigned accept,
                         uint32_t from, int unrequested)
{
    assert((accept & ACCEPT(FIT_NOT)) == 0);
    struct slot *best[FITNESSES] = {0}; /* the first of each fitness */
    struct slot *slot = rpool__next_idle(pool, from);
    for (int looks = 1; slot != NULL; looks++) {
        enum fitness fitness =
            slot_fitness(pool, slot, atom_load(&slot->word), now);
        if (accept & ACCEPT(fitness) &&
            !(unrequested && slot->check_requested)) {
            if (best[fitness] == NULL)
                best[fitness] = slot;
            if ((accept & (ACCEPT(fitness) - 1)) == 0)
                return slot; /* no fitter one is accepted */
        }
        slot =
            looks < MOST_LOOKS ? rpool__next_idle(pool, slot->index + 1) : NULL;
    }

    for (int fitness = 0; fitness < FITNESSES; fitness++)
        if (best[fitness] != NULL)
            return best[fitness];
    return NULL;
}

struct slot *rpool__hinted_below(const struct pool *pool, uint32_t below)
{
    while (below > 0) {
        uint32_t base = (below - 1) & ~(uint32_t)(HINT_SLOTS - 1);
        uint64_t bits = atom_load(&pool_slot(pool, base)->hint->maybe_idle);
        bits &= ~(uint64_t)0 >> (HINT_SLOTS - (below - base));
        if (bits != 0)
            return pool_slot(pool, base + 63 - (uint32_t)__builtin_clzll(bits));
        below = base;
    }
    return NULL;
}

/* If another thread claims the slot between the search and the swap, the search
 * starts again.  The other thread has made progress then. */
uint64_t rpool__claim(struct pool *pool, int64_t now, unsigned accept,
                      uint32_t from, struct slot **out)
{
    struct slot *slot;
    while ((slot = rpool__find(pool, now, accept, from, 0)) != NULL) {
        uint64_t word = slot_claim(pool, slot, now, accept);
        if (word != 0) {
            *out = slot;
            return word;
        }
    }
    return 0;
}
