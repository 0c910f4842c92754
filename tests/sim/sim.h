/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The simulated machine that tests run the unmodified core on.  Every thread
 * is a coroutine of one real thread; time is a number that jumps to the next
 * deadline when all of them are blocked; who runs next is decided at every
 * scheduling point: each lock, wait, wake, shared atomic and thread start.
 *
 * The test itself runs on the real stack, as the coroutine "main", so plain
 * sequential code may call the pool, and cmocka's assertions may jump there
 * (and nowhere else).  With SIM_FIFO whoever runs does so until it blocks, the
 * one that became ready first comes next, and nothing is random.
 */
#ifndef SIM_H
#define SIM_H

#include <stddef.h>
#include <stdint.h>

/* ---- one run ------------------------------------------------------------- */

#define SIM_FIFO 0

/* Starts at virtual time 0 with no coroutine but main; what an aborted run left
 * behind is dropped.  SIM_FIFO, or the seed of a random walk. */
void sim_begin(uint64_t seed);

/* Fails if a coroutine has not ended or a descriptor is open.  Main only. */
void sim_end(void);

/* What happens on a failure: `report` is called on main, with one line, and
 * must not return.  Without it the line is printed and the program aborts. */
void sim_on_failure(void (*report)(const char *text));

/* A failed expectation, from any coroutine. */
_Noreturn void sim_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* ---- coroutines and time ---------------------------------------------------
 */

int sim_spawn(void (*run)(void *), void *arg);
int sim_done(int id);
void sim_join(int id);

/* Lets those that are ready run once before going on. */
void sim_yield(void);

/* Lets the others run until all are blocked; time stands still. */
void sim_settle(void);

/* Lets time pass, everything that falls due included, and settles. */
void sim_advance_ms(int64_t ms);

void sim_sleep_ms(int64_t ms);
void sim_sleep_until(int64_t deadline); /* of clock_now() */
int64_t sim_now_ms(void);               /* since sim_begin() */

/* ---- what was done ----------------------------------------------------------
 */

struct sim_counts {
    uint64_t points;   /* scheduling points */
    uint64_t switches; /* from one coroutine to another */
    uint64_t locks;    /* lock_take() */
    uint64_t waits;    /* cond_wait(), sleeper_wait() */
    uint64_t wakes;    /* cond_wake(), cond_wake_all(), wake_send() */
    uint64_t atoms;    /* operations on shared atomics but peek and put */
    uint64_t held;     /* of these, the most under one hold of a lock since
                          the beginning or sim_forget_holds() */
    uint64_t system;   /* calls that enter the kernel: watch, stop, thread */
    uint64_t clocks;   /* clock_now(): the coarse clock is not counted */
    uint64_t late_removals; /* watch_remove() of a closed descriptor */
};
struct sim_counts sim_counts(void);
void sim_forget_holds(void);

/* Locks that the calling coroutine holds. */
int sim_locks_held(void);

struct sim_view {
    char name[32];
    uint64_t wakes;  /* returns from a wait or a sleep, contended locks apart */
    int64_t woke_ms; /* when the last was; -1 before the first */
    int live;        /* how many threads of that name have not ended */
};

/* The first live thread, of those that the pool started, whose name contains
 * `part`, or whose last sleep was in a "watch" (the cleaner) or on a
 * "condition". */
struct sim_view sim_thread(const char *part);

/* ---- descriptors
 * -------------------------------------------------------------- */

/* A socket that exists only here; the lowest free number, as in the kernel. */
int sim_fd_open(void);
void sim_fd_close(int fd);
void sim_hang_up(int fd);
int sim_fds_open(void);     /* sockets and stop descriptors */
int sim_fd_watched(int fd); /* by some watch_add() */

int sim_stop_raised(int fd);

/* Sleeps until fd is raised (not 0) or the deadline has passed (0). */
int sim_stop_wait(int fd, int64_t deadline);

/* ---- misfortune
 * ------------------------------------------------------------------ */

enum sim_call {
    SIM_LOCK_INIT,
    SIM_COND_INIT,
    SIM_THREAD_START,
    SIM_AT_FORK,
    SIM_WATCH_OPEN,
    SIM_WATCH_ADD,
    SIM_STOP_OPEN,
    SIM_CALL_COUNT
};

/* From the nth such call from now on (1 is the next), `times` of them fail. */
void sim_break(enum sim_call call, int nth, int times);

/* From now on random_below(n) answers permille / 1000 of n - 1, rounded down;
 * SIM_SEEDED: random again. */
#define SIM_SEEDED (-1)
void sim_random(int permille);

/* Forks; in the child the handlers of thread_at_fork() are called, main is the
 * only coroutine left, and run's result (0 to 255) is the exit status, which
 * the parent gets back. */
int sim_fork(int (*run)(void *), void *arg);

/* ---- search and replay
 * -------------------------------------------------------------- */

struct sim_search {
    uint64_t shuffle; /* another search with the same seed */
    int walk;         /* permille: a random other coroutine at a point */
    int depth;        /* PCT with that many priority changes, if not 0 */
    int steps;    /* the run's length in points, which PCT spreads them over */
    int spurious; /* permille: a wait returns for no reason */
    int slip;     /* permille: time jumps to the next deadline although
                     somebody is ready */
};
void sim_search(const struct sim_search *search);

/* Not 0 with that probability; never with SIM_FIFO. */
int sim_chance(int permille);

/* `step` is called before every scheduling point and every sleep, by the
 * coroutine whose doings since its last one are to be seen; `quiet` when all
 * are blocked, before time jumps.  Neither may call what has such a point. */
void sim_observe(void (*step)(void), void (*quiet)(void));
int sim_self(void); /* 0 is main */

/* Every decision of a run has a number; one that is not the default is a
 * choice.  The list of them replays the run. */
struct sim_choice {
    uint32_t index, value;
};
size_t sim_choices(const struct sim_choice **list);
void sim_replay(const struct sim_choice *list, size_t count);

#endif
