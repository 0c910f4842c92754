/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Threads of the pool: signals, processors, scheduling, stack, names, memo, and
 * fork. */
#define _GNU_SOURCE /* affinity, SCHED_BATCH, pthread_getattr_np */
#include "base/thread.h"

#include "harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static sigset_t blocked_there;

static void *look_at_signals(void *arg)
{
    (void)arg;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked_there);
    return NULL;
}

/* K04 K02 */
static void signals_are_blocked_only_in_new_thread_when_it_starts(void **state)
{
    (void)state;
    sigset_t before, after;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    struct thread thread;
    assert_int_equal(thread_start(&thread, look_at_signals, NULL), 0);
    thread_join(&thread);
    const int all[] = {SIGTERM, SIGINT,  SIGHUP, SIGUSR1, SIGUSR2, SIGALRM,
                       SIGPIPE, SIGCHLD, SIGIO,  SIGQUIT, SIGTSTP, SIGWINCH};
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(sigismember(&blocked_there, all[i]), 1);
        assert_int_equal(sigismember(&after, all[i]),
                         sigismember(&before, all[i]));
    }
}

static void *note_itself(void *arg)
{
    thread_self(arg);
    return NULL;
}

static void thread_id_matches_when_a_thread_records_itself(void **state)
{
    (void)state;
    struct thread started, noted;
    assert_int_equal(thread_start(&started, note_itself, &noted), 0);
    thread_join(&started);
    assert_true(pthread_equal(started.id, noted.id));
}

static void *remember(void *arg)
{
    struct thread_memo *memo = thread_memo();
    if (memo->hint[0].key == 0 && memo->hint[1].key == 0 &&
        memo->callout == NULL)
        *(int *)arg = 1;
    memo->hint[0].key = 77;
    return NULL;
}

static void thread_memo_is_separate_when_several_threads_use_it(void **state)
{
    (void)state;
    thread_memo()->hint[0].key = 5;
    for (int i = 0; i < 2; i++) {
        int was_empty = 0;
        struct thread thread;
        assert_int_equal(thread_start(&thread, remember, &was_empty), 0);
        thread_join(&thread);
        assert_true(was_empty);
    }
    assert_int_equal(thread_memo()->hint[0].key, 5);
    thread_memo()->hint[0].key = 0;
}

static char own_name[16];

static void *name_itself(void *arg)
{
    thread_begin(arg);
    (void)prctl(PR_GET_NAME, own_name);
    return NULL;
}

/* The kernel's names have 15 bytes; a longer name is cut. */
static void thread_name_is_set_and_cut_when_a_thread_begins(void **state)
{
    (void)state;
    char name[2][40] = {"a name of more than 15 characters", "short"};
    const char *kept[] = {"a name of more ", "short"};
    for (int i = 0; i < 2; i++) {
        struct thread thread;
        assert_int_equal(thread_start(&thread, name_itself, name[i]), 0);
        thread_join(&thread);
        assert_string_equal(own_name, kept[i]);
    }
}

/* ---- attributes that are not inherited ---- */

/* A thread of the application.  It gives itself special attributes, and then
 * starts a thread of the pool. */
struct special {
    int (*become)(void); /* 0, or not permitted */
    int refused;
    cpu_set_t cpus; /* of the pool's thread */
    int policy, priority, nice;
};

static void *look_at_itself(void *arg)
{
    struct special *s = arg;
    (void)sched_getaffinity(0, sizeof s->cpus, &s->cpus);
    thread_begin("pool");
    struct sched_param param;
    s->policy = sched_getscheduler(0);
    (void)sched_getparam(0, &param);
    s->priority = param.sched_priority;
    s->nice = getpriority(PRIO_PROCESS, 0);
    return NULL;
}

static void *start_while_special(void *arg)
{
    struct special *s = arg;
    struct thread thread;
    s->refused = s->become() != 0;
    if (!s->refused && thread_start(&thread, look_at_itself, s) == 0)
        thread_join(&thread);
    return NULL;
}

/* Skips the test if this process may not set the attribute. */
static struct special started_by(int (*become)(void))
{
    struct special s = {.become = become, .policy = -1};
    pthread_t borrower;
    assert_int_equal(pthread_create(&borrower, NULL, start_while_special, &s),
                     0);
    assert_int_equal(pthread_join(borrower, NULL), 0);
    if (s.refused)
        skip_because("this process has one processor, or may not change it or "
                     "its priority");
    return s;
}

static int pin_to_one(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    size_t last = CPU_SETSIZE;
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2)
        return -1;
    while (!CPU_ISSET(--last, &all))
        ;
    CPU_SET(last, &one);
    return sched_setaffinity(0, sizeof one, &one);
}

static void
thread_has_main_threads_cpu_set_when_started_by_a_pinned_thread(void **state)
{
    (void)state;
    cpu_set_t main_thread;
    struct special s = started_by(pin_to_one);
    assert_int_equal(
        sched_getaffinity(getpid(), sizeof main_thread, &main_thread), 0);
    assert_true(CPU_EQUAL(&s.cpus, &main_thread));
}

