/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The names of statuses and events. */
#include <pqpool/pqpool.h>

#include "support.h"

static void status_name_and_text_exist_for_every_status(void **state)
{
    (void)state;
    for (int i = 0; i < PQP_STATUS_COUNT; i++) {
        assert_memory_equal(pqp_status_name((pqp_status)i), "PQP_", 4);
        assert_true(strlen(pqp_strerror((pqp_status)i)) > 3);
    }
    assert_string_equal(pqp_status_name(PQP_TIMEOUT), "PQP_TIMEOUT");
    assert_string_equal(pqp_strerror(PQP_TIMEOUT), "deadline passed");
}

static void
name_is_a_question_mark_when_status_or_event_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(pqp_status_name(PQP_STATUS_COUNT), "?");
    assert_string_equal(pqp_status_name((pqp_status)-1), "?");
    assert_string_equal(pqp_strerror(PQP_STATUS_COUNT), "?");
    assert_string_equal(pqp_strerror((pqp_status)-1), "?");
    assert_string_equal(pqp_event_name(PQP_EVENT_COUNT), "?");
    assert_string_equal(pqp_event_name((pqp_event_type)-1), "?");
}

static void event_name_is_returned_when_event_is_known(void **state)
{
    (void)state;
    assert_string_equal(pqp_event_name(PQP_EVENT_CREATED), "CREATED");
    assert_string_equal(pqp_event_name(PQP_EVENT_FREED), "FREED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_name_and_text_exist_for_every_status),
        cmocka_unit_test(
            name_is_a_question_mark_when_status_or_event_is_unknown),
        cmocka_unit_test(event_name_is_returned_when_event_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
