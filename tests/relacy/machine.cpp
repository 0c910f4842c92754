/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The base on relacy, and the main program. */
extern "C" {
#include "base/atomic.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/random.h"
#include "base/sleep.h"
#include "base/thread.h"
#include "base/watch.h"
}
#include "machine.h"

#include <relacy/relacy_std.hpp>
#undef new /* machine.cpp has its own placement new */

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const machine_case *current;

static bool systematic;
static int64_t now;
static struct thread_memo memos[MACHINE_THREADS + 1];
static struct {
    void *(*run)(void *);
    void *arg;
} started[2];
static int starts;
static jmp_buf *asleep; /* while priming */

typedef rl::atomic<int> futex_word;

/* A wait with a deadline, by thread; CLOCK_NEVER: no wait.  It is on a
 * condition variable or, if cond is NULL, on a futex. */
struct nap {
    struct cond *cond;
    futex_word *word;
    struct lock *lock;
    int64_t deadline;
};
static nap naps[MACHINE_THREADS + 1];
static struct lock clock_lock;
static struct cond clock_bell;
static int awake; /* threads that have not ended, without the clock's thread */

/* Storage for objects of one type, which all end with the run. */
template <typename T, int N> struct room {
    double storage[(sizeof(T) * N + sizeof(double) - 1) / sizeof(double)];
    int used;

    T *at(int i)
    {
        return reinterpret_cast<T *>(storage) + i;
    }
    T *make()
    {
        RL_ASSERT(used < N);
        return new (at(used++)) T;
    }
    void end()
    {
        while (used > 0)
            at(--used)->~T();
    }
};

typedef rl::atomic<uint64_t> cell;
struct tag;
typedef rl::generic_mutex<tag> mutex;
typedef rl::condvar<tag> condition;

enum { WORDS = 512, LOCKS = 32, SLEEPERS = 64 };
static room<cell, WORDS> cells;
static room<mutex, LOCKS> mutexes;
static room<condition, LOCKS> conditions;
static room<futex_word, SLEEPERS> sleepers;
static room<rl::var<int>, MACHINE_RESOURCES> resources;
/* words that have a cell: cells.at() of the same index */
static atom *words[WORDS];

/* ---- atomics ---- */

static cell &cell_of(const atom *constant)
{
    atom *a = const_cast<atom *>(constant);
    if (a->cell == NULL) {
        words[cells.used] = a;
        a->cell = cells.make();
        static_cast<cell *>(a->cell)->store(a->value, rl::mo_relaxed, $);
    }
    return *static_cast<cell *>(a->cell);
}

uint64_t atom_load(const atom *a)
{
    return cell_of(a).load(rl::mo_seq_cst, $);
}

void atom_store(atom *a, uint64_t value)
{
    cell_of(a).store(value, rl::mo_seq_cst, $);
}

int atom_cas(atom *a, uint64_t *expected, uint64_t desired)
{
    return cell_of(a).compare_exchange_strong(*expected, desired,
                                              rl::mo_seq_cst, $);
}

uint64_t atom_or(atom *a, uint64_t bits)
{
    return cell_of(a).fetch_or(bits, rl::mo_seq_cst, $);
}

uint64_t atom_and(atom *a, uint64_t bits)
{
    return cell_of(a).fetch_and(bits, rl::mo_seq_cst, $);
}

/* The systematic search uses one memory, as the orders of the other accesses
 * allow. The random search uses relaxed order. */
uint64_t atom_peek(const atom *a)
{
    if (systematic)
        return a->cell == NULL ? a->value : cell_of(a).debug_value();
    return cell_of(a).load(rl::mo_relaxed, $);
}

void atom_put(atom *a, uint64_t value)
{
    if (systematic && a->cell == NULL)
        a->value = value;
    else
        cell_of(a).store(value, rl::mo_relaxed, $);
}

/* ---- locks ---- */

static mutex *mutex_of(struct lock *lock)
{
    return static_cast<mutex *>(lock->cell);
}

int lock_init(struct lock *lock)
{
    lock->cell = mutexes.make();
    mutex_of(lock)->init(false, false, false, false, $);
    return 0;
}

void lock_destroy(struct lock *)
{
}

void lock_take(struct lock *lock)
{
    mutex_of(lock)->lock($);
}

void lock_drop(struct lock *lock)
{
    mutex_of(lock)->unlock($);
}

int cond_init(struct cond *cond)
{
    cond->alive = 1;
    cond->cell = NULL;
    return 0;
}

void cond_destroy(struct cond *cond)
{
    cond->alive = 0;
}

static condition *condition_of(struct cond *cond)
{
    machine_check(cond->alive, "a condition variable is used after its end");
    return static_cast<condition *>(cond->cell);
}

static void wake_clock(void)
{
    lock_take(&clock_lock);
    cond_wake(&clock_bell);
    lock_drop(&clock_lock);
}

