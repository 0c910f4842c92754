/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Transitions of one slot's word that need no mutex, and the search for an
 * idle slot.
 *
 * maybe_idle is a hint that errs on one side only: an idle slot's bit is set,
 * but for a moment that the argument at clear_hint closes.  So a claim and a
 * release of the same slot write nothing that is shared with other slots.
 */
#include "internal.h"

#include <stdlib.h>

uint64_t rpool__item_handle(const struct pool *pool, const struct slot *slot)
{
    return (atom_load(&slot->word) & SERIAL_MASK) |
           (uint64_t)slot->index << SHELL_BITS | (uint64_t)pool->shell;
}

rpool_reason rpool__flag_reason(uint64_t word)
{
    if (word & SLOT_HUNG_UP)
        return RPOOL_REASON_HANGUP;
    return word & SLOT_RECYCLED ? RPOOL_REASON_RECYCLE : RPOOL_REASON_NONE;
}

static struct chunk *chunk_of(struct pool *pool, const struct slot *slot)
{
    return pool->chunks[slot->index / CHUNK_SLOTS];
}

static uint64_t bit_of(const struct slot *slot)
{
    return (uint64_t)1 << (slot->index % CHUNK_SLOTS);
}

static void set_hint(struct pool *pool, const struct slot *slot)
{
    struct atom *hint = &chunk_of(pool, slot)->maybe_idle;
    if ((atom_load(hint) & bit_of(slot)) == 0)
        (void)atom_or(hint, bit_of(slot));
}

/*
 * Clears, then looks at the word again; set_hint comes after the word became
 * IDLE.  In the one order of all four, either this look sees IDLE and sets the
 * bit again, or set_hint's look comes after the clearing and sets it.
 */
static void clear_hint(struct pool *pool, const struct slot *slot)
{
    (void)atom_and(&chunk_of(pool, slot)->maybe_idle, ~bit_of(slot));
    if (word_state(atom_load(&slot->word)) == SLOT_IDLE)
        set_hint(pool, slot);
}

/* Must it prove itself before it is lent?  Read before the claim: what changes
 * until then can only have proven it since. */
static int check_due(const struct pool *pool, const struct slot *slot,
                     int64_t now)
{
    if (pool->provider.check == NULL)
        return 0;
    int64_t proven = (int64_t)atom_peek(&slot->proven);
    return pool->check_always || now - proven >= pool->check_after ||
           proven < (int64_t)atom_peek(&pool->suspect);
}

static int claim_slot(struct pool *pool, struct slot *slot, int64_t now,
                      int eager_only)
{
    uint64_t word = atom_load(&slot->word);
    while (word_state(word) == SLOT_IDLE && (word & SLOT_LEAVE) == 0 &&
           now < (int64_t)atom_peek(&slot->expires)) {
        uint64_t claimed = word_with(word, SLOT_LENT) + SERIAL_ONE;
        if (word & SLOT_ANSWER)
            claimed = word_with(word, SLOT_CHECKING);
        else if (check_due(pool, slot, now)) {
            if (eager_only)
                return 0;
            claimed = word_with(word, SLOT_CHECKING);
        }
        if (atom_cas(&slot->word, &word, claimed))
            return 1;
    }
    return 0;
}

struct slot *rpool__claim(struct pool *pool, int64_t now, int eager_only,
                          uint32_t from)
{
    uint32_t nslots = (uint32_t)atom_load(&pool->nslots);
    const struct thread_memo *memo = thread_memo();
    if (from == 0 &&
        memo->key == (atom_peek(&pool->gate) | (uint64_t)pool->shell) &&
        memo->value < nslots && now - memo->time <= 2 * CLOCK_COARSE_TICK) {
        struct slot *slot = pool_slot(pool, (uint32_t)memo->value);
        if (claim_slot(pool, slot, now, eager_only))
            return slot;
    }
    for (uint32_t base = from & ~(uint32_t)(CHUNK_SLOTS - 1); base < nslots;
         base += CHUNK_SLOTS) {
        uint64_t bits =
            atom_load(&pool->chunks[base / CHUNK_SLOTS]->maybe_idle);
        if (base < from)
            bits &= ~(uint64_t)0 << (from - base);
        for (; bits != 0; bits &= bits - 1) {
            struct slot *slot =
                pool_slot(pool, base + (uint32_t)__builtin_ctzll(bits));
            if (claim_slot(pool, slot, now, eager_only))
                return slot;
            if (word_state(atom_load(&slot->word)) != SLOT_IDLE)
                clear_hint(pool, slot);
        }
    }
    return NULL;
}

int rpool__make_idle(struct pool *pool, struct slot *slot, uint64_t flags)
{
    uint64_t word = atom_load(&slot->word);
    do {
        if (word & SLOT_LEAVE)
            return 0;
    } while (!atom_cas(&slot->word, &word,
                       (word_with(word, SLOT_IDLE) & ~(uint64_t)SLOT_ANSWER) |
                           flags));
    set_hint(pool, slot);
    return 1;
}

int rpool__make_lent(struct slot *slot)
{
    uint64_t word = atom_load(&slot->word);
    do {
        if (word & SLOT_LEAVE)
            return 0;
    } while (!atom_cas(&slot->word, &word,
                       (word_with(word, SLOT_LENT) & ~(uint64_t)SLOT_ANSWER) +
                           SERIAL_ONE));
    return 1;
}

/* Chunks are published before nslots says that they are there. */
int rpool__grow(struct pool *pool, uint32_t nslots)
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
    if (nslots > atom_load(&pool->nslots))
        atom_store(&pool->nslots, nslots);
    return 0;
}
