/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The search for an idle slot, and the transitions that an owner makes. */
#include "slot.h"

#include <stdlib.h>

rpool_reason rpool__flag_reason(uint64_t word)
{
    if (word & SLOT_HUNG_UP)
        return RPOOL_REASON_HANGUP;
    return word & SLOT_RECYCLED ? RPOOL_REASON_RECYCLE : RPOOL_REASON_NONE;
}

/* How many idle slots are looked at for a fitter one. */
enum { MOST_LOOKS = 64 };

struct search {
    struct slot *best[FITNESSES]; /* the first of each fitness */
    int looks;
};

static int consider(struct search *search, const struct pool *pool,
                    struct slot *slot, int64_t now, unsigned accept)
{
    uint64_t word = atom_load(&slot->word);
    if (word_state(word) != SLOT_IDLE) {
        slot_clear_hint(pool, slot);
        return 0;
    }
    enum fitness fitness = slot_fitness(pool, slot, word, now);
    search->looks++;
    if ((accept & ACCEPT(fitness)) == 0)
        return 0;
    if (search->best[fitness] == NULL)
        search->best[fitness] = slot;
    return fitness == FIT_NOW;
}

struct slot *rpool__find(struct pool *pool, int64_t now, unsigned accept,
                         uint32_t from, int unwished)
{
    struct search search = {0};
    uint32_t nslots = (uint32_t)atom_load(&pool->nslots);
    for (uint32_t base = from & ~(uint32_t)(CHUNK_SLOTS - 1);
         base < nslots && search.looks < MOST_LOOKS; base += CHUNK_SLOTS) {
        uint64_t bits =
            atom_load(&pool->chunks[base / CHUNK_SLOTS]->maybe_idle);
        if (base < from)
            bits &= ~(uint64_t)0 << (from - base);
        for (; bits != 0 && search.looks < MOST_LOOKS; bits &= bits - 1) {
            struct slot *slot =
                pool_slot(pool, base + (uint32_t)__builtin_ctzll(bits));
            if (unwished && slot->wished)
                search.looks++;
            else if (consider(&search, pool, slot, now, accept))
                return slot;
        }
    }
    for (int fitness = 0; fitness < FITNESSES; fitness++)
        if (search.best[fitness] != NULL)
            return search.best[fitness];
    return NULL;
}

/* If another thread claims the slot between the search and the swap, the search
 * begins again: that thread has made progress. */
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

int rpool__make_lent(struct slot *slot)
{
    uint64_t word = atom_load(&slot->word);
    do {
        if (word & SLOT_LEAVE)
            return 0;
    } while (!atom_cas(
        &slot->word, &word,
        (word_with(word, SLOT_LENT) & ~(uint64_t)(SLOT_ANSWER | SLOT_PROVEN)) +
            SERIAL_ONE));
    return 1;
}

/* Chunks are published before nslots says that they are there. */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh)
{
    for (uint32_t c = 0; c * CHUNK_SLOTS < nslots; c++) {
        if (pool->chunks[c] != NULL)
            continue;
        struct chunk *chunk = aligned_alloc(128, sizeof *chunk);
        if (chunk == NULL)
            return -1;
        *chunk = (struct chunk){0};
        for (uint32_t i = 0; i < CHUNK_SLOTS; i++) {
            chunk->slots[i].index = c * CHUNK_SLOTS + i;
            list_init(&chunk->slots[i].node);
        }
        pool->chunks[c] = chunk;
    }
    for (uint32_t i = (uint32_t)atom_load(&pool->nslots); i < nslots; i++) {
        struct slot *slot = pool_slot(pool, i);
        atom_put(&slot->leases, 0); /* of the shell's last pool */
        atom_put(&slot->checks, 0);
        list_push_back(fresh, &slot->node);
    }
    return 0;
}

void rpool__add_locked(struct pool *pool, uint32_t nslots, struct list *fresh)
{
    list_append(&pool->empty, fresh);
    if (nslots > atom_load(&pool->nslots))
        atom_store(&pool->nslots, nslots);
}
