/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Shared words.  The core knows one ordering, sequential consistency, for
 * whatever its proofs speak of; peek and put are for values whose order does
 * not matter (statistics, times that are only compared with slack).
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

/* Not 0 if *a was *expected and is desired now; else *expected is what it is.
 */
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
