/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/atomic.h with a scheduling point before each ordered operation.  The
 * coroutines see one memory, so that any interleaving is sequentially
 * consistent. */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdint.h>

struct atom {
    uint64_t value;
};

void sim_atom_point(void);

static inline uint64_t atom_load(const struct atom *a)
{
    sim_atom_point();
    return a->value;
}

static inline void atom_store(struct atom *a, uint64_t value)
{
    sim_atom_point();
    a->value = value;
}

static inline int atom_cas(struct atom *a, uint64_t *expected, uint64_t desired)
{
    sim_atom_point();
    if (a->value == *expected) {
        a->value = desired;
        return 1;
    }
    *expected = a->value;
    return 0;
}

static inline uint64_t atom_or(struct atom *a, uint64_t bits)
{
    sim_atom_point();
    uint64_t was = a->value;
    a->value |= bits;
    return was;
}

static inline uint64_t atom_and(struct atom *a, uint64_t bits)
{
    sim_atom_point();
    uint64_t was = a->value;
    a->value &= bits;
    return was;
}

static inline uint64_t atom_peek(const struct atom *a)
{
    return a->value;
}

static inline void atom_put(struct atom *a, uint64_t value)
{
    a->value = value;
}

#endif
