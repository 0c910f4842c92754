/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The simulated base itself: time, waking, descriptors, failures, replay. */
#include "sim.h"

#include "base/atomic.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/random.h"
#include "base/thread.h"
#include "base/watch.h"

#include "harness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

static jmp_buf on_failure;
static char failure[2048];

static void keep_failure(const char *text)
{
    (void)snprintf(failure, sizeof failure, "%s", text);
    longjmp(on_failure, 1);
}

/* Returns the simulator's error text for `run`, or "". */
static const char *complaint(void (*run)(void))
{
    failure[0] = '\0';
    sim_on_failure(keep_failure);
    if (setjmp(on_failure) == 0)
        run();
    sim_on_failure(NULL);
    return failure;
}

static struct lock lock;
static struct cond cond;
static struct watch watch;
static int64_t woke_ms[2];

static int setup(void **state)
{
    (void)state;
    sim_begin(SIM_FIFO);
    assert_int_equal(lock_init(&lock), 0);
    assert_int_equal(cond_init(&cond), 0);
    woke_ms[0] = woke_ms[1] = -1;
    return 0;
}

static void sleep_30(void *arg)
{
    sim_sleep_ms(30);
    woke_ms[*(int *)arg] = sim_now_ms();
}

static void virtual_time_jumps_when_all_coroutines_are_blocked(void **state)
{
    (void)state;
    int first = 0;
    int id = sim_spawn(sleep_30, &first);
    sim_settle();
    assert_int_equal(sim_now_ms(), 0);
    sim_advance_ms(29);
    assert_false(sim_done(id));
    sim_advance_ms(1);
    assert_true(sim_done(id));
    assert_int_equal(woke_ms[0], 30);
    sim_join(id);
    sim_end();
}

static void
simulated_coarse_clock_is_less_than_a_tick_behind_when_read(void **state)
{
    (void)state;
    sim_advance_ms(7);
    assert_int_equal(clock_now() - clock_coarse(), 3 * CLOCK_MS);
    sim_advance_ms(1);
    assert_int_equal(clock_now(), clock_coarse());
    sim_end();
}

static void wait_50(void *arg)
{
    lock_take(&lock);
    cond_wait(&cond, &lock, clock_after(clock_now(), 50));
    woke_ms[*(int *)arg] = sim_now_ms();
    lock_drop(&lock);
}

static void simulated_wait_ends_when_woken_or_at_its_deadline(void **state)
{
    (void)state;
    int index[] = {0, 1};
    (void)sim_spawn(wait_50, &index[0]);
    (void)sim_spawn(wait_50, &index[1]);
    sim_advance_ms(10);
    cond_wake(&cond);
    sim_settle();
    assert_int_equal(woke_ms[0], 10);
    assert_int_equal(woke_ms[1], -1);
    sim_advance_ms(100);
    assert_int_equal(woke_ms[1], 50);
    sim_end();
}

static void watch_next(void *arg)
{
    uint64_t tokens[4];
    int n = watch_wait(&watch, clock_after(clock_now(), 20), tokens, 4);
    *(uint64_t *)arg = n > 0 ? tokens[0] : (uint64_t)n;
}

static void simulated_watch_reports_once_when_peer_closes(void **state)
{
    (void)state;
    assert_int_equal(watch_open(&watch), 0);
    int early = sim_fd_open(), late = sim_fd_open(), gone = sim_fd_open();
    sim_hang_up(early);
    assert_int_equal(watch_add(&watch, early, 1), 0);
    assert_int_equal(watch_add(&watch, late, 2), 0);
    assert_int_equal(watch_add(&watch, gone, 3), 0);
    watch_remove(&watch, gone);
    sim_hang_up(gone);
    uint64_t got = 9;
    watch_next(&got);
    assert_int_equal(got, 1);
    int id = sim_spawn(watch_next, &got);
    sim_settle();
    sim_hang_up(late);
    sim_join(id);
    assert_int_equal(got, 2);
    assert_int_equal(sim_now_ms(), 0);
    watch_next(&got);
    assert_int_equal(got, 0);
    assert_int_equal(sim_now_ms(), 20);
    watch_wake(&watch);
    watch_next(&got);
    assert_int_equal(sim_now_ms(), 20);
    sim_fd_close(early);
    sim_fd_close(late);
    sim_fd_close(gone);
    watch_remove(&watch, gone);
    assert_int_equal(sim_counts().late_removals, 1);
    watch_close(&watch);
    sim_end();
}

static void *raise_soon(void *arg)
{
    thread_begin("raiser");
    sim_sleep_ms(5);
    stop_raise(*(int *)arg);
    thread_memo()->hint[0].key = 7;
    return NULL;
}

static void
simulated_thread_has_own_memo_and_stops_a_wait_when_it_raises(void **state)
{
    (void)state;
    struct thread thread;
    int fd = stop_open();
    assert_int_equal(thread_start(&thread, raise_soon, &fd), 0);
    assert_int_equal(sim_stop_wait(fd, clock_after(clock_now(), 4)), 0);
    assert_int_equal(sim_thread("rais").live, 1);
    assert_int_equal(sim_stop_wait(fd, CLOCK_NEVER), 1);
    assert_int_equal(sim_now_ms(), 5);
    assert_true(sim_stop_raised(fd));
    thread_join(&thread);
    assert_int_equal(thread_memo()->hint[0].key, 0);
    stop_close(fd);
    sim_end();
}

