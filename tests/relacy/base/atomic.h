/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* src/base/atomic.h on relacy: each word that a run touches is an rl::atomic
 * that is made at its first touch, so that a struct atom can still be zeroed
 * and copied as the core does before anybody else knows it. */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include <stdint.h>

struct atom {
    uint64_t value; /* while there is no cell */
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
