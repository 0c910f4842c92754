/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Coroutines on stacks of their own, known to the sanitizers. */
#ifndef SIM_FIBER_H
#define SIM_FIBER_H

#include <stddef.h>
#include <ucontext.h>

struct fiber {
    ucontext_t context;
    void *stack; /* NULL: the real one */
    size_t size;
    void (*run)(void);
    void *asan; /* its fake stack while it is away */
    void *tsan;
};

/* The calling thread's own stack. */
void fiber_adopt(struct fiber *fiber);

/* Will call run, which must not return, when first switched to; keeps the
 * stack that it has. */
void fiber_make(struct fiber *fiber, void (*run)(void));

/* ended: `from` is never switched to again, unless made anew. */
void fiber_switch(struct fiber *from, struct fiber *to, int ended);

#endif