static void begin_nap(struct cond *cond, futex_word *word, struct lock *lock,
                      int64_t deadline)
{
    if (deadline == CLOCK_NEVER)
        return;
    machine_check(current->timed, "time does not pass in this case");
    nap &mine = naps[rl::thread_index()];
    mine.cond = cond;
    mine.word = word;
    mine.lock = lock;
    mine.deadline = deadline;
    wake_clock();
}

void cond_wait(struct cond *cond, struct lock *lock, int64_t deadline)
{
    if (asleep != NULL) {
        lock_drop(lock);
        longjmp(*asleep, 1);
    }
    if (condition_of(cond) == NULL) {
        cond->cell = conditions.make();
        condition_of(cond)->init(true, $);
    }
    begin_nap(cond, NULL, lock, deadline);
    condition_of(cond)->wait(*mutex_of(lock), false, $);
    naps[rl::thread_index()].deadline = CLOCK_NEVER;
}

void cond_wake(struct cond *cond)
{
    if (condition_of(cond) != NULL)
        condition_of(cond)->notify_one($);
}

void cond_wake_all(struct cond *cond)
{
    if (condition_of(cond) != NULL)
        condition_of(cond)->notify_all($);
}

/* ---- sleepers ---- */

enum { ASLEEP, ROUSED, TIMED_OUT };

static futex_word *word_of(struct sleeper *sleeper)
{
    return static_cast<futex_word *>(sleeper->cell);
}

/* A change under the mutex is no point to switch threads. */
static void set_word(futex_word *word, int value)
{
    rl::preemption_disabler here(rl::ctx());
    word->store(value, rl::mo_relaxed, $);
}

/* The kernel's part of a futex call begins with a full barrier, also if the
 * stores before it are relaxed. */
static void enter_kernel(void)
{
    rl::ctx().sched();
    rl::ctx().atomic_thread_fence_seq_cst();
}

/* FUTEX_WAIT.  relacy's own function also wakes spuriously, which makes the
 * search too large. */
static void futex_wait(futex_word *word, int value)
{
    enter_kernel();
    int now_there = 0;
    {
        rl::preemption_disabler here(rl::ctx());
        now_there = word->load(rl::mo_relaxed, $);
    }
    if (now_there == value)
        word->wait(rl::ctx(), false, false, $);
}

/* Sets the value first: a sleeper that has dropped the mutex and does not sleep
 * yet must not begin to sleep. */
static struct wake end_sleep(futex_word *word, int value)
{
    set_word(word, value);
    wake result = {word};
    return result;
}

void sleeper_init(struct sleeper *sleeper)
{
    sleeper->cell = sleepers.make();
    set_word(word_of(sleeper), ASLEEP);
}

void sleeper_wait(struct sleeper *sleeper, struct lock *lock, int64_t deadline)
{
    begin_nap(NULL, word_of(sleeper), lock, deadline);
    if (word_of(sleeper)->load(rl::mo_relaxed, $) == TIMED_OUT)
        set_word(word_of(sleeper), ASLEEP); /* set by an earlier wait */
    lock_drop(lock);
    futex_wait(word_of(sleeper), ASLEEP);
    lock_take(lock);
    naps[rl::thread_index()].deadline = CLOCK_NEVER;
}

struct wake sleeper_rouse(struct sleeper *sleeper)
{
    return end_sleep(word_of(sleeper), ROUSED);
}

void wake_send(struct wake wake)
{
    enter_kernel();
    void *target = const_cast<void *>(wake.target);
    static_cast<futex_word *>(target)->wake(rl::ctx(), 1, $);
}

/* ---- time, threads, sleep ---- */

int64_t clock_now(void)
{
    return now;
}

/* The longest possible jitter. */
uint64_t random_below(uint64_t n)
{
    return n == 0 ? 0 : n - 1;
}

/* A thread that lets the deadlines of the waits come, the earliest first.
 * (Relacy's own timed waits break its systematic search.) */
static void run_clock(void)
{
    lock_take(&clock_lock);
    while (awake > 0) {
        int first = 0;
        for (int i = 1; i <= MACHINE_THREADS; i++)
            if (naps[i].deadline < naps[first].deadline)
                first = i;
        nap due = naps[first];
        if (due.deadline == CLOCK_NEVER) {
            cond_wait(&clock_bell, &clock_lock, CLOCK_NEVER);
            continue;
        }
        lock_drop(&clock_lock);
        lock_take(due.lock);
        if (naps[first].deadline == due.deadline) {
            naps[first].deadline = CLOCK_NEVER;
            now = now < due.deadline ? due.deadline : now;
            if (due.cond != NULL)
                cond_wake_all(due.cond);
            else
                wake_send(end_sleep(due.word, TIMED_OUT));
        }
        lock_drop(due.lock);
        lock_take(&clock_lock);
    }
    lock_drop(&clock_lock);
}

struct thread_memo *thread_memo(void)
{
    return &memos[rl::thread_index()];
}

int thread_start(struct thread *thread, void *(*run)(void *), void *arg)
{
    if (starts == 2)
        return 11; /* EAGAIN */
    thread->index = starts;
    started[starts].run = run;
    started[starts++].arg = arg;
    return 0;
}

