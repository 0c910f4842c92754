/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Every transition of a slot from one state to another.
 *
 * Five transitions are one compare-and-swap without the mutex, and stand here:
 * IDLE to LEASED or to CHECKING (claim), LEASED to RETURNING (end of a lease),
 * RETURNING to IDLE (give back), and the flags of LEASED for a use, an end that
 * waits for the use, and a lease that was used.  The transitions in slot.c are
 * made under the mutex.
 *
 * The owner of a slot makes its transitions (word.h names the owners).  A slot
 * that is IDLE has no owner: the thread whose compare-and-swap succeeds owns
 * it.
 */
#ifndef CORE_SLOT_H
#define CORE_SLOT_H

#include "pool.h"

/* The flags of a word that end when its item becomes IDLE. */
enum { SLOT_OF_LEASE = SLOT_OWES_ANSWER | SLOT_CHECKED | SLOT_USED };

/* ---- the hint that finds idle slots ---- */

/*
 * The bit of an idle slot is set, and that of another slot may be set too.  A
 * claim does not clear the bit, and a release finds it set.  So a claim and a
 * release of the same slot write nothing that other slots share.
 */
static inline struct atom *slot_hint(const struct slot *slot)
{
    return &slot->hint->maybe_idle;
}

static inline uint64_t slot_bit(const struct slot *slot)
{
    return (uint64_t)1 << (slot->index % HINT_SLOTS);
}

/* Called after the slot has become IDLE. */
static inline void slot_set_hint(const struct slot *slot)
{
    struct atom *hint = slot_hint(slot);
    if ((atom_load(hint) & slot_bit(slot)) == 0)
        (void)atom_or(hint, slot_bit(slot));
}

/*
 * Clears the bit of a slot that is not IDLE.  Another thread may make the slot
 * IDLE meanwhile and find the bit still set.  Therefore this thread reads the
 * word again after it has cleared the bit.  All four accesses are sequentially
 * consistent: either this thread sees IDLE and sets the bit again, or the other
 * thread sees the cleared bit and sets it.
 */
static inline void slot_clear_hint(const struct slot *slot)
{
    (void)atom_and(slot_hint(slot), ~slot_bit(slot));
    if (word_state(atom_load(&slot->word)) == SLOT_IDLE)
        slot_set_hint(slot);
}

/* ---- what an idle item needs before a lease ---- */

/* The fittest first. */
enum fitness {
    FIT_NOW,    /* nothing */
    FIT_LOOK,   /* a look at what has arrived since the item was given back */
    FIT_ANSWER, /* a read of the answer that the item owes */
    FIT_PING,   /* a ping */
    FIT_NOT     /* the item must be closed */
};
enum { FITNESSES = FIT_NOT };

/* How many idle slots one search, or one acquire, looks at for a fitter item.
 */
enum { MOST_LOOKS = 64 };

#define ACCEPT(fitness) (1U << (fitness))
#define ACCEPT_READY    (ACCEPT(FIT_NOW) | ACCEPT(FIT_LOOK))
#define ACCEPT_ALL      (ACCEPT_READY | ACCEPT(FIT_ANSWER) | ACCEPT(FIT_PING))

/*
 * Returns the fitness of an item with that word, whatever its state.
 *
 * A claim reads the times before its swap.  Until the swap, another thread can
 * only have proven the item again, or the slot has become another pool's.  In
 * the second case the gate has changed, and the caller gives the item back.
 */
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

/* ---- claim ---- */

/* IDLE to LEASED if the item needs nothing, else IDLE to CHECKING.  Returns the
 * new word, or 0 if the slot is not IDLE or its fitness is not in `accept`. */
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

/* IDLE to that state, whatever the fitness.  `word` was read by the caller.
 * Returns 0 if the word has changed or is not IDLE. */
static inline int slot_take_idle(struct slot *slot, uint64_t word,
                                 enum slot_state to)
{
    assert(to == SLOT_RETURNING || to == SLOT_CHECKING);
    return word_state(word) == SLOT_IDLE &&
           atom_cas(&slot->word, &word, word_with(word, to));
}

/* ---- a lease ---- */

