/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a run does, all drawn from its seed: the options of the pool, which
 * calls fail and how often, the operations of each thread, and the search of
 * schedules.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "sim.h"

#include <pqpool/rpool.h>

#define SCRIPT_OP_MAP(XX)                                                      \
    XX(TRY)     /* acquire without waiting */                                  \
    XX(TIMED)   /* acquire within a ms */                                      \
    XX(ACQUIRE) /* acquire without a deadline, unless it holds a lease */      \
    XX(RELEASE) /* end one of its leases: a is its number */                   \
    XX(DISCARD)                                                                \
    XX(DETACH)                                                                 \
    XX(USE)    /* use a lease for b ms, alone */                               \
    XX(POST)   /* let other threads find a copy of the handle */               \
    XX(STEAL)  /* release a posted handle */                                   \
    XX(STALE)  /* release a lease that has ended */                            \
    XX(ABUSE)  /* use a handle that never existed */                           \
    XX(SLEEP)  /* a ms */                                                      \
    XX(HANGUP) /* close the peer of the a-th resource */                       \
    XX(STATS)                                                                  \
    XX(WAIT) /* wait a ms at most for min_size items */                        \
    XX(DUMP)                                                                   \
    XX(RESIZE)                                                                 \
    XX(RECYCLE)                                                                \
    XX(SUSPEND)                                                                \
    XX(RESUME)                                                                 \
    XX(CLOSE)                                                                  \
    XX(REOPEN) /* open again when it is closed */
#define XX(name) OP_##name,
enum op_kind { SCRIPT_OP_MAP(XX) OP_COUNT };
#undef XX

struct op {
    enum op_kind kind;
    int old; /* not 0: use a closed pool, if there is one */
    int a, b;
};

enum { MAX_ACTORS = 5, MAX_OPS = 16, MAX_POOLS = 4 };

struct misfortune { /* permille, and the longest time in ms */
    int create_fails, create_permanent, create_null, create_hangs;
    int check_bad, check_late, reset_discard, reset_check;
    int slow, slow_ms;
    int hook;                  /* the listener calls the pool */
    int break_call, break_nth; /* that call fails in a running pool */
};

struct script {
    uint64_t seed;
    struct sim_search search;
    rpool_options options;
    struct misfortune misfortune;
    int mute; /* the pool has no listener: events are not checked */
    int no_check, no_reset, no_fd; /* the provider does not have them */
    int actors;
    int ops[MAX_ACTORS];
    struct op op[MAX_ACTORS][MAX_OPS];
};

void script_draw(struct script *script, uint64_t seed);
void script_print(const struct script *script,
                  const unsigned char dropped[MAX_ACTORS * MAX_OPS]);

const char *script_op_name(enum op_kind kind);

/* Returns a random number for each (seed, kind, index). */
uint64_t script_hash(uint64_t seed, uint64_t kind, uint64_t index);

#endif
