/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The coroutines: which exist, which are ready, and the virtual time.  Only the
 * running coroutine uses these variables, so no lock is needed.
 */
#include "base/sched.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024 };
#define SPIN_LIMIT 50000000U /* scheduling points in a row without a switch */

struct sim_counts sched_counts;

static struct sim_thread main_thread = {.name = "main", .state = SIM_READY};
static struct sim_thread *threads[MAX_THREADS] = {&main_thread};
static int thread_count = 1;
static struct sim_thread *current = &main_thread;
static int64_t now = SCHED_START;
static uint64_t last_order;
static char failure[2048];
static void (*on_failure)(const char *text);
static void (*on_step)(void), (*on_quiet)(void);

struct sim_thread *sched_self(void)
{
    return current;
}

int64_t sched_now(void)
{
    return now;
}

/* ---- failing ----------------------------------------------------------------
 */

static _Noreturn void report(void)
{
    char text[sizeof failure];
    memcpy(text, failure, sizeof text);
    failure[0] = '\0';
    if (on_failure != NULL)
        on_failure(text);
    (void)fprintf(stderr, "sim: %s\n", text);
    abort();
}

void sim_on_failure(void (*fn)(const char *text))
{
    on_failure = fn;
}

void sim_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
    struct sim_thread *self = current;
    if (self != &main_thread) {
        self->state = SIM_ENDED;
        current = &main_thread;
        fiber_switch(&self->fiber, &main_thread.fiber, 1);
    }
    report();
}

static _Noreturn void fail_deadlock(void)
{
    char buffer[1024];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    for (int i = 0; i < thread_count; i++) {
        if (threads[i]->state == SIM_BLOCKED)
            text_add(&text, " %s(%d): %s;", threads[i]->name, i,
                     threads[i]->why);
    }
    sim_fail("deadlock, all wait for ever:%s", buffer);
}

/* ---- the running coroutine ---- */

static void make_ready(struct sim_thread *t)
{
    t->state = SIM_READY;
    t->channel = NULL;
    t->order = ++last_order;
}

static int comes_before(const struct sim_thread *a, const struct sim_thread *b)
{
    return b == NULL || a->order < b->order;
}

static struct sim_thread *first_in(enum sim_state state)
{
    struct sim_thread *first = NULL;
    for (int i = 0; i < thread_count; i++) {
        if (threads[i]->state == state && comes_before(threads[i], first))
            first = threads[i];
    }
    return first;
}

/* Chooses a coroutine when every order is to be searched.  The default, the
 * first of the list, is to stay. */
static struct sim_thread *any_ready(int stay)
{
    static struct sim_thread *ready[MAX_THREADS];
    uint32_t n = 0;
    if (stay)
        ready[n++] = current;
    for (int i = 0; i < thread_count; i++) {
        struct sim_thread *t = threads[i];
        if (t->state != SIM_READY || (stay && t == current))
            continue;
        uint32_t at = n++;
        uint32_t first = stay ? 1 : 0;
        for (; at > first && comes_before(t, ready[at - 1]); at--)
            ready[at] = ready[at - 1];
        ready[at] = t;
    }
    if (n == 0)
        return NULL;
    return ready[n == 1 ? 0 : decide_next(ready, n, stay)];
}

/* Jumps to the earliest deadline.  Returns 0 if there is none. */
static int time_jump(void)
{
    int64_t next = CLOCK_NEVER;
    for (int i = 0; i < thread_count; i++) {
        if (threads[i]->state == SIM_BLOCKED && threads[i]->deadline < next)
            next = threads[i]->deadline;
    }
    if (next == CLOCK_NEVER)
        return 0;
    now = next > now ? next : now;
    for (;;) {
        struct sim_thread *due = NULL;
        for (int i = 0; i < thread_count; i++) {
            struct sim_thread *t = threads[i];
            if (t->state == SIM_BLOCKED && t->deadline <= now &&
                comes_before(t, due))
                due = t;
        }
        if (due == NULL)
            return 1;
        make_ready(due);
    }
}

static struct sim_thread *pick(int stay)
{
    for (;;) {
        struct sim_thread *t =
            decide_is_fifo() ? first_in(SIM_READY) : any_ready(stay);
        if (t == NULL)
            t = first_in(SIM_SETTLING);
        if (t != NULL)
            return t;
        if (on_quiet != NULL)
            on_quiet();
        if (!time_jump())
            fail_deadlock();
    }
}

static void go(struct sim_thread *to, int ended)
{
    struct sim_thread *from = current;
    to->state = SIM_READY;
    if (to == from)
        return;
    to->spins = 0;
    sched_counts.switches++;
    current = to;
    fiber_switch(&from->fiber, &to->fiber, ended);
    if (failure[0] != '\0')
        report();
}

void sched_point(void)
{
    sched_counts.points++;
    if (on_step != NULL)
        on_step();
    if (++current->spins > SPIN_LIMIT)
        sim_fail("%s spins", current->name);
    if (decide_is_fifo())
        return;
    if (decide_slip())
        (void)time_jump();
    go(pick(1), 0);
}

