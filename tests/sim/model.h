/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The pool as one would write it for one thread: who has which slot, who
 * stands in line.  It is told, in their order, the points at which the real
 * one's operations take effect, and objects to whatever it would not have done.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "core/handle.h"

enum { MODEL_SLOTS = 5, MODEL_LINE = 16, MODEL_THREADS = 64 };

struct model_slot {
    enum slot_state state;
    int owner;   /* thread; 0: nobody, or somebody of the pool's own */
    int leased;  /* an acquire has returned it */
    int in_turn; /* the gate stood open since, or it went to the head */
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
    int line_closed; /* the gate says that somebody waits */
    uint64_t last_ticket;
};

/* How often each transition was taken, over all runs. */
extern uint64_t model_taken[SLOT_STATES][SLOT_STATES];
extern const unsigned char model_legal[SLOT_STATES][SLOT_STATES];

/* A slot's state changed, by that thread; threads of the pool are 0. */
void model_move(struct model *m, int index, enum slot_state to, int thread);

/* Its owner has left it to the workers. */
void model_hand_over(struct model *m, int index);
void model_stand(struct model *m, uint64_t ticket, int thread);

/* A waiter counts from the moment that the gate says so. */
void model_gate(struct model *m, int line_closed);

/* The thread took itself out of the line: it gave up, or served itself. */
void model_leave(struct model *m, int thread);

/* The waiter was answered by another thread; index -1: with a refusal. */
void model_answer(struct model *m, int thread, int index);

/* What the acquire of that thread returned; index -1: nothing. */
void model_result(struct model *m, int thread, int index);

#endif
