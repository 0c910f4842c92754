/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a run does, all of it drawn from its seed: the pool's options, what
 * goes wrong and how often, who does what, and how schedules are searched.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "sim.h"

#include <pqpool/rpool.h>

#define SCRIPT_OP_MAP(XX)                                                      \
    XX(TRY)     /* acquire, not waiting */                                     \
    XX(TIMED)   /* acquire, a ms */                                            \
    XX(ACQUIRE) /* acquire, for ever unless something is held */               \
    XX(RELEASE) /* one of its leases: a */                                     \
    XX(DISCARD)                                                                \
    XX(DETACH)                                                                 \
    XX(USE)    /* a lease for b ms, and nobody else does */                    \
    XX(POST)   /* a copy of the handle where others find it */                 \
    XX(STEAL)  /* release of what is posted */                                 \
    XX(STALE)  /* release of a lease that has ended */                         \
    XX(ABUSE)  /* a handle that never was */                                   \
    XX(SLEEP)  /* a ms */                                                      \
    XX(HANGUP) /* the a-th resource's other end */                             \
    XX(STATS)                                                                  \
    XX(WAIT) /* until the minimum is ready, a ms */                            \
    XX(DUMP)                                                                   \
    XX(RESIZE)                                                                 \
    XX(RECYCLE)                                                                \
    XX(SUSPEND)                                                                \
    XX(RESUME)                                                                 \
    XX(CLOSE)                                                                  \
    XX(REOPEN) /* once it is closed */
#define XX(name) OP_##name,
enum op_kind { SCRIPT_OP_MAP(XX) OP_COUNT };
#undef XX

struct op {
    enum op_kind kind;
    int old; /* not 0: on a pool that was closed, if there is one */
    int a, b;
};

enum { MAX_ACTORS = 5, MAX_OPS = 16, MAX_POOLS = 4 };

struct misfortune { /* permille, and milliseconds at most */
    int create_fails, create_permanent, create_null, create_hangs;
    int check_bad, check_late, reset_discard, reset_check;
    int slow, slow_ms;
    int hook;                  /* the listener calls the pool */
    int break_call, break_nth; /* that call fails, in a pool that runs */
};

struct script {
    uint64_t seed;
    struct sim_search search;
    rpool_options options;
    struct misfortune misfortune;
    int mute; /* the pool has no listener: what events tell is not checked */
    int no_check, no_reset, no_fd; /* the provider leaves them out */
    int actors;
    int ops[MAX_ACTORS];
    struct op op[MAX_ACTORS][MAX_OPS];
};

void script_draw(struct script *script, uint64_t seed);
void script_print(const struct script *script,
                  const unsigned char dropped[MAX_ACTORS * MAX_OPS]);

const char *script_op_name(enum op_kind kind);

/* One of a stream of numbers of its own for each (seed, kind, index). */
uint64_t script_hash(uint64_t seed, uint64_t kind, uint64_t index);

#endif