static int become_batch(void)
{
    const struct sched_param param = {0};
    return sched_setscheduler(0, SCHED_BATCH, &param);
}

static int become_real_time(void)
{
    const struct sched_param param = {.sched_priority = 1};
    return sched_setscheduler(0, SCHED_FIFO, &param);
}

static void
thread_has_main_threads_policy_when_started_by_a_batch_thread(void **state)
{
    (void)state;
    struct special s = started_by(become_batch);
    assert_int_equal(s.policy, sched_getscheduler(getpid()));
}

static void
thread_has_main_threads_policy_when_started_by_a_real_time_thread(void **state)
{
    (void)state;
    struct special s = started_by(become_real_time);
    assert_int_equal(s.policy, sched_getscheduler(getpid()));
    assert_int_equal(s.priority, 0);
}

/* An ordinary user may raise the nice value, but not lower it again. */
static int be_nicer(void)
{
    int before = getpriority(PRIO_PROCESS, 0);
    if (setpriority(PRIO_PROCESS, 0, before + 1) != 0 ||
        setpriority(PRIO_PROCESS, 0, before) != 0)
        return -1;
    return setpriority(PRIO_PROCESS, 0, before + 1);
}

static void
thread_has_main_threads_nice_value_when_started_by_a_nicer_thread(void **state)
{
    (void)state;
    struct special s = started_by(be_nicer);
    assert_int_equal(s.nice, getpriority(PRIO_PROCESS, (id_t)getpid()));
}

/* After this, a call that sets any of these attributes kills the process. */
static int forbid_setting(void)
{
#define KILL(call)                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KILL(SYS_sched_setaffinity),
        KILL(SYS_sched_setscheduler),
        KILL(SYS_sched_setparam),
        KILL(SYS_sched_setattr),
        KILL(SYS_setpriority),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0],
                                       .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
               ? -1
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void
thread_start_makes_no_scheduling_calls_when_threads_are_alike(void **state)
{
    (void)state;
    enum { NO_FILTER = 77 };
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct special s = {.policy = -1};
        struct thread thread;
        if (forbid_setting() != 0)
            _exit(NO_FILTER);
        if (thread_start(&thread, look_at_itself, &s) != 0)
            _exit(1);
        thread_join(&thread);
        _exit(s.policy == sched_getscheduler(0) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_FILTER)
        skip_because("this process may not have a seccomp filter");
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* glibc takes the thread-locals from the stack of each thread. */
static _Thread_local volatile char thread_locals[1024 * 1024];

static size_t stack_bytes;

static void *use_the_stack(void *arg)
{
    (void)arg;
    volatile char used[THREAD_STACK - 64 * 1024];
    for (size_t i = 0; i < sizeof used; i += 1024)
        used[i] = 1;
    for (size_t i = 0; i < sizeof thread_locals; i += 1024)
        thread_locals[i] = used[0];
    pthread_attr_t attr;
    (void)pthread_getattr_np(pthread_self(), &attr);
    (void)pthread_attr_getstacksize(&attr, &stack_bytes);
    (void)pthread_attr_destroy(&attr);
    return NULL;
}

static void
thread_stack_has_512_kb_when_thread_locals_take_a_megabyte(void **state)
{
    (void)state;
    struct thread thread;
    assert_int_equal(thread_start(&thread, use_the_stack, NULL), 0);
    thread_join(&thread);
    assert_true(stack_bytes >= THREAD_STACK);
    /* The stack is smaller than the default of 8 MB, wherever libc keeps
     * thread-locals. */
    assert_true(stack_bytes <= THREAD_STACK + 2 * sizeof thread_locals);
}

static int forked;

static void in_child(void)
{
    forked++;
}

/* J01 */
static void fork_handler_runs_in_the_child_when_process_forks(void **state)
{
    (void)state;
    assert_int_equal(thread_at_fork(in_child), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(forked == 1 ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(forked, 0); /* the parent's handler does not run */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_blocked_only_in_new_thread_when_it_starts),
        cmocka_unit_test(thread_id_matches_when_a_thread_records_itself),
        cmocka_unit_test(thread_memo_is_separate_when_several_threads_use_it),
        cmocka_unit_test(thread_name_is_set_and_cut_when_a_thread_begins),
        cmocka_unit_test(
            thread_has_main_threads_cpu_set_when_started_by_a_pinned_thread),
        cmocka_unit_test(
            thread_has_main_threads_policy_when_started_by_a_batch_thread),
        cmocka_unit_test(
            thread_has_main_threads_policy_when_started_by_a_real_time_thread),
        cmocka_unit_test(
            thread_has_main_threads_nice_value_when_started_by_a_nicer_thread),
        cmocka_unit_test(
            thread_start_makes_no_scheduling_calls_when_threads_are_alike),
        cmocka_unit_test(
            thread_stack_has_512_kb_when_thread_locals_take_a_megabyte),
        cmocka_unit_test(fork_handler_runs_in_the_child_when_process_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
