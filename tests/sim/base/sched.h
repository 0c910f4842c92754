/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The interface between the simulated base and the scheduler. */
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
    int of_pool;         /* started by thread_start(), not by sim_spawn() */
    int detached;        /* it is not joined */
    const void *channel; /* what it is blocked on */
    const char *why;
    int64_t deadline;
    int woken;      /* woken, not timed out */
    uint64_t order; /* when it was blocked or became ready */
    int64_t priority;
    uint64_t spins; /* scheduling points since it was last switched to */
    int locks;
    uint64_t wakes;
    int64_t woke_at;
    struct thread_memo memo;
};

extern struct sim_counts sched_counts;

/* Virtual time begins here. */
#define SCHED_START (1000 * 1000 * CLOCK_MS)

struct sim_thread *sched_self(void);
struct sim_thread *sched_thread(int index); /* 0 is main; NULL: no more */
void sched_reset(uint64_t seed);
int64_t sched_now(void);

/* Another coroutine may run here. */
void sched_point(void);

/* Sleeps until woken (returns not 0) or until the deadline has passed (returns
 * 0). */
int sched_block(const void *channel, int64_t deadline, const char *why);

/* Sleeps until woken.  This does not count as a wake of the thread. */
void sched_queue(const void *channel, const char *why);

/* Returns the first coroutine that is blocked on the channel, or one that the
 * search chooses. */
struct sim_thread *sched_waiter(const void *channel);
void sched_wake(struct sim_thread *thread);
void sched_wake_all(const void *channel);

struct sim_thread *sched_start(const char *name, void *(*run)(void *),
                               void *arg);
void sched_join(struct sim_thread *thread);
void sched_detach(struct sim_thread *thread);

/* In decide.c: chooses one of n; the default is 0. */
void decide_begin(uint64_t seed);
int decide_is_fifo(void);
uint32_t decide(uint32_t wanted, uint32_t n);
uint32_t decide_any(uint32_t n);
uint32_t decide_next(struct sim_thread *const *ready, uint32_t n, int stay);
int64_t decide_priority(void);
int decide_slip(void);
int decide_spurious(void);
uint64_t decide_random(void);

/* Returns not 0 if sim_break() has told this call to fail. */
int sched_broken(enum sim_call call);

/* Forgets the descriptors of the last run. */
void watch_forget(void);
const char *watch_left(void);

#endif