/* Returns the handle of the lease.  `word` is that of the slot, LEASED. */
static inline uint64_t slot_handle(const struct pool *pool,
                                   const struct slot *slot, uint64_t word)
{
    assert(word_state(word) == SLOT_LEASED);
    return (word & SERIAL_MASK) | (uint64_t)slot->index << CELL_BITS |
           (uint64_t)pool->cell;
}

/* Returns whether that word is the lease that the handle names. */
static inline int slot_is_lease(uint64_t word, uint64_t handle)
{
    return (word & (SLOT_STATE_MASK | SLOT_END_PENDING)) == SLOT_LEASED &&
           (word & SERIAL_MASK) == (handle & SERIAL_MASK);
}

/* What an operation on a lease has found. */
enum lease {
    LEASE_INVALID, /* the handle names no lease, and nothing was done */
    LEASE_IN_USE,  /* a call of the borrower is running */
    LEASE_OK
};

/*
 * Ends the lease: LEASED to RETURNING, which makes the slot the caller's.  If
 * two threads end the same lease, one of them succeeds.  A lease in use is not
 * ended: its word records the end, and slot_end_use() ends it; then *number
 * becomes that of the resource, which the running call may destroy at any time.
 */
static inline enum lease slot_end_lease(struct slot *slot, uint64_t handle,
                                        uint64_t *number)
{
    uint64_t word = atom_load(&slot->word);
    while (slot_is_lease(word, handle)) {
        int in_use = (word & SLOT_IN_USE) != 0;
        if (in_use)
            *number = atom_peek(&slot->number);
        uint64_t ended =
            in_use ? word | SLOT_END_PENDING : word_with(word, SLOT_RETURNING);
        if (atom_cas(&slot->word, &word, ended))
            return in_use ? LEASE_IN_USE : LEASE_OK;
    }
    return LEASE_INVALID;
}

/* From then on no other thread makes the transition out of LEASED. */
static inline enum lease slot_begin_use(struct slot *slot, uint64_t handle)
{
    uint64_t word = atom_load(&slot->word);
    while (slot_is_lease(word, handle)) {
        if (word & SLOT_IN_USE)
            return LEASE_IN_USE;
        if (atom_cas(&slot->word, &word, word | SLOT_IN_USE | SLOT_USED))
            return LEASE_OK;
    }
    return LEASE_INVALID;
}

/* Ends the use.  Returns 1 if the lease was ended meanwhile: then the slot is
 * RETURNING, and the caller's. */
static inline int slot_end_use(struct slot *slot, uint64_t handle)
{
    uint64_t word = atom_load(&slot->word);
    while (word_state(word) == SLOT_LEASED && (word & SLOT_IN_USE) != 0 &&
           (word & SERIAL_MASK) == (handle & SERIAL_MASK)) {
        int ended = (word & SLOT_END_PENDING) != 0;
        uint64_t unused = word & ~(uint64_t)(SLOT_IN_USE | SLOT_END_PENDING);
        if (atom_cas(&slot->word, &word,
                     ended ? word_with(unused, SLOT_RETURNING) : unused))
            return ended;
    }
    return 0;
}

/* Records in the word that the borrower has had the resource. */
static inline void slot_mark_used(struct slot *slot, uint64_t handle)
{
    uint64_t word = atom_load(&slot->word);
    while ((word & SLOT_USED) == 0 && slot_is_lease(word, handle))
        if (atom_cas(&slot->word, &word, word | SLOT_USED))
            break;
}

/* Moves a slot between two states whose words have no flag.  Fails if the word
 * has one, because the lease was used or is in use, or the item must be closed.
 */
static inline int slot_move(struct slot *slot, uint64_t handle,
                            enum slot_state from, enum slot_state to)
{
    uint64_t word = (handle & SERIAL_MASK) | from;
    return atom_cas(&slot->word, &word, (handle & SERIAL_MASK) | to);
}

/* ---- back to IDLE ---- */

/* The owner's state to IDLE, with these flags.  Returns 0 if the item must be
 * closed; the slot is still the caller's then. */