static void simulated_nth_call_fails_when_told_to_break(void **state)
{
    (void)state;
    struct lock other;
    sim_break(SIM_LOCK_INIT, 2, 1);
    assert_int_equal(lock_init(&other), 0);
    assert_int_not_equal(lock_init(&other), 0);
    assert_int_equal(lock_init(&other), 0);
    sim_break(SIM_STOP_OPEN, 1, 1);
    assert_int_equal(stop_open(), -1);
    assert_int_equal(errno, EMFILE);
    sim_random(1000);
    assert_int_equal(random_below(100), 99);
    sim_random(0);
    assert_int_equal(random_below(100), 0);
    sim_end();
}

static int forked_in_child;

static void note_fork(void)
{
    forked_in_child = 1;
}

static int answer_7(void *arg)
{
    return forked_in_child ? *(int *)arg : 0;
}

static void simulated_fork_runs_handlers_when_child_starts(void **state)
{
    (void)state;
    int seven = 7;
    assert_int_equal(thread_at_fork(note_fork), 0);
    assert_int_equal(sim_fork(answer_7, &seven), 7);
    assert_false(forked_in_child);
    sim_end();
}

/* ---- reported errors ---- */

static void wait_for_ever(void)
{
    lock_take(&lock);
    cond_wait(&cond, &lock, CLOCK_NEVER);
    lock_drop(&lock);
}

static void run_wait_for_ever(void *arg)
{
    (void)arg;
    wait_for_ever();
}

static void spawn_and_end(void)
{
    (void)sim_spawn(run_wait_for_ever, NULL);
    sim_end();
}

static void spawn_and_join(void)
{
    sim_join(sim_spawn(run_wait_for_ever, NULL));
}

static void wake_the_dead(void)
{
    struct cond dead;
    (void)cond_init(&dead);
    cond_destroy(&dead);
    cond_wake(&dead);
}

static void
simulator_reports_an_error_when_code_deadlocks_or_misuses_it(void **state)
{
    (void)state;
    assert_non_null(strstr(complaint(wait_for_ever), "deadlock"));
    sim_begin(SIM_FIFO);
    (void)lock_init(&lock);
    assert_non_null(strstr(complaint(spawn_and_end), "has not ended"));
    sim_begin(SIM_FIFO);
    assert_non_null(strstr(complaint(spawn_and_join), "deadlock"));
    sim_begin(SIM_FIFO);
    assert_non_null(strstr(complaint(wake_the_dead), "condition that is none"));
}

/* ---- search
 * ------------------------------------------------------------------- */

static struct atom shared;

static void increment_badly(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        atom_store(&shared, atom_load(&shared) + 1);
}

static uint64_t race(void)
{
    shared.value = 0;
    int a = sim_spawn(increment_badly, NULL);
    int b = sim_spawn(increment_badly, NULL);
    sim_join(a);
    sim_join(b);
    uint64_t sum = shared.value;
    return sum;
}

static void
schedule_search_replays_a_lost_update_when_it_found_one(void **state)
{
    (void)state;
    assert_int_equal(race(), 6);
    for (int depth = 0; depth <= 2; depth += 2) {
        uint64_t seed = 0, sum = 6;
        struct sim_search search = {.walk = 200, .depth = depth, .steps = 30};
        while (sum == 6) {
            assert_true(++seed < 1000);
            sim_begin(seed);
            sim_search(&search);
            sum = race();
        }
        struct sim_choice choices[64];
        const struct sim_choice *list;
        size_t count = sim_choices(&list);
        assert_in_range(count, 1, 64);
        memcpy(choices, list, count * sizeof *choices);
        sim_end();
        sim_begin(1);
        sim_search(&search);
        sim_replay(choices, count);
        assert_int_equal(race(), sum);
        sim_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            virtual_time_jumps_when_all_coroutines_are_blocked, setup),
        cmocka_unit_test_setup(
            simulated_coarse_clock_is_less_than_a_tick_behind_when_read, setup),
        cmocka_unit_test_setup(
            simulated_wait_ends_when_woken_or_at_its_deadline, setup),
        cmocka_unit_test_setup(simulated_watch_reports_once_when_peer_closes,
                               setup),
        cmocka_unit_test_setup(
            simulated_thread_has_own_memo_and_stops_a_wait_when_it_raises,
            setup),
        cmocka_unit_test_setup(simulated_nth_call_fails_when_told_to_break,
                               setup),
        cmocka_unit_test_setup(simulated_fork_runs_handlers_when_child_starts,
                               setup),
        cmocka_unit_test_setup(
            simulator_reports_an_error_when_code_deadlocks_or_misuses_it,
            setup),
        cmocka_unit_test_setup(
            schedule_search_replays_a_lost_update_when_it_found_one, setup),
    };
    return cmocka_run_group_tests_name("sim base", tests, NULL, NULL);
}
