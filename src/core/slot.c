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

struct slot *rpool__next_idle(struct pool *pool, uint32_t from)
{
    uint32_t nslots = (uint32_t)atom_load(&pool->nslots);
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
            slot_clear_hint(pool, slot);
        }
    }
    return NULL;
}

struct slot *rpool__find(struct pool *pool, int64_t now, unsigned accept,
                         uint32_t from, int unwished)
{
    struct slot *best[FITNESSES] = {0}; /* the first of each fitness */
    struct slot *slot = rpool__next_idle(pool, from);
    for (int looks = 1; slot != NULL; looks++) {
        enum fitness fitness =
            slot_fitness(pool, slot, atom_load(&slot->word), now);
        if (accept & ACCEPT(fitness) && !(unwished && slot->wished)) {
            if (best[fitness] == NULL)
                best[fitness] = slot;
            if ((accept & (ACCEPT(fitness) - 1)) == 0)
                return slot; /* there is no fitter one */
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

int rpool__make_leased(struct slot *slot)
{
    uint64_t word = atom_load(&slot->word);
    do {
        if (word & SLOT_LEAVE)
            return 0;
    } while (!atom_cas(&slot->word, &word,
                       (word_with(word, SLOT_LEASED) &
                        ~(uint64_t)(SLOT_ANSWER | SLOT_PROVEN)) +
                           SERIAL_ONE));
    return 1;
}

/* The last chunk ends with the largest pool. */
static uint32_t chunk_size(uint32_t chunk)
{
    uint32_t end = (uint32_t)2 << chunk;
    return (end < MAX_SIZE ? end : MAX_SIZE) - chunk_first(chunk);
}

/* Of the multiples of HINT_SLOTS among the chunk's slots. */
static uint32_t chunk_hints(uint32_t chunk)
{
    uint32_t end = chunk_first(chunk) + chunk_size(chunk);
    return (end + HINT_SLOTS - 1) / HINT_SLOTS -
           (chunk_first(chunk) + HINT_SLOTS - 1) / HINT_SLOTS;
}

/* Its chunk is there. */
static struct hint *find_hint(const struct pool *pool, uint32_t index)
{
    uint32_t chunk = chunk_of(index - index % HINT_SLOTS);
    uintptr_t slots = (uintptr_t)pool_slot(pool, chunk_first(chunk));
    return (struct hint *)slots - chunk_hints(chunk) +
           (index - chunk_first(chunk)) / HINT_SLOTS;
}

static int make_chunk(struct pool *pool, uint32_t chunk)
{
    uint32_t size = chunk_size(chunk), hints = chunk_hints(chunk);
    struct hint *made = aligned_alloc(128, hints * sizeof(struct hint) +
                                               size * sizeof(struct slot));
    if (made == NULL)
        return -1;
    for (uint32_t i = 0; i < hints; i++)
        made[i] = (struct hint){0};
    pool->memory[chunk] = made;
    pool->chunks[chunk] =
        (uintptr_t)(made + hints) - chunk_first(chunk) * sizeof(struct slot);
    return 0;
}

/* Chunks are published before nslots says that they are there. */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh)
{
    for (uint32_t c = 0; c <= chunk_of(nslots - 1); c++)
        if (pool->chunks[c] == 0 && make_chunk(pool, c) != 0)
            return -1;
    for (; pool->made < nslots; pool->made++) {
        struct slot *slot = pool_slot(pool, pool->made);
        *slot = (struct slot){.index = pool->made,
                              .hint = find_hint(pool, pool->made)};
        list_init(&slot->node);
        list_init(&slot->leaking);
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
