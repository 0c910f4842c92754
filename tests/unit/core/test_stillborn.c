/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Items that die before their first lease, soon after their creation.  Each
 * counts as a failed creation and starts the back-off.
 */
#include "support_caller.h"

#include <string.h>

/* C09: every new item fails its check. */
static void creations_back_off_when_every_new_item_fails_its_check(void **state)
{
    struct fake *fake = *state;
    rpool *pool = fake_open(fake, .max_size = 1, .check_always = 1);
    fake->check.result = RPOOL_BAD;
    fake->create.ms = 1;
    rpool_item *item = NULL;
    rpool_failure why;
    assert_int_equal(rpool_acquire(pool, 2000, &item, &why), RPOOL_TIMEOUT);
    assert_int_equal(sim_now_ms(), 2000);
    assert_in_range(fake->creates, 2, 100);
    assert_non_null(strstr(why.message, "a new item was closed: check failed"));
    close_pool(&pool);
}

/* C09 B05: the longest pauses are 100 ms, 200, 400 and so on. */
static void back_off_grows_when_each_new_item_fails_its_check(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    rpool *pool = fake_open(fake, .max_size = 1, .check_always = 1,
                            .create_retry_max_ms = 5000);
    fake->check.result = RPOOL_BAD;
    rpool_item *item = NULL;
    assert_int_equal(rpool_acquire(pool, 20000, &item, NULL), RPOOL_TIMEOUT);
    /* At 0, 100, 300, 700, 1500, 3100, 6300, 11300 and 16300 ms. */
    assert_int_equal(fake->creates, 9);
    close_pool(&pool);
}

static void hang_up_what_is_new(struct fake *fake, const rpool_event *event)
{
    (void)fake;
    const struct fake_resource *r = event->resource;
    if (event->type == RPOOL_EVENT_CREATED)
        sim_hang_up(r->fd);
}

/* B20 */
static void creations_back_off_when_peer_closes_each_new_item(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    fake->hook = hang_up_what_is_new;
    fake->create.ms = 1;
    rpool *pool = fake_open(fake, .max_size = 4, .min_size = 2);
    sim_advance_ms(10000);
    assert_in_range(fake->creates, 10, 40);
    fake->hook = NULL;
    sim_advance_ms(1000);
    assert_int_equal(fake_stats(pool).idle, 2);
    close_pool(&pool);
}

static void hang_up_all(struct fake *fake)
{
    for (int i = 0; i < fake->created; i++)
        if (!fake->resources[i]->gone)
            sim_hang_up(fake->resources[i]->fd);
    sim_settle();
}

/* Ten items that die together count as one failure. */
static void
back_off_takes_one_step_when_many_new_items_die_together(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    rpool *pool = fake_open(fake, .max_size = 10, .min_size = 10,
                            .create_retry_max_ms = 60000);
    sim_settle();
    hang_up_all(fake);
    assert_int_equal(fake->live, 0);
    sim_advance_ms(100);
    assert_int_equal(fake_stats(pool).idle, 10);
    close_pool(&pool);
}

/* After a second without failure, the back-off starts again at its first step.
 */
static void back_off_restarts_when_a_second_passed_without_failure(void **state)
{
    struct fake *fake = *state;
    sim_random(1000);
    rpool *pool = fake_open(fake, .max_size = 1, .min_size = 1,
                            .create_retry_max_ms = 60000);
    for (int row = 0; row < 3; row++) {
        for (int64_t pause = 100; pause <= 400; pause *= 2) {
            sim_settle();
            hang_up_all(fake);
            sim_advance_ms(pause - 1);
            assert_int_equal(fake->live, 0);
            sim_advance_ms(1);
            assert_int_equal(fake->live, 1);
        }
        sim_advance_ms(1000);
        hang_up_all(fake); /* an older item: this is no failure */
        assert_int_equal(fake->live, 1);
    }
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(creations_back_off_when_every_new_item_fails_its_check),
        FAKE_TEST(back_off_grows_when_each_new_item_fails_its_check),
        FAKE_TEST(creations_back_off_when_peer_closes_each_new_item),
        FAKE_TEST(back_off_takes_one_step_when_many_new_items_die_together),
        FAKE_TEST(back_off_restarts_when_a_second_passed_without_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
