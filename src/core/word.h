/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the core share: slots, pools, and the words of both.
 *
 * A slot's word is the only truth about its item: state, serial, reasons to
 * leave.  Whoever made the transition into LEASED, CHECKING, RETURNING,
 * CREATING or DISPOSING owns the slot, alone, until the transition out of it:
 * its plain fields and, since its pool cannot end, those of the pool.  Four
 * transitions are one swap without the mutex: IDLE to LEASED or CHECKING
 * (claim), LEASED to RETURNING and RETURNING to IDLE (give back).  A use
 * (rpool_begin_use) is a flag of LEASED, set and cleared by the same swaps:
 * while it is set nobody else makes the transition out of LEASED.
 *
 * A pool's gate is its serial and the obstacles between a caller and the quick
 * path.  Obstacles change under the mutex only.
 */
#ifndef CORE_WORD_H
#define CORE_WORD_H

#include <stdint.h>

/*
 * item handle | serial 38 | slot 14 | shell 12 |
 * slot word   | serial 38 | flags and state 26 |
 * pool handle | serial 52           | shell 12 |
 * gate        | serial 52           | obstacles 12 |
 *
 * So a lease is good if handle and word agree above bit 26, and the quick path
 * is open if handle and gate agree above bit 12 and no obstacle is set.
 * Shells count from 1: no handle is NULL.  A shell without a pool has serial 0
 * and is closed, so that no handle opens it.
 */
enum {
    SHELL_BITS = 12,
    SLOT_BITS = 14,
    SHELL_MASK = (1 << SHELL_BITS) - 1,
    SLOT_MASK = (1 << SLOT_BITS) - 1,
    SERIAL_SHIFT = SHELL_BITS + SLOT_BITS,
    MAX_SIZE = 10000
};
#define SERIAL_ONE  ((uint64_t)1 << SERIAL_SHIFT)
#define SERIAL_MASK (~(SERIAL_ONE - 1))

enum slot_state {
    SLOT_EMPTY,     /* no resource; everything else is occupied */
    SLOT_CREATING,  /* a worker's */
    SLOT_IDLE,      /* nobody's: who wins the swap */
    SLOT_CHECKING,  /* a borrower's, a waiter's or a worker's */
    SLOT_LEASED,    /* a borrower's */
    SLOT_RETURNING, /* the releasing thread's */
    SLOT_DISPOSING, /* in the queue of disposals, or the destroying thread's */
    SLOT_STATES
};
enum {
    SLOT_STATE_MASK = 15,
    SLOT_HUNG_UP = 1 << 4,  /* the other end closed it */
    SLOT_RECYCLED = 1 << 5, /* made before the last recycle */
    SLOT_LEAVE = SLOT_HUNG_UP | SLOT_RECYCLED,
    SLOT_ANSWER = 1 << 6, /* check must read an answer before the next lease */
    SLOT_IN_USE = 1 << 7, /* LEASED: a call of its borrower is under way */
    SLOT_ENDED = 1 << 8,  /* and its lease was ended meanwhile */
    SLOT_PROVEN = 1 << 9, /* a worker checked it for its next lease */
    SLOT_USED = 1 << 10   /* LEASED: its borrower has had the resource */
};

enum { /* obstacles */
       GATE_CLOSED = 1,
       GATE_SUSPENDED = 2,
       GATE_LINE = 4,   /* somebody waits */
       GATE_OVER = 8,   /* more items than max_size */
       GATE_FORKED = 16 /* a child's copy: nothing may be touched */
};

static inline enum slot_state word_state(uint64_t word)
{
    return (enum slot_state)(word & SLOT_STATE_MASK);
}

static inline uint64_t word_with(uint64_t word, enum slot_state state)
{
    return (word & ~(uint64_t)SLOT_STATE_MASK) | state;
}

static inline uint64_t gate_open(uint64_t handle)
{
    return handle & ~(uint64_t)SHELL_MASK;
}

#endif
