/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The memory of slots. */
#include "chunk.h"

#include <stdlib.h>

/* The last chunk ends with the largest pool. */
static uint32_t chunk_size(uint32_t chunk)
{
    uint32_t end = (uint32_t)2 << chunk;
    return (end < MAX_ITEMS ? end : MAX_ITEMS) - chunk_first(chunk);
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
    pool->slots.chunks[chunk] =
        (uintptr_t)(made + hints) - chunk_first(chunk) * sizeof(struct slot);
    return 0;
}

/* Chunks are published before nslots says that they are there. */
int rpool__grow(struct pool *pool, uint32_t nslots, struct list *fresh)
{
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
    for (uint32_t i = (uint32_t)atom_load(&pool->slots.count); i < nslots;
         i++) {
        struct slot *slot = pool_slot(pool, i);
        atom_put(&slot->leases, 0); /* of the shell's last pool */
        atom_put(&slot->checks, 0);
        list_push_back(fresh, &slot->node);
    }
    return 0;
}

void rpool__add_locked(struct pool *pool, uint32_t nslots, struct list *fresh)
{
    list_append(&pool->lists.empty, fresh);
    if (nslots > atom_load(&pool->slots.count))
        atom_store(&pool->slots.count, nslots);
}
