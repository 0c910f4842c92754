/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The transitions of one slot that the quick paths make, inline, and the hint
 * that finds idle slots.
 *
 * maybe_idle is a hint that errs on one side only: an idle slot's bit is set,
 * but for a moment that the argument at slot_clear_hint closes.  So a claim and
 * a release of the same slot write nothing that is shared with other slots.
 */
#ifndef CORE_SLOT_H
#define CORE_SLOT_H

#include "pool.h"

/* The flags of a word that end where its item becomes IDLE. */
enum { SLOT_OF_LEASE = SLOT_OWES_ANSWER | SLOT_CHECKED | SLOT_USED };

static inline struct atom *slot_hint(const struct pool *pool,
                                     const struct slot *slot)
{
    (void)pool;
    return &slot->hint->maybe_idle;
}

static inline uint64_t slot_bit(const struct slot *slot)
{
    return (uint64_t)1 << (slot->index % HINT_SLOTS);
}

static inline void slot_set_hint(const struct pool *pool,
                                 const struct slot *slot)
{
    struct atom *hint = slot_hint(pool, slot);
    if ((atom_load(hint) & slot_bit(slot)) == 0)
        (void)atom_or(hint, slot_bit(slot));
}

/*
 * Clears, then looks at the word again; slot_set_hint comes after the word
 * became IDLE.  In the one order of all four, either this look sees IDLE and
 * sets the bit again, or slot_set_hint's look comes after the clearing and
 * sets it.
 */
static inline void slot_clear_hint(const struct pool *pool,
                                   const struct slot *slot)
{
    (void)atom_and(slot_hint(pool, slot), ~slot_bit(slot));
    if (word_state(atom_load(&slot->word)) == SLOT_IDLE)
        slot_set_hint(pool, slot);
}

/*
 * How far an idle item is from a lease, the fittest first.  The times are read
 * before the claim: what changes until then can only have proven the item
 * since, or is another pool's, and then the claim does not stand.
 */
enum fitness {
    FIT_NOW,    /* may be leased */
    FIT_LOOK,   /* after a look at what has arrived since it was given back */
    FIT_ANSWER, /* after the answer that it owes was read */
    FIT_PING,   /* after a ping */
    FIT_NOT     /* it leaves */
};
enum { FITNESSES = FIT_NOT };

/* How many idle slots one search or one acquire looks at for a fitter item. */
enum { MOST_LOOKS = 64 };

#define ACCEPT(fitness) (1U << (fitness))
#define ACCEPT_READY    (ACCEPT(FIT_NOW) | ACCEPT(FIT_LOOK))
#define ACCEPT_ALL      (ACCEPT_READY | ACCEPT(FIT_ANSWER) | ACCEPT(FIT_PING))

/* The fitness of an item with that word, whatever its state. */
static inline enum fitness slot_fitness(const struct pool *pool,
                                        const struct slot *slot, uint64_t word,
                                        int64_t now)
{
    if (word & SLOT_MUST_CLOSE || now >= (int64_t)atom_peek(&slot->expires))
        return FIT_NOT;
    if (word & SLOT_OWES_ANSWER)
        return FIT_ANSWER;
    int64_t proven = (int64_t)atom_peek(&slot->proven);
    if (proven < (int64_t)atom_peek(&pool->rules.suspect))
        return FIT_PING;
    if (now - proven < (int64_t)atom_peek(&pool->rules.ready_due))
        return FIT_NOW;
    if (now - proven >= (int64_t)atom_peek(&pool->rules.check_due) &&
        (word & SLOT_CHECKED) == 0)
        return FIT_PING;
    return now - proven >= (int64_t)atom_peek(&pool->rules.look_due) ? FIT_LOOK
                                                                     : FIT_NOW;
}

/* IDLE to LEASED if it may be leased now, else to CHECKING: the new word, or 0
 * if its fitness is not in `accept`. */
static inline uint64_t slot_claim(const struct pool *pool, struct slot *slot,
                                  int64_t now, unsigned accept)
{
    uint64_t word = atom_load(&slot->word);
    while (word_state(word) == SLOT_IDLE) {
        enum fitness fitness = slot_fitness(pool, slot, word, now);
        if ((accept & ACCEPT(fitness)) == 0)
            return 0;
        uint64_t claimed =
            fitness == FIT_NOW
                ? (word_with(word, SLOT_LEASED) & ~(uint64_t)SLOT_CHECKED) +
                      SERIAL_ONE
                : word_with(word, SLOT_CHECKING);
        if (atom_cas(&slot->word, &word, claimed))
            return claimed;
    }
    return 0;
}

