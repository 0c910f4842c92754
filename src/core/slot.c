/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The transitions of a slot under the mutex, and the lists of slots. */
#include "slot.h"
#include "alarm.h"

#include "base/random.h"

static struct atom last_number; /* of resources, in the process */

static uint64_t next_number(void)
{
    uint64_t number = atom_load(&last_number);
    while (!atom_cas(&last_number, &number, number + 1))
        ;
    return number + 1;
}

rpool_reason rpool__flag_reason(uint64_t word)
{
    if (word & SLOT_PEER_CLOSED)
        return RPOOL_REASON_HANGUP;
    return word & SLOT_RECYCLED ? RPOOL_REASON_RECYCLE : RPOOL_REASON_NONE;
}

/* ---- the lists ---- */

void rpool__slot_unlist_locked(struct pool *pool, struct slot *slot)
{
    (void)pool;
    assert(slot->index < atom_peek(&pool->slots.count));
    slot->check_requested = 0;
    list_remove(&slot->node);
}

struct slot *rpool__slot_pop_locked(struct pool *pool, struct list *list)
{
    assert(!list_empty(list));
    struct slot *slot = container_of(list->next, struct slot, node);
    rpool__slot_unlist_locked(pool, slot);
    return slot;
}

void rpool__slot_hand_over_locked(struct pool *pool, struct slot *slot)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CHECKING);
    rpool__slot_unlist_locked(pool, slot);
    list_push_back(&pool->lists.checks_begun, &slot->node);
}

void rpool__slot_request_check_locked(struct pool *pool, struct slot *slot)
{
    rpool__slot_unlist_locked(pool, slot);
    slot->check_requested = 1;
    list_push_back(&pool->lists.checks_requested, &slot->node);
}

/* ---- the transitions ---- */

struct slot *rpool__slot_occupy_locked(struct pool *pool)
{
    assert(!list_empty(&pool->lists.empty));
    assert(pool->counts.occupied < pool->limits.max_size);

    struct slot *slot =
        container_of(list_pop_front(&pool->lists.empty), struct slot, node);
    uint64_t word = atom_load(&slot->word);
    assert(word_state(word) == SLOT_EMPTY);
    atom_store(&slot->word, word_with(word, SLOT_CREATING));
    pool->counts.occupied++;
    pool->counts.creating++;
    pool->demand.create_requested = 0;
    return slot;
}

/* A lifetime ends up to a quarter early, so that items that were made together
 * do not end together. */
void rpool__slot_init(struct pool *pool, struct slot *slot, void *resource)
{
    assert(word_state(atom_peek(&slot->word)) == SLOT_CREATING);

    uint64_t now = (uint64_t)clock_now();
    atom_put(&slot->resource, (uintptr_t)resource);
    slot->fd = -1;
    atom_put(&slot->number, next_number());
    atom_put(&slot->first_lease, atom_peek(&slot->leases));
    atom_put(&slot->idle_since, now);
    atom_put(&slot->proven, now);
    atom_put(&slot->leased_since, 0);

    atom_put(&slot->expires, CLOCK_NEVER);
    if (pool->config.lifetime != CLOCK_NEVER) {
        int64_t jitter =
            (int64_t)random_below((uint64_t)pool->config.lifetime / 4);
        atom_put(&slot->expires,
                 now + (uint64_t)(pool->config.lifetime - jitter));
    }
}

int rpool__slot_make_leased(struct slot *slot)
{
    uint64_t word = atom_load(&slot->word);
    assert(word_state(word) == SLOT_CHECKING);
    do {
        if (word & SLOT_MUST_CLOSE)
            return 0;
    } while (!atom_cas(&slot->word, &word,
                       (word_with(word, SLOT_LEASED) &
                        ~(uint64_t)(SLOT_OWES_ANSWER | SLOT_CHECKED)) +
                           SERIAL_ONE));
    return 1;
}

/* Clears the slot's hint, so that no search stops at it. */
void rpool__close_slot_locked(struct pool *pool, struct slot *slot,
                              rpool_reason reason)
{
    uint64_t word = atom_load(&slot->word);
    assert(word_state(word) != SLOT_EMPTY && word_state(word) != SLOT_IDLE);
    while (!atom_cas(&slot->word, &word,
                     word_with(word, SLOT_CLOSING) &
                         ~(uint64_t)(SLOT_MUST_CLOSE | SLOT_OWES_ANSWER)))
        ;

    slot->reason = reason;
    rpool__slot_unlist_locked(pool, slot);
    pool->counts.closing++;
    pool->counts.ageing -= slot->ageing;
    slot->ageing = 0;
    slot_clear_hint(slot);
    list_push_back(&pool->lists.closing, &slot->node);
    rpool__set_idle_due_locked(pool);
}

/* Flags that another thread has set meanwhile are dropped with the resource.
 * The number 0 makes a late report of the peer's close find no item. */
void rpool__slot_empty_locked(struct pool *pool, struct slot *slot)
{
    uint64_t word = atom_load(&slot->word);
    assert(word_state(word) == SLOT_CREATING ||
           word_state(word) == SLOT_RETURNING ||
           word_state(word) == SLOT_CLOSING);
    while (!atom_cas(&slot->word, &word, word & SERIAL_MASK))
        ;

    atom_put(&slot->resource, 0);
    atom_put(&slot->number, 0);
    slot->reason = RPOOL_REASON_NONE;
    list_remove(&slot->leak_node);
    rpool__slot_unlist_locked(pool, slot);
    list_push_front(&pool->lists.empty, &slot->node);
    pool->counts.ageing -= slot->ageing;
    slot->ageing = 0;
    pool->counts.occupied--;
    rpool__set_idle_due_locked(pool);
    cond_wake_all(&pool->state_changed);
}

void rpool__slot_destroyed_locked(struct pool *pool, struct slot *slot)
{
    assert(pool->counts.closing > 0);
    pool->counts.closing--;
    pool->stats.closed++;
    pool->stats.closed_by[slot->reason]++;
    rpool__slot_empty_locked(pool, slot);
}

/* The swap of an idle slot makes it the caller's. */
int rpool__slot_mark_locked(struct pool *pool, struct slot *slot, uint64_t flag)
{
    assert((flag & ~(uint64_t)SLOT_MUST_CLOSE) == 0);
    uint64_t word = atom_load(&slot->word);
    for (;;) {
        enum slot_state state = word_state(word);
        if (state == SLOT_EMPTY || state == SLOT_CLOSING)
            return 0;
        uint64_t marked = word | flag;
        if (state == SLOT_IDLE)
            marked = word_with(marked, SLOT_CLOSING);
        if (atom_cas(&slot->word, &word, marked)) {
            if (state != SLOT_IDLE)
                return 0;
            rpool__close_slot_locked(pool, slot, rpool__flag_reason(marked));
            return 1;
        }
    }
}
