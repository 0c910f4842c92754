/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The four words of 64 bits that the core compares:
 *
 * item handle | serial 38 | slot 14 | cell 12 |
 * slot word   | serial 38 | flags and state 26 |
 * pool handle | serial 52           | cell 12 |
 * gate        | serial 52           | obstacles 12 |
 *
 * A lease is good if its handle and the slot's word agree above bit 26.  The
 * lock-free path is open if the pool's handle and the gate agree above bit 12
 * and the gate has no obstacle.
 *
 * A cell is a place in the table of pools.  Cells count from 1, so that no
 * handle is NULL.  The gate of a cell without a pool has serial 0 and the
 * obstacle GATE_CLOSED, so that no handle opens it.
 */
#ifndef CORE_WORD_H
#define CORE_WORD_H

#include <pqpool/rpool.h>
#include <stdint.h>

enum {
    CELL_BITS = 12,
    SLOT_BITS = 14,
    CELL_MASK = (1 << CELL_BITS) - 1,
    SLOT_MASK = (1 << SLOT_BITS) - 1,
    SERIAL_SHIFT = CELL_BITS + SLOT_BITS,
    MAX_ITEMS = RPOOL_SIZE_LIMIT
};
#define SERIAL_ONE  ((uint64_t)1 << SERIAL_SHIFT)
#define SERIAL_MASK (~(SERIAL_ONE - 1))

/* The state of a slot.  The comment names the thread that owns the slot, and
 * that alone may change its plain fields. */
enum slot_state {
    SLOT_EMPTY,     /* no owner, and no resource */
    SLOT_CREATING,  /* a worker */
    SLOT_IDLE,      /* no owner: any thread may claim the slot */
    SLOT_CHECKING,  /* a borrower, a waiter or a worker */
    SLOT_LEASED,    /* the borrower */
    SLOT_RETURNING, /* the thread that ends the lease */
    SLOT_CLOSING,   /* the list of items to destroy, then the thread that
                       destroys the resource */
    SLOT_STATES
};

/* The flags of a slot's word. */
enum {
    SLOT_STATE_MASK = 15,
    SLOT_PEER_CLOSED = 1 << 4, /* the peer closed the connection */
    SLOT_RECYCLED = 1 << 5,    /* the item is older than the last recycle */
    SLOT_MUST_CLOSE = SLOT_PEER_CLOSED | SLOT_RECYCLED,
    SLOT_OWES_ANSWER = 1 << 6, /* a check must read an answer before the next
                                  lease */
    SLOT_IN_USE = 1 << 7,      /* LEASED: a call of the borrower is running */
    SLOT_END_PENDING = 1 << 8, /* IN_USE: the lease was ended meanwhile */
    SLOT_CHECKED = 1 << 9, /* a worker checked the item for its next lease */
    SLOT_USED = 1 << 10    /* LEASED: the borrower has had the resource */
};

/* The obstacles in a gate. */
enum {
    GATE_CLOSED = 1,
    GATE_SUSPENDED = 2,
    GATE_QUEUE = 4,     /* a waiter is in the queue */
    GATE_OVERSIZED = 8, /* there are more items than max_size */
    GATE_FORKED = 16    /* this is a child's copy, which must not be touched */
};

static inline enum slot_state word_state(uint64_t word)
{
    return (enum slot_state)(word & SLOT_STATE_MASK);
}

static inline uint64_t word_with(uint64_t word, enum slot_state state)
{
    return (word & ~(uint64_t)SLOT_STATE_MASK) | state;
}

/* Returns the gate of the pool that the handle names, without obstacles. */
static inline uint64_t gate_open(uint64_t handle)
{
    return handle & ~(uint64_t)CELL_MASK;
}

#endif
