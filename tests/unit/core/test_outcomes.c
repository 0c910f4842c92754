/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Every result of create with every result of check, reset and destroy, once or
 * always, with callers that wait long, briefly and not at all.  The pool never
 * has more than max_size items, each caller is answered in time, and each
 * created resource is destroyed once.
 */
#include "support_caller.h"

#include <stdio.h>

enum {
    MAX_ITEMS = 2,
    SLOW_MS = 30,
    CREATE_TIMEOUT_MS = 200,
    PATIENT_MS = 5000
};
enum { SEEDS = 5 }; /* schedules of each, besides the FIFO one */

static const struct fake_step creates[] = {
    {.result = FAKE_OK},
    {.result = FAKE_TRANSIENT},
    {.result = FAKE_PERMANENT},
    {.result = FAKE_OK, .ms = SLOW_MS},
    {.result = FAKE_OK, .ms = FAKE_HANG},
};
static const struct fake_step checks[] = {
    {.result = RPOOL_GOOD},
    {.result = RPOOL_BAD},
    {.result = RPOOL_GOOD, .ms = SLOW_MS},
    {.result = RPOOL_AGAIN, .ms = FAKE_HANG},
};
static const struct fake_step resets[] = {
    {.result = RPOOL_REUSE},
    {.result = RPOOL_DISCARD},
    {.result = RPOOL_CHECK},
    {.result = RPOOL_REUSE, .ms = SLOW_MS},
};
static const struct fake_step destroys[] = {
    {.ms = 0},
    {.ms = SLOW_MS},
    {.ms = 2000}, /* destroy has no deadline: this is as bad as a hang */
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { PATIENT, SECOND, BRIEF, TRYING, LATE, CALLERS };

static void begin_callers(struct caller *callers, rpool *pool)
{
    static const struct caller plans[CALLERS] = {
        [PATIENT] = {.timeout_ms = PATIENT_MS, .hold_ms = 10},
        [SECOND] = {.start_ms = 5, .timeout_ms = PATIENT_MS, .hold_ms = 10},
        [BRIEF] = {.start_ms = 6, .timeout_ms = 20, .hold_ms = 5},
        [TRYING] = {.start_ms = 7, .timeout_ms = 0, .hold_ms = 5},
        [LATE] = {.start_ms = 2500, .timeout_ms = 100, .hold_ms = 200},
    };
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = plans[i];
        callers[i].pool = pool;
        caller_spawn(&callers[i]);
    }
}

static void check_callers(const struct caller *callers, int64_t begun,
                          const char *label)
{
    for (int i = 0; i < CALLERS; i++) {
        const struct caller *c = &callers[i];
        if (!c->answered)
            sim_fail("%s: caller %d is not answered", label, i);
        if (c->at_ms > begun + c->start_ms + c->timeout_ms)
            sim_fail("%s: caller %d is answered at %lld ms", label, i,
                     (long long)c->at_ms);
        if (c->status != RPOOL_OK && c->status != RPOOL_CREATE &&
            c->status != (c->timeout_ms == 0 ? RPOOL_BUSY : RPOOL_TIMEOUT))
            sim_fail("%s: caller %d is told %s", label, i,
                     rpool_strerror(c->status));
    }
}

/* lasting: every call has the result, otherwise only the first call. */
static void run(struct fake *fake, const size_t which[4], int lasting,
                uint64_t seed)
{
    char label[96];
    (void)snprintf(label, sizeof label,
                   "create %zu, check %zu, reset %zu, destroy %zu, %s, seed %d",
                   which[0], which[1], which[2], which[3],
                   lasting ? "always" : "once", (int)seed);
    fake_begin(fake, seed);
    fake->create = creates[which[0]];
    fake->check = checks[which[1]];
    fake->reset = resets[which[2]];
    fake->destroy = destroys[which[3]];
    struct fake_step *steps[] = {&fake->create, &fake->check, &fake->reset,
                                 &fake->destroy};
    for (size_t i = 0; i < COUNT(steps); i++)
        steps[i]->times = lasting ? 0 : 1;
    rpool *pool =
        fake_open(fake, .max_size = MAX_ITEMS, .check_always = 1,
                  .create_timeout_ms = CREATE_TIMEOUT_MS, .leak_after_ms = 50);
    struct caller callers[CALLERS];
    int64_t begun = sim_now_ms();
    begin_callers(callers, pool);
    sim_advance_ms(PATIENT_MS + 100);
    check_callers(callers, begun, label);
    int served = (callers[PATIENT].status == RPOOL_OK) +
                 (callers[SECOND].status == RPOOL_OK);
    if (!lasting && creates[which[0]].result != FAKE_PERMANENT &&
        served < (checks[which[1]].ms == FAKE_HANG ? 1 : 2))
        sim_fail("%s: a patient caller gets no item", label);
    rpool_stats stats = fake_stats(pool);
    if (stats.total > MAX_ITEMS || stats.waiting != 0)
        sim_fail("%s: %d items, %d wait", label, stats.total, stats.waiting);
    close_pool(&pool);
    sim_settle();
    if (fake->peak > MAX_ITEMS)
        sim_fail("%s: %d resources at a time", label, fake->peak);
    if (fake->created != fake->destroyed)
        sim_fail("%s: %d created, %d destroyed", label, fake->created,
                 fake->destroyed);
    if (fake->done != 1 || fake_count(fake, RPOOL_EVENT_FREED) != 1)
        sim_fail("%s: the pool has not ended", label);
    fake_end(fake);
}

/* H16 */
static void no_item_is_lost_when_provider_calls_have_any_outcomes(void **state)
{
    (void)state;
    static struct fake fake;
    int runs = 0;
    size_t i[4];
    for (i[0] = 0; i[0] < COUNT(creates); i[0]++)
        for (i[1] = 0; i[1] < COUNT(checks); i[1]++)
            for (i[2] = 0; i[2] < COUNT(resets); i[2]++)
                for (i[3] = 0; i[3] < COUNT(destroys); i[3]++)
                    for (int lasting = 0; lasting < 2; lasting++) {
                        for (uint64_t seed = SIM_FIFO; seed <= SEEDS; seed++)
                            run(&fake, i, lasting, seed);
                        runs++;
                    }
    assert_int_equal(runs, 5 * 4 * 4 * 3 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(
        no_item_is_lost_when_provider_calls_have_any_outcomes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
