/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The sleep of one thread on a futex: how it ends, and stale wake-ups.  The
 * waits are real, but short. */
#include "base/sleep.h"

#include "base/clock.h"
#include "base/thread.h"

#include "harness.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...); /* POSIX hides it */

static struct lock lock;
static struct sleeper sleeper;
static int roused;  /* protected by the lock */
static int returns; /* of sleeper_wait(), in the sleeping thread */

static int setup(void **state)
{
    (void)state;
    roused = returns = 0;
    sleeper_init(&sleeper);
    return lock_init(&lock);
}

static int teardown(void **state)
{
    (void)state;
    lock_destroy(&lock);
    return 0;
}

static void *sleep_until_roused(void *arg)
{
    lock_take(&lock);
    while (!roused) {
        sleeper_wait(&sleeper, &lock, *(const int64_t *)arg);
        returns++;
    }
    lock_drop(&lock);
    return NULL;
}

static void rouse(void)
{
    lock_take(&lock);
    roused = 1;
    struct wake wake = sleeper_rouse(&sleeper);
    lock_drop(&lock);
    wake_send(wake);
}

/* Sends a private FUTEX_WAKE, as wake_send() does.  Returns how many it woke.
 */
static long send_late(const void *target)
{
    return syscall(SYS_futex, target, 1 | 128, 1, NULL, NULL, 0);
}

static void sleep_ends_when_sleeper_is_woken(void **state)
{
    (void)state;
    const int64_t deadlines[] = {CLOCK_NEVER,
                                 clock_after(clock_now(), 3600000)};
    for (int i = 0; i < 2; i++) {
        roused = returns = 0;
        sleeper_init(&sleeper);
        int64_t deadline = deadlines[i];
        struct thread thread;
        assert_int_equal(thread_start(&thread, sleep_until_roused, &deadline),
                         0);
        rouse();
        thread_join(&thread);
        assert_in_range(returns, 0, 1);
    }
}

static void sleep_does_not_begin_when_sleeper_was_already_woken(void **state)
{
    (void)state;
    lock_take(&lock);
    struct wake wake = sleeper_rouse(&sleeper);
    sleeper_wait(&sleeper, &lock, CLOCK_NEVER);
    lock_drop(&lock);
    wake_send(wake); /* no thread sleeps there */
}

static void sleep_ends_at_its_deadline_when_not_woken(void **state)
{
    (void)state;
    lock_take(&lock);
    for (int i = 0; i < 3; i++) {
        int64_t deadline = clock_after(clock_now(), 20);
        while (clock_now() < deadline)
            sleeper_wait(&sleeper, &lock, deadline);
        assert_in_range(clock_now() - deadline, 0, 2000 * CLOCK_MS);
    }
    sleeper_wait(&sleeper, &lock, 0);
    sleeper_wait(&sleeper, &lock, -1);
    lock_drop(&lock);
}

/* The wake-up was meant for an older record at the same address. */
static void sleep_goes_on_when_a_stale_futex_wake_comes(void **state)
{
    (void)state;
    int64_t deadline = CLOCK_NEVER;
    struct thread thread;
    assert_int_equal(thread_start(&thread, sleep_until_roused, &deadline), 0);
    for (int found = 0; found < 3;)
        found += (int)send_late(&sleeper);
    rouse();
    thread_join(&thread);
    assert_int_equal(returns, 1);
}

static atomic_int signals; /* lock-free, so that a signal handler may count */

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

static void *sleep_with_signals(void *arg)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    return sleep_until_roused(arg);
}

static void sleep_goes_on_when_a_signal_comes(void **state)
{
    (void)state;
    struct sigaction old, counting = {.sa_handler = count_signal};
    assert_int_equal(sigaction(SIGUSR1, &counting, &old), 0);
    signals = 0;
    int64_t deadline = CLOCK_NEVER;
    struct thread thread;
    assert_int_equal(thread_start(&thread, sleep_with_signals, &deadline), 0);
    while (send_late(&sleeper) == 0)
        ; /* it sleeps */
    for (int sent = 1; sent <= 3; sent++) {
        assert_int_equal(pthread_kill(thread.id, SIGUSR1), 0);
        while (signals < sent)
            (void)send_late(&sleeper);
    }
    rouse();
    thread_join(&thread);
    assert_int_equal(returns, 1);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

static void
stale_futex_wake_is_harmless_when_its_stack_is_unmapped(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct sleeper *gone =
        mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | 32, -1, 0);
    assert_true(gone != MAP_FAILED);
    sleeper_init(gone);
    lock_take(&lock);
    struct wake wake = sleeper_rouse(gone);
    lock_drop(&lock);
    assert_int_equal(munmap(gone, page), 0);
    wake_send(wake);
}

static struct {
    sem_t semaphore;
    int posted;
} reused;

static void *wait_for_post(void *arg)
{
    (void)arg;
    while (sem_wait(&reused.semaphore) != 0)
        ;
    returns = reused.posted ? 1 : -1;
    return NULL;
}

/* The stack of an ended sleeper may hold a semaphore by now. */
static void
stale_futex_wake_is_harmless_when_address_holds_a_semaphore(void **state)
{
    (void)state;
    reused.posted = 0;
    assert_int_equal(sem_init(&reused.semaphore, 0, 0), 0);
    struct thread thread;
    assert_int_equal(thread_start(&thread, wait_for_post, NULL), 0);
    const char *at = (const char *)&reused.semaphore;
    for (long found = 0; found < 3;)
        for (size_t i = 0; i < sizeof(sem_t); i += 4)
            found += send_late(at + i);
    reused.posted = 1;
    assert_int_equal(sem_post(&reused.semaphore), 0);
    thread_join(&thread);
    assert_int_equal(returns, 1);
    assert_int_equal(sem_destroy(&reused.semaphore), 0);
}

#define SLEEP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLEEP_TEST(sleep_ends_when_sleeper_is_woken),
        SLEEP_TEST(sleep_does_not_begin_when_sleeper_was_already_woken),
        SLEEP_TEST(sleep_ends_at_its_deadline_when_not_woken),
        SLEEP_TEST(sleep_goes_on_when_a_stale_futex_wake_comes),
        SLEEP_TEST(sleep_goes_on_when_a_signal_comes),
        SLEEP_TEST(stale_futex_wake_is_harmless_when_its_stack_is_unmapped),
        SLEEP_TEST(stale_futex_wake_is_harmless_when_address_holds_a_semaphore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