static int block(const void *channel, int64_t deadline, const char *why)
{
    struct sim_thread *self = current;
    if (deadline <= now) {
        sched_point();
        return 0;
    }
    if (on_step != NULL)
        on_step();
    self->state = SIM_BLOCKED;
    self->channel = channel;
    self->deadline = deadline;
    self->why = why;
    self->woken = 0;
    self->order = ++last_order;
    go(pick(0), 0);
    return self->woken;
}

int sched_block(const void *channel, int64_t deadline, const char *why)
{
    int woken = block(channel, deadline, why);
    current->wakes++;
    current->woke_at = now;
    return woken;
}

void sched_queue(const void *channel, const char *why)
{
    (void)block(channel, CLOCK_NEVER, why);
}

struct sim_thread *sched_waiter(const void *channel)
{
    uint32_t n = 0;
    struct sim_thread *first = NULL;
    for (int i = 0; i < thread_count; i++) {
        if (threads[i]->state == SIM_BLOCKED &&
            threads[i]->channel == channel) {
            n++;
            if (comes_before(threads[i], first))
                first = threads[i];
        }
    }
    uint32_t chosen = n < 2 ? 0 : decide_any(n);
    for (int i = 0; chosen > 0 && i < thread_count; i++) {
        struct sim_thread *t = threads[i];
        if (t->state == SIM_BLOCKED && t->channel == channel && t != first &&
            --chosen == 0)
            return t;
    }
    return first;
}

void sched_wake(struct sim_thread *thread)
{
    thread->woken = 1;
    make_ready(thread);
}

void sched_wake_all(const void *channel)
{
    for (int i = 0; i < thread_count; i++) {
        if (threads[i]->state == SIM_BLOCKED && threads[i]->channel == channel)
            sched_wake(threads[i]);
    }
}

/* ---- beginning and end of a coroutine
 * -------------------------------------------- */

static void run_thread(void)
{
    struct sim_thread *self = current;
    (void)self->run(self->arg);
    if (on_step != NULL)
        on_step();
    if (self->locks != 0)
        sim_fail("%s ended with a lock held", self->name);
    self->state = self->detached ? SIM_FREE : SIM_ENDED;
    sched_wake_all(self);
    go(pick(0), 1);
    abort();
}

static struct sim_thread *thread_slot(void)
{
    for (int i = 1; i < thread_count; i++) {
        if (threads[i]->state == SIM_FREE && threads[i] != current)
            return threads[i];
    }
    if (thread_count == MAX_THREADS)
        sim_fail("too many threads");
    struct sim_thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        abort();
    t->id = thread_count;
    threads[thread_count++] = t;
    return t;
}

struct sim_thread *sched_start(const char *name, void *(*run)(void *),
                               void *arg)
{
    struct sim_thread *t = thread_slot();
    struct fiber fiber = t->fiber;
    *t = (struct sim_thread){.fiber = fiber,
                             .id = t->id,
                             .run = run,
                             .arg = arg,
                             .of_pool = 1,
                             .woke_at = -1,
                             .priority = decide_priority()};
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    fiber_make(&t->fiber, run_thread);
    make_ready(t);
    return t;
}

void sched_join(struct sim_thread *thread)
{
    if (thread == NULL || thread->detached || thread->state == SIM_FREE)
        sim_fail("%s joins a thread that does not exist", current->name);
    while (thread->state != SIM_ENDED)
        sched_queue(thread, "join");
    thread->state = SIM_FREE;
}

void sched_detach(struct sim_thread *thread)
{
    if (thread == NULL || thread->detached || thread->state == SIM_FREE)
        sim_fail("%s detaches a thread that does not exist", current->name);
    thread->detached = 1;
    if (thread->state == SIM_ENDED)
        thread->state = SIM_FREE;
}

/* ---- for control.c ------------------------------------------------------- */

struct sim_thread *sched_thread(int index)
{
    return index < thread_count ? threads[index] : NULL;
}

void sched_reset(uint64_t seed)
{
    if (current != &main_thread)
        abort();
    for (int i = 1; i < thread_count; i++)
        threads[i]->state = SIM_FREE;
    fiber_adopt(&main_thread.fiber);
    main_thread.state = SIM_READY;
    main_thread.locks = 0;
    main_thread.wakes = main_thread.spins = 0;
    main_thread.memo = (struct thread_memo){0};
    failure[0] = '\0';
    now = SCHED_START;
    last_order = 0;
    sched_counts = (struct sim_counts){0};
    on_step = on_quiet = NULL;
    decide_begin(seed);
    main_thread.priority = decide_priority();
}

void sim_observe(void (*step)(void), void (*quiet)(void))
{
    on_step = step;
    on_quiet = quiet;
}

void sim_yield(void)
{
    current->order = ++last_order;
    go(pick(0), 0);
}

void sim_settle(void)
{
    current->state = SIM_SETTLING;
    current->order = ++last_order;
    go(pick(0), 0);
}