/* The owner's state to IDLE; 0 if a reason to leave came in: still the
 * owner's. */
static inline int slot_make_idle(const struct pool *pool, struct slot *slot,
                                 uint64_t flags)
{
    uint64_t word = atom_load(&slot->word);
    do {
        if (word & SLOT_MUST_CLOSE)
            return 0;
    } while (!atom_cas(&slot->word, &word,
                       (word_with(word, SLOT_IDLE) & ~(uint64_t)SLOT_OF_LEASE) |
                           flags));
    slot_set_hint(pool, slot);
    return 1;
}

/* The owner's: it owes no answer any more.  Returns the word. */
static inline uint64_t slot_clear_answer(struct slot *slot)
{
    return atom_and(&slot->word, ~(uint64_t)SLOT_OWES_ANSWER) &
           ~(uint64_t)SLOT_OWES_ANSWER;
}

/* word: the slot's, LEASED. */
static inline uint64_t slot_handle(const struct pool *pool,
                                   const struct slot *slot, uint64_t word)
{
    return (word & SERIAL_MASK) | (uint64_t)slot->index << CELL_BITS |
           (uint64_t)pool->cell;
}

/* Is that word the lease that the handle names? */
static inline int slot_is_lease(uint64_t word, uint64_t handle)
{
    return (word & (SLOT_STATE_MASK | SLOT_END_PENDING)) == SLOT_LEASED &&
           (word & SERIAL_MASK) == (handle & SERIAL_MASK);
}

static inline int slot_take_idle(struct slot *slot, uint64_t word,
                                 enum slot_state to)
{
    return word_state(word) == SLOT_IDLE &&
           atom_cas(&slot->word, &word, word_with(word, to));
}

/* ---- the thread's hints ---- */

/*
 * A hint is the slot that the thread itself gave back a moment ago: warm in its
 * cache, and no other thread's way leads there.  After HINT_LASTS the lowest
 * slot is better, so that the surplus grows old.  It is a hint only: cells and
 * slots are never freed, so what it points at may be another pool's by now, but
 * the claim and the gate decide.
 */
#define HINT_LASTS (2 * CLOCK_COARSE_TICK)

static inline struct thread_hint *hint_of_pool(uint64_t handle)
{
    struct thread_hint *hint = thread_memo()->hint;
    if (hint[0].key == handle)
        return &hint[0];
    return hint[1].key == handle ? &hint[1] : NULL;
}

static inline struct thread_hint *hint_of_lease(uint64_t handle)
{
    struct thread_hint *hint = thread_memo()->hint;
    if (hint[0].lease == handle)
        return &hint[0];
    return hint[1].lease == handle ? &hint[1] : NULL;
}

/* The hint of that pool, else the older one. */
static inline struct thread_hint *hint_for(uint64_t handle)
{
    struct thread_hint *hint = thread_memo()->hint;
    struct thread_hint *own = hint_of_pool(handle);
    return own != NULL ? own : &hint[hint[1].time < hint[0].time];
}

/* slot.c */
/* CHECKING to LEASED; 0 if a reason to leave came in: still the owner's. */
int rpool__slot_make_leased(struct slot *slot);
rpool_reason rpool__flag_reason(uint64_t word);
/* An owned slot into the queue of disposals. */
void rpool__close_slot_locked(struct pool *pool, struct slot *slot,
                              rpool_reason reason) POOL_LOCKED(pool);
/* DISPOSING to EMPTY: the resource is gone, and is counted. */
void rpool__slot_destroyed_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* Marks an item that must leave.  If it is idle, disposes of it and returns 1.
 */
int rpool__slot_mark_locked(struct pool *pool, struct slot *slot, uint64_t flag)
    POOL_LOCKED(pool);
/* A slot without resource. */
void rpool__slot_empty_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* Takes a slot out of the workers' list that it is in, if it is in one. */
void rpool__slot_unlist_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* The first slot of a list that is not empty, out of it. */
struct slot *rpool__slot_pop_locked(struct pool *pool, struct list *list)
    POOL_LOCKED(pool);
/* Hands a CHECKING slot of the caller's to the workers. */
void rpool__slot_hand_over_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
/* Wishes that a worker checks that slot, for a borrower. */
void rpool__slot_request_check_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);
struct slot *rpool__slot_occupy_locked(struct pool *pool) POOL_LOCKED(pool);
void rpool__slot_init(struct pool *pool, struct slot *slot, void *resource);

#endif
