/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Random numbers are in range, evenly spread, and do not repeat. */
#include "base/random.h"

#include "harness.h"

static void random_number_is_below_its_limit_when_drawn(void **state)
{
    (void)state;
    assert_int_equal(random_below(0), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(1), 0);
    for (uint64_t n = 2; n < 5000; n = n * 3 / 2 + 1)
        for (int i = 0; i < 100; i++)
            assert_true(random_below(n) < n);
    assert_true(random_below(UINT64_MAX) < UINT64_MAX);
}

/* E09: without jitter all retries would come at the same time. */
static void random_numbers_are_spread_evenly_when_many_are_drawn(void **state)
{
    (void)state;
    int tenth[10] = {0};
    for (int i = 0; i < 10000; i++)
        tenth[random_below(1000) / 100]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(tenth[i], 790, 1210); /* seven standard deviations */
}

static void large_random_numbers_do_not_repeat_when_many_are_drawn(void **state)
{
    (void)state;
    uint64_t seen[200];
    for (int i = 0; i < 200; i++) {
        seen[i] = random_below(UINT64_MAX);
        for (int j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_number_is_below_its_limit_when_drawn),
        cmocka_unit_test(random_numbers_are_spread_evenly_when_many_are_drawn),
        cmocka_unit_test(
            large_random_numbers_do_not_repeat_when_many_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
