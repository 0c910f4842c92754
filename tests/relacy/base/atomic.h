/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/atomic.h on relacy.  Each word becomes an rl::atomic at its first
 * touch in a run, so that the core may zero and copy a struct atom before other
 * threads know it. */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdint.h>

struct atom {
    uint64_t value; /* used until there is a cell */
    void *cell;
};

uint64_t atom_load(const struct atom *a);
void atom_store(struct atom *a, uint64_t value);
int atom_cas(struct atom *a, uint64_t *expected, uint64_t desired);
uint64_t atom_or(struct atom *a, uint64_t bits);
uint64_t atom_and(struct atom *a, uint64_t bits);
uint64_t atom_peek(const struct atom *a);
void atom_put(struct atom *a, uint64_t value);

#endif
