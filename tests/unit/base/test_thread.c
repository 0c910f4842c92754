/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Threads of the pool: signals, names, what a thread remembers, and fork. */
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
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
static void every_signal_is_blocked_there_and_none_here(void **state)
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

static void a_thread_is_whom_it_says(void **state)
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
        memo->inside == NULL)
        *(int *)arg = 1;
    memo->hint[0].key = 77;
    return NULL;
}

static void each_thread_remembers_for_itself(void **state)
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
    thread_set_name(arg);
    (void)prctl(PR_GET_NAME, own_name);
    return NULL;
}

/* A name that is longer than the kernel's is cut. */
static void a_thread_names_itself(void **state)
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

static int forked;

static void in_child(void)
{
    forked++;
}

/* J01 */
static void the_child_of_a_fork_is_told(void **state)
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
    assert_int_equal(forked, 0); /* and the parent is not */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signal_is_blocked_there_and_none_here),
        cmocka_unit_test(a_thread_is_whom_it_says),
        cmocka_unit_test(each_thread_remembers_for_itself),
        cmocka_unit_test(a_thread_names_itself),
        cmocka_unit_test(the_child_of_a_fork_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
