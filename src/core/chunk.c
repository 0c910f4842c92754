/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The memory of slots.
 *
 * A chunk is one allocation: first the hints for all multiples of HINT_SLOTS
 * among the indexes of the chunk's slots, then the slots.
 */
#include "chunk.h"

#include <stdlib.h>

/* Returns the number of slots.  The last chunk ends at MAX_ITEMS. */
static uint32_t chunk_size(uint32_t chunk)
{
    assert(chunk < CHUNKS);
    uint32_t end = (uint32_t)2 << chunk;
    return (end < MAX_ITEMS ? end : MAX_ITEMS) - chunk_first(chunk);
}

/* Returns the number of hints. */
static uint32_t chunk_hints(uint32_t chunk)
{
    uint32_t end = chunk_first(chunk) + chunk_size(chunk);
    return (end + HINT_SLOTS - 1) / HINT_SLOTS -
           (chunk_first(chunk) + HINT_SLOTS - 1) / HINT_SLOTS;
}

/* Returns the hint of the slot with that index.  The chunk of the hint may be
 * an earlier one than that of the slot; both have been allocated. */
static struct hint *find_hint(const struct pool *pool, uint32_t index)
{
    uint32_t chunk = chunk_of(index - index % HINT_SLOTS);
    assert(pool->slots.chunks[chunk] != 0);

    uintptr_t slots = (uintptr_t)pool_slot(pool, chunk_first(chunk));
    return (struct hint *)slots - chunk_hints(chunk) +
           (index - chunk_first(chunk)) / HINT_SLOTS;
}

static int make_chunk(struct pool *pool, uint32_t chunk)
{
    assert(pool->slots.chunks[chunk] == 0);
    uint32_t size = chunk_size(chunk), hints = chunk_hints(chunk);
    struct hint *made = aligned_alloc(128, hints * sizeof(struct hint) +
                                               size * sizeof(struct slot));
    if (made == NULL)
        return -1;

    for (uint32_t i = 0; i < hints; i++)
        made[i] = (struct hint){0};
    pool->memory[chunk] = made;
    pool->slots.chunks[chunk] =
        (uintptr_t)(made + hints) - chunk_first(chunk) * sizeof(struct slot);
    return 0;
}

/* Other threads find the new chunks only after rpool__add_locked() has stored
 * the new number of slots. */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh)
{
    assert(nslots > 0 && nslots <= MAX_ITEMS);

    for (uint32_t c = 0; c <= chunk_of(nslots - 1); c++)
        if (pool->slots.chunks[c] == 0 && make_chunk(pool, c) != 0)
            return -1;

    for (; pool->made < nslots; pool->made++) {
        struct slot *slot = pool_slot(pool, pool->made);
        *slot = (struct slot){.index = pool->made,
                              .hint = find_hint(pool, pool->made)};
        list_init(&slot->node);
        list_init(&slot->leak_node);
    }

    /* The last pool in this cell may have used these slots. */
    for (uint32_t i = (uint32_t)atom_load(&pool->slots.count); i < nslots;
         i++) {
        struct slot *slot = pool_slot(pool, i);
        assert(word_state(atom_load(&slot->word)) == SLOT_EMPTY);
        atom_put(&slot->leases, 0);
        atom_put(&slot->checks, 0);
        list_push_back(fresh, &slot->node);
    }
    return 0;
}

void rpool__add_locked(struct pool *pool, uint32_t nslots, struct list *fresh)
{
    assert(nslots <= pool->made);
    list_append(&pool->lists.empty, fresh);
    if (nslots > atom_load(&pool->slots.count))
        atom_store(&pool->slots.count, nslots);
}
