/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Time: the two clocks agree, and the arithmetic saturates. */
#include "base/clock.h"

#include "harness.h"

#include <limits.h>

static void clock_never_goes_back_when_read_repeatedly(void **state)
{
    (void)state;
    int64_t last = clock_now();
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_now();
        assert_true(now >= last);
        last = now;
    }
}

static void coarse_clock_is_at_most_some_ticks_behind_when_read(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t before = clock_now();
        int64_t coarse = clock_coarse();
        int64_t after = clock_now();
        assert_true(coarse <= after);
        assert_true(coarse >= before - 3 * CLOCK_COARSE_TICK);
    }
}

/* M05 L06 A30 */
static void deadline_saturates_when_timeout_is_huge_or_negative(void **state)
{
    (void)state;
    assert_int_equal(clock_after(0, 0), 0);
    assert_int_equal(clock_after(999999999, 1), 1000999999);
    assert_int_equal(clock_after(5, -1), CLOCK_NEVER);
    assert_int_equal(clock_after(5, INT64_MIN), CLOCK_NEVER);
    assert_int_equal(clock_after(5, INT64_MAX), CLOCK_NEVER);
    assert_int_equal(clock_after(CLOCK_MS, INT64_MAX / CLOCK_MS), CLOCK_NEVER);
    assert_int_equal(clock_after(CLOCK_NEVER, 1), CLOCK_NEVER);
    assert_int_equal(clock_after(CLOCK_NEVER, 0), CLOCK_NEVER);
    assert_int_equal(clock_after(CLOCK_NEVER - CLOCK_MS, 1), CLOCK_NEVER);
    assert_int_equal(clock_after(0, INT_MAX), INT_MAX * CLOCK_MS);
    /* M04: a machine that has been running for a very long time. */
    int64_t old = INT64_MAX / 2;
    assert_int_equal(clock_after(old, 1000), old + 1000 * CLOCK_MS);
}

/* L06 */
static void
milliseconds_until_deadline_are_rounded_up_when_fractional(void **state)
{
    (void)state;
    assert_int_equal(clock_ms_until(CLOCK_NEVER, 0), -1);
    assert_int_equal(clock_ms_until(0, 0), 0);
    assert_int_equal(clock_ms_until(0, 1), 0);
    assert_int_equal(clock_ms_until(1, 0), 1);
    assert_int_equal(clock_ms_until(CLOCK_MS, 0), 1);
    assert_int_equal(clock_ms_until(CLOCK_MS + 1, 0), 2);
    assert_int_equal(clock_ms_until(INT64_MIN, 0), 0);
    assert_int_equal(clock_ms_until(CLOCK_NEVER - 1, CLOCK_NEVER - 2), 1);
    /* The result is never more than poll(2) can take. */
    assert_int_equal(clock_ms_until((INT_MAX + 5LL) * CLOCK_MS, 0), INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_never_goes_back_when_read_repeatedly),
        cmocka_unit_test(coarse_clock_is_at_most_some_ticks_behind_when_read),
        cmocka_unit_test(deadline_saturates_when_timeout_is_huge_or_negative),
        cmocka_unit_test(
            milliseconds_until_deadline_are_rounded_up_when_fractional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