static inline int slot_make_idle(struct slot *slot, uint64_t flags)
{
    uint64_t word = atom_load(&slot->word);
    assert(word_state(word) != SLOT_EMPTY && word_state(word) != SLOT_IDLE &&
           word_state(word) != SLOT_CLOSING);
    do {
        if (word & SLOT_MUST_CLOSE)
            return 0;
    } while (!atom_cas(&slot->word, &word,
                       (word_with(word, SLOT_IDLE) & ~(uint64_t)SLOT_OF_LEASE) |
                           flags));
    slot_set_hint(slot);
    return 1;
}

/* The caller owns the slot and has read the answer.  Returns the new word. */
static inline uint64_t slot_clear_answer(struct slot *slot)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CHECKING);
    return atom_and(&slot->word, ~(uint64_t)SLOT_OWES_ANSWER) &
           ~(uint64_t)SLOT_OWES_ANSWER;
}

/* ---- the hints of a thread ---- */

/*
 * A thread remembers the slot that it gave back last, because that item is warm
 * in its cache and other threads rarely claim it.  After HINT_LASTS the thread
 * takes the lowest idle slot instead, so that surplus items reach their idle
 * timeout.  The slot may be another pool's by then: cells and slots are never
 * freed, and the claim and the gate decide.
 */
#define HINT_LASTS (2 * CLOCK_COARSE_TICK)

/* Returns the hint for that pool, or NULL. */
static inline struct thread_hint *hint_of_pool(uint64_t handle)
{
    struct thread_hint *hint = thread_memo()->hint;
    if (hint[0].key == handle)
        return &hint[0];
    return hint[1].key == handle ? &hint[1] : NULL;
}

/* Returns the hint whose last lease has that handle, or NULL. */
static inline struct thread_hint *hint_of_lease(uint64_t handle)
{
    struct thread_hint *hint = thread_memo()->hint;
    if (hint[0].lease == handle)
        return &hint[0];
    return hint[1].lease == handle ? &hint[1] : NULL;
}

/* Returns the hint to overwrite: that for the pool, else the older one. */
static inline struct thread_hint *hint_for(uint64_t handle)
{
    struct thread_hint *hint = thread_memo()->hint;
    struct thread_hint *own = hint_of_pool(handle);
    return own != NULL ? own : &hint[hint[1].time < hint[0].time];
}

/* ---- slot.c: under the mutex ---- */

/* EMPTY to CREATING.  An empty slot exists, because there is room. */
struct slot *rpool__slot_occupy_locked(struct pool *pool) POOL_LOCKED(pool);

/* Fills in a slot that is CREATING.  Lock: not held.  Thread: its owner. */
void rpool__slot_init(struct pool *pool, struct slot *slot, void *resource);

/* CHECKING to LEASED.  Returns 0 if the item must be closed; the slot is still
 * the caller's then. */
int rpool__slot_make_leased(struct slot *slot);

/* The owner's state to CLOSING: a worker destroys the resource. */
void rpool__close_slot_locked(struct pool *pool, struct slot *slot,
                              rpool_reason reason) POOL_LOCKED(pool);

/* Sets a flag of SLOT_MUST_CLOSE.  An idle slot becomes CLOSING: returns 1.
 * Any other owner closes it later: returns 0. */
int rpool__slot_mark_locked(struct pool *pool, struct slot *slot, uint64_t flag)
    POOL_LOCKED(pool);

/* The owner's state to EMPTY: the slot has no resource any more. */
void rpool__slot_empty_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

/* CLOSING to EMPTY, and counts the item as closed. */
void rpool__slot_destroyed_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

/* Returns the reason in the flags of that word, or RPOOL_REASON_NONE. */
rpool_reason rpool__flag_reason(uint64_t word);

/* ---- slot.c: the lists of slots ---- */

/* Takes a slot out of the list that it is in, if any. */
void rpool__slot_unlist_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

/* Takes the first slot out of a list that is not empty. */
struct slot *rpool__slot_pop_locked(struct pool *pool, struct list *list)
    POOL_LOCKED(pool);

/* Gives a CHECKING slot of the caller's to the workers, which go on with it. */
void rpool__slot_hand_over_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

/* Has a worker check the slot for a borrower, if it is still IDLE then. */
void rpool__slot_request_check_locked(struct pool *pool, struct slot *slot)
    POOL_LOCKED(pool);

#endif
