/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Atomic words of 64 bits.  The core argues with one memory order, sequential
 * consistency.  Only atom_peek() and atom_put() are relaxed: they are for
 * values whose order does not matter, such as statistics, and times that are
 * compared with some slack.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

struct atom {
    _Atomic uint64_t value;
};

static inline uint64_t atom_load(const struct atom *a)
{
    return atomic_load_explicit(&((struct atom *)(uintptr_t)a)->value,
                                memory_order_seq_cst);
}

static inline void atom_store(struct atom *a, uint64_t value)
{
    atomic_store_explicit(&a->value, value, memory_order_seq_cst);
}

/* Compare and swap.  If *a equals *expected, stores `desired` and returns 1.
 * Otherwise stores the value of *a in *expected and returns 0. */
static inline int atom_cas(struct atom *a, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(&a->value, expected, desired,
                                                   memory_order_seq_cst,
                                                   memory_order_seq_cst);
}

static inline uint64_t atom_or(struct atom *a, uint64_t bits)
{
    return atomic_fetch_or_explicit(&a->value, bits, memory_order_seq_cst);
}

static inline uint64_t atom_and(struct atom *a, uint64_t bits)
{
    return atomic_fetch_and_explicit(&a->value, bits, memory_order_seq_cst);
}

static inline uint64_t atom_peek(const struct atom *a)
{
    return atomic_load_explicit(&((struct atom *)(uintptr_t)a)->value,
                                memory_order_relaxed);
}

static inline void atom_put(struct atom *a, uint64_t value)
{
    atomic_store_explicit(&a->value, value, memory_order_relaxed);
}

#endif
