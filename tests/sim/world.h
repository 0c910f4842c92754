/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One run: its pools, their resources, and the threads that use them. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "model.h"
#include "script.h"

enum { MAX_THINGS = 4096, MAX_HELD = 2 };

struct times { /* of a slot */
    uint64_t leased_since, idle_since, proven;
};

struct era { /* one pool, from its opening to its end */
    rpool *handle;
    struct pool *pool; /* NULL until it is open */
    int closing;       /* how often a close has begun */
    int closed;        /* and returned */
    int over;          /* a close has returned that all is gone */
    int freed, done;   /* the event FREED, and the provider's done */
    int made, destroyed, detached;
    int suspects; /* a check failed */
    int resized, recycled;
    int permanent; /* a creation failed permanently */
    /* oracle.c: the state at the last step */
    struct model model;
    struct waiter *line[MODEL_LINE];
    int threads[MODEL_LINE]; /* of the same waiters */
    int waiting, occupied;
    uint64_t serials[MODEL_SLOTS];
    struct times times[MODEL_SLOTS];
    struct waiter *answered; /* taken out of the queue by another thread */
    int answered_thread;
    int answered_by;
};

struct thing { /* a resource */
    struct era *era;
    int number, fd;
    uint64_t item;
    int busy, hung, leased, closing, gone, detached;
    int holder;         /* which thread uses it: actor + 1 */
    int owes;           /* pending answers, which check must read */
    int bad, unfit;     /* results of the last check and of the last reset */
    int leaks;          /* LEAK was emitted, and LEAK_RETURNED not yet */
    int64_t checked_at; /* when the last check returned */
};

struct actor {
    int index, thread;
    rpool_item *held[MAX_HELD];
    struct era *held_era[MAX_HELD];
    int posted[MAX_HELD]; /* another thread may end it */
    rpool_item *ended;    /* a handle of an ended lease */
    int at;               /* operation */
};

struct world {
    const struct script *script;
    const unsigned char *dropped;
    struct era eras[MAX_POOLS];
    int era_count;
    int opening; /* one more */
    struct thing *things[MAX_THINGS];
    int thing_count;
    struct actor actors[MAX_ACTORS];
    int finished;
    rpool_item *board; /* a posted handle */
    int calls_back;    /* a listener calls the pool */
    int healthy;       /* no call fails any more */
    uint64_t rolls[16];
    uint64_t events[MODEL_THREADS][RPOOL_EVENT_COUNT]; /* by thread */
};
extern struct world world;

/* Runs the script.  Failures go to sim_fail(). */
void world_run(const struct script *script, const unsigned char *dropped,
               const struct sim_choice *replay, size_t replay_count,
               uint64_t walk);

/* Prints who does what and when, if world_traced. */
extern int world_traced;
void world_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* actor.c */
void actor_run(void *actor);
void era_open(int may_fail); /* a call that it needs may fail */
void era_close(struct era *era, int timeout_ms);

/* provider.c */
extern const rpool_provider world_provider;
void world_on_event(void *era, const rpool_event *event);

/* oracle.c */
struct times oracle_times(const struct pool *pool, int index);
void oracle_step(void);
void oracle_quiet(void);
void oracle_end(void);
/* Returns the word of a slot; for a slot that was not created yet, the word of
 * an empty one. */
uint64_t oracle_word(const struct pool *pool, int index);

#endif
