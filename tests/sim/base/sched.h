/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What the simulated base and the scheduler know of each other. */
#ifndef SIM_SCHED_H
#define SIM_SCHED_H

#include "base/clock.h"
#include "base/fiber.h"
#include "base/thread.h"
#include "sim.h"

#include <stdint.h>

enum sim_state { SIM_FREE, SIM_READY, SIM_BLOCKED, SIM_SETTLING, SIM_ENDED };

struct sim_thread {
    struct fiber fiber;
    int id;
    enum sim_state state;
    char name[32];
    void *(*run)(void *);
    void *arg;
    int of_pool;         /* by thread_start(), not by sim_spawn() */
    int detached;        /* nobody joins it */
    const void *channel; /* what it is blocked on */
    const char *why;
    int64_t deadline;
    int woken;      /* not by its deadline */
    uint64_t order; /* of getting blocked or ready */
    int64_t priority;
    uint64_t spins; /* points since it was last switched to */
    int locks;
    uint64_t wakes;
    int64_t woke_at;
    struct thread_memo memo;
};

extern struct sim_counts sched_counts;

/* Virtual time begins there. */
#define SCHED_START (1000 * 1000 * CLOCK_MS)

struct sim_thread *sched_self(void);
struct sim_thread *sched_thread(int index); /* 0 is main; NULL: no more */
void sched_reset(uint64_t seed);
int64_t sched_now(void);

/* Somebody else may run here. */
void sched_point(void);

/* Sleeps until woken (not 0) or until the deadline has passed (0). */
int sched_block(const void *channel, int64_t deadline, const char *why);

/* Sleeps until woken; not counted among the thread's wakes. */
void sched_queue(const void *channel, const char *why);

/* Blocked on the channel: the first, or one that the search chooses. */
struct sim_thread *sched_waiter(const void *channel);
void sched_wake(struct sim_thread *thread);
void sched_wake_all(const void *channel);

struct sim_thread *sched_start(const char *name, void *(*run)(void *),
                               void *arg);
void sched_join(struct sim_thread *thread);
void sched_detach(struct sim_thread *thread);

/* decide.c: which of n, the default being 0. */
void decide_begin(uint64_t seed);
int decide_is_fifo(void);
uint32_t decide(uint32_t wanted, uint32_t n);
uint32_t decide_any(uint32_t n);
uint32_t decide_next(struct sim_thread *const *ready, uint32_t n, int stay);
int64_t decide_priority(void);
int decide_slip(void);
int decide_spurious(void);
uint64_t decide_random(void);

/* Not 0 if sim_break() says that this call fails. */
int sched_broken(enum sim_call call);

/* Forgets the descriptors of the run before. */
void watch_forget(void);
const char *watch_left(void);

#endif