void thread_self(struct thread *)
{
}

void thread_begin(const char *)
{
}

void thread_join(struct thread *)
{
}

void thread_detach(struct thread *)
{
}

int thread_at_fork(void (*)(void))
{
    return 0;
}

int watch_open(struct watch *watch)
{
    watch->rung = 0;
    lock_init(&watch->lock);
    return cond_init(&watch->bell);
}

void watch_close(struct watch *watch)
{
    cond_destroy(&watch->bell);
    lock_destroy(&watch->lock);
}

int watch_add(struct watch *, int, uint64_t)
{
    return 0;
}

void watch_remove(struct watch *, int)
{
}

int watch_wait(struct watch *watch, int64_t deadline, uint64_t *, int)
{
    lock_take(&watch->lock);
    while (!watch->rung && now < deadline)
        cond_wait(&watch->bell, &watch->lock, deadline);
    watch->rung = 0;
    lock_drop(&watch->lock);
    return 0;
}

void watch_wake(struct watch *watch)
{
    lock_take(&watch->lock);
    watch->rung = 1;
    cond_wake(&watch->bell);
    lock_drop(&watch->lock);
}

int stop_open(void)
{
    return 0;
}

void stop_raise(int)
{
}

void stop_close(int)
{
}

/* ---- helpers of the cases ---- */

void machine_check(int ok, const char *what)
{
    if (!ok)
        rl::ctx().fail_test(what, rl::test_result_user_assert_failed, $);
}

void machine_touch(int resource)
{
    (*resources.at(resource))($) = 1;
}

void machine_prime(int n)
{
    jmp_buf here;
    asleep = &here;
    if (setjmp(here) == 0)
        started[n].run(started[n].arg);
    asleep = NULL;
}

void machine_run(int n)
{
    started[n].run(started[n].arg);
}

void machine_forget(void)
{
    for (int i = 0; i < cells.used; i++)
        *words[i] = (struct atom){0, NULL};
    cells.end();
}

/* ---- the program ---- */

/* Drops what a failed run left behind. */
static void begin(void)
{
    for (int i = 0; i < cells.used; i++)
        *words[i] = (struct atom){0, NULL};
    cells.used = mutexes.used = conditions.used = resources.used = 0;
    sleepers.used = starts = 0;
    asleep = NULL;
    now = 1000 * 1000 * CLOCK_MS;
    awake = current->threads;
    for (int i = 0; i <= MACHINE_THREADS; i++)
        naps[i].deadline = CLOCK_NEVER;
    lock_init(&clock_lock);
    cond_init(&clock_bell);
    memset(memos, 0, sizeof memos);
    for (int i = 0; i < MACHINE_RESOURCES; i++)
        resources.make();
    current->before();
    memset(memos, 0, sizeof memos);
}

static void end(void)
{
    current->after();
    while (mutexes.used > 0)
        mutexes.at(--mutexes.used)->deinit($);
    while (conditions.used > 0)
        conditions.at(--conditions.used)->deinit($);
    resources.end();
    sleepers.end();
}

template <int N> struct suite : rl::test_suite<suite<N>, N> {
    void before()
    {
        begin();
    }
    void thread(unsigned index)
    {
        if ((int)index == current->threads) {
            run_clock();
            return;
        }
        current->thread((int)index);
        awake--;
        wake_clock();
    }
    void after()
    {
        end();
    }
};

template <int N> static bool simulate(rl::test_params &params)
{
    typedef suite<N> cases;
    return rl::simulate<cases>(params);
}

/* Ends the program if a schedule fails. */
static void search(rl::scheduler_type_e type, unsigned long runs)
{
    std::ostringstream text;
    rl::test_params params;
    params.search_type = type;
    systematic = type == rl::sched_bound;
    params.iteration_count = runs;
    params.context_bound = (unsigned)current->preempted;
    params.execution_depth_limit = 5000;
    params.output_stream = &text;
    params.progress_stream = &text;
    int threads = current->threads + current->timed;
    bool good = threads == 2   ? simulate<2>(params)
                : threads == 3 ? simulate<3>(params)
                : threads == 4 ? simulate<4>(params)
                               : simulate<5>(params);
    printf("%-44s %-8s %9lu schedules: %s\n", current->name,
           type == rl::sched_bound ? "bound" : "random",
           (unsigned long)params.stop_iteration + !good,
           good ? "good" : rl::test_result_str(params.test_result));
    fflush(stdout);
    if (!good) {
        fputs(text.str().c_str(), stderr);
        _exit(1); /* relacy cannot clean up after a failure */
    }
}

/* relacy_cases [RUNS [CASE]] */
int main(int argc, char **argv)
{
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
    for (current = machine_cases; current->name != NULL; current++) {
        if (argc > 2 && strstr(current->name, argv[2]) == NULL)
            continue;
        search(rl::sched_bound, 0);
        search(rl::sched_random, runs);
    }
    return 0;
}
