/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The pool as a program for one thread: the state of each slot, and the waiter
 * queue. The oracle reports each change of the real pool in order, and the
 * model fails if it would not have made it.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "core/handle.h"

enum { MODEL_SLOTS = 5, MODEL_LINE = 16, MODEL_THREADS = 64 };

struct model_slot {
    enum slot_state state;
    int owner;   /* thread; 0: no thread, or a thread of the pool */
    int leased;  /* an acquire has returned it */
    int in_turn; /* the gate was open since, or it went to the head */
};

struct model_waiter {
    uint64_t ticket;
    int thread;
};

struct model {
    struct model_slot slot[MODEL_SLOTS];
    struct model_waiter line[MODEL_LINE];
    int waiting;
    int max_waiters;
    int line_closed; /* the gate says that callers wait */
    uint64_t last_ticket;
};

/* How often each transition was made, over all runs. */
extern uint64_t model_taken[SLOT_STATES][SLOT_STATES];
extern const unsigned char model_legal[SLOT_STATES][SLOT_STATES];

/* A slot's state was changed by that thread; threads of the pool are 0. */
void model_move(struct model *m, int index, enum slot_state to, int thread);

/* The slot's owner has handed it to the workers. */
void model_hand_over(struct model *m, int index);
void model_stand(struct model *m, uint64_t ticket, int thread);

/* A waiter counts from the moment in which the gate says so. */
void model_gate(struct model *m, int line_closed);

/* The thread left the queue: it gave up, or served itself. */
void model_leave(struct model *m, int thread);

/* Another thread answered the waiter; index -1: with a refusal. */
void model_answer(struct model *m, int thread, int index);

/* The thread's acquire returned; index -1: no item. */
void model_result(struct model *m, int thread, int index);

#endif
