/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The mutex, and the condition variable on the monotonic clock.  The waits are
 * real, but short. */
#include "base/lock.h"

#include "harness.h"

#include "base/clock.h"
#include "base/thread.h"

static struct lock lock;
static struct cond cond;
static int value, waiting;

static int setup(void **state)
{
    (void)state;
    value = waiting = 0;
    return lock_init(&lock) != 0 || cond_init(&cond) != 0;
}

static int teardown(void **state)
{
    (void)state;
    cond_destroy(&cond);
    lock_destroy(&lock);
    return 0;
}

/* I6 */
static void condition_wait_ends_at_its_deadline_when_not_woken(void **state)
{
    (void)state;
    lock_take(&lock);
    for (int i = 0; i < 3; i++) {
        int64_t deadline = clock_after(clock_now(), 20);
        while (clock_now() < deadline)
            cond_wait(&cond, &lock, deadline);
        int64_t late = clock_now() - deadline;
        assert_true(late >= 0);
        assert_true(late < 2000 * CLOCK_MS); /* room for a busy machine */
    }
    lock_drop(&lock);
}

static void
condition_wait_returns_at_once_when_deadline_has_passed(void **state)
{
    (void)state;
    lock_take(&lock);
    int64_t before = clock_now();
    for (int i = 0; i < 100; i++)
        cond_wait(&cond, &lock, before - 1);
    cond_wait(&cond, &lock, 0);
    assert_true(clock_now() - before < 2000 * CLOCK_MS);
    lock_drop(&lock);
}

static void *wait_for_value(void *arg)
{
    lock_take(&lock);
    waiting++;
    cond_wake_all(&cond);
    while (value == 0)
        cond_wait(&cond, &lock, *(int64_t *)arg);
    waiting--;
    lock_drop(&lock);
    return NULL;
}

static void wake_three(int64_t deadline)
{
    struct thread thread[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(thread_start(&thread[i], wait_for_value, &deadline),
                         0);
    lock_take(&lock);
    while (waiting < 3)
        cond_wait(&cond, &lock, CLOCK_NEVER);
    value = 1;
    cond_wake_all(&cond);
    lock_drop(&lock);
    for (int i = 0; i < 3; i++)
        thread_join(&thread[i]);
    assert_int_equal(waiting, 0);
}

static void all_waiters_are_woken_when_condition_is_broadcast(void **state)
{
    (void)state;
    wake_three(CLOCK_NEVER);
    value = 0;
    wake_three(clock_after(clock_now(), 3600000));
}

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        lock_take(&lock);
        value++;
        lock_drop(&lock);
    }
    return NULL;
}

static void lock_has_one_holder_when_threads_compete(void **state)
{
    (void)state;
    struct thread thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start(&thread[i], count_up, NULL), 0);
    for (int i = 0; i < 4; i++)
        thread_join(&thread[i]);
    assert_int_equal(value, 80000);
}

#define LOCK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(condition_wait_ends_at_its_deadline_when_not_woken),
        LOCK_TEST(condition_wait_returns_at_once_when_deadline_has_passed),
        LOCK_TEST(all_waiters_are_woken_when_condition_is_broadcast),
        LOCK_TEST(lock_has_one_holder_when_threads_compete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
