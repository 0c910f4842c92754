/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The simulated machine on which tests run the unmodified core.  Every thread
 * is a coroutine of one real thread.  Time is a number that jumps to the next
 * deadline when all coroutines are blocked.  Which one runs next is decided at
 * every scheduling point: each lock, wait, wake, shared atomic and thread
 * start.
 *
 * The test itself runs on the real stack, as the coroutine "main".  Plain
 * sequential code may therefore call the pool, and cmocka's assertions may jump
 * there (and nowhere else).  With SIM_FIFO a coroutine runs until it blocks,
 * the one that became ready first comes next, and nothing is random.
 */
#ifndef SIM_H
#define SIM_H

#include <stddef.h>
#include <stdint.h>

/* ---- one run ------------------------------------------------------------- */

#define SIM_FIFO 0

/* Starts at virtual time 0 with main as the only coroutine, and drops what an
 * aborted run left behind.  The seed is SIM_FIFO, or that of a random walk. */
void sim_begin(uint64_t seed);

/* Fails if a coroutine has not ended or a descriptor is open.  Only for main.
 */
void sim_end(void);

/* On a failure, `report` is called on main with one line, and must not return.
 * Without it the line is printed and the program aborts. */
void sim_on_failure(void (*report)(const char *text));

/* Reports a failure, from any coroutine. */
_Noreturn void sim_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* ---- coroutines and time ---------------------------------------------------
 */

int sim_spawn(void (*run)(void *), void *arg);
int sim_done(int id);
void sim_join(int id);

/* Lets each ready coroutine run once. */
void sim_yield(void);

/* Lets the other coroutines run until all are blocked.  Time stands still. */
void sim_settle(void);

/* Lets time pass with all deadlines in it, and then settles. */
void sim_advance_ms(int64_t ms);

void sim_sleep_ms(int64_t ms);
void sim_sleep_until(int64_t deadline); /* of clock_now() */
int64_t sim_now_ms(void);               /* since sim_begin() */

/* ---- records ---- */

struct sim_counts {
    uint64_t points;   /* scheduling points */
    uint64_t switches; /* from one coroutine to another */
    uint64_t locks;    /* lock_take() */
    uint64_t waits;    /* cond_wait(), sleeper_wait() */
    uint64_t wakes;    /* cond_wake(), cond_wake_all(), wake_send() */
    uint64_t atoms;    /* operations on shared atomics without peek and put */
    uint64_t held;     /* the most of these under one hold of a lock, since the
                        * beginning or sim_forget_holds() */
    uint64_t system;   /* calls that enter the kernel: watch, stop, thread */
    uint64_t clocks;   /* calls of clock_now(), not of the coarse clock */
    uint64_t late_removals; /* watch_remove() of a closed descriptor */
};
struct sim_counts sim_counts(void);
void sim_forget_holds(void);

/* Returns how many locks the calling coroutine holds. */
int sim_locks_held(void);

struct sim_view {
    char name[32];
    /* returns from a wait or a sleep, without contended locks */
    uint64_t wakes;
    int64_t woke_ms; /* time of the last one; -1 before the first */
    int live;        /* how many threads of that name have not ended */
};

/* Returns the first live thread of the pool whose name contains `part`, or
 * whose last sleep was in a "watch" (the cleaner) or on a "condition". */
struct sim_view sim_thread(const char *part);

/* ---- descriptors
 * -------------------------------------------------------------- */

/* Opens a simulated socket with the lowest free number, as in the kernel. */
int sim_fd_open(void);
void sim_fd_close(int fd);
void sim_hang_up(int fd);
int sim_fds_open(void);     /* sockets and stop descriptors */
int sim_fd_watched(int fd); /* by some watch_add() */

int sim_stop_raised(int fd);

/* Sleeps until fd is raised (returns not 0) or the deadline has passed (returns
 * 0). */
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

/* From the nth such call from now on (1 is the next), `times` calls fail. */
void sim_break(enum sim_call call, int nth, int times);

/* From now on random_below(n) returns permille / 1000 of n - 1, rounded down;
 * with SIM_SEEDED it is random again. */
#define SIM_SEEDED (-1)
void sim_random(int permille);

/* Forks.  In the child, the handlers of thread_at_fork() are called, main is
 * the only coroutine, and run's result (0 to 255) is the exit status, which the
 * parent returns. */
int sim_fork(int (*run)(void *), void *arg);

/* ---- search and replay
 * -------------------------------------------------------------- */

struct sim_search {
    uint64_t shuffle; /* another search with the same seed */
    int walk;         /* permille: a random other coroutine runs at a point */
    int depth;        /* PCT with so many priority changes, if not 0 */
    int steps;    /* the run's length in points, over which PCT spreads them */
    int spurious; /* permille: a wait returns spuriously */
    int slip;     /* permille: time jumps to the next deadline although a
                   * coroutine is ready */
};
void sim_search(const struct sim_search *search);

/* Returns not 0 with that probability; always 0 with SIM_FIFO. */
int sim_chance(int permille);

/* `step` is called before every scheduling point and every sleep, by the
 * coroutine whose last actions are to be seen.  `quiet` is called when all are
 * blocked, before time jumps.  Neither may call a function with a scheduling
 * point. */
void sim_observe(void (*step)(void), void (*quiet)(void));
int sim_self(void); /* 0 is main */

/* Every decision of a run has a number.  A decision that is not the default is
 * a choice, and the list of choices replays the run. */
struct sim_choice {
    uint32_t index, value;
};
size_t sim_choices(const struct sim_choice **list);
void sim_replay(const struct sim_choice *list, size_t count);

#endif
