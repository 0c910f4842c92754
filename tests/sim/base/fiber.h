/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Coroutines on stacks of their own, announced to the sanitizers. */
#ifndef SIM_FIBER_H
#define SIM_FIBER_H

#include <stddef.h>
#include <ucontext.h>

struct fiber {
    ucontext_t context;
    void *stack; /* NULL: the thread's own stack */
    size_t size;
    void (*run)(void);
    void *asan; /* its fake stack while it does not run */
    void *tsan;
};

/* Makes a fiber of the calling thread's own stack. */
void fiber_adopt(struct fiber *fiber);

/* The first switch to the fiber will call `run`, which must not return.  A
 * stack that the fiber has is kept. */
void fiber_make(struct fiber *fiber, void (*run)(void));

/* ended: `from` is never switched to again, unless it is made anew. */
void fiber_switch(struct fiber *from, struct fiber *to, int ended);

#endif
