/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The meaning of an SQLSTATE. */
#include "support.h"

#include "pg/base/sqlstate.h"

static void sqlstate_class_is_found_when_sqlstate_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        unsigned class;
    } cases[] = {
        {"08000", PQP__LOST},
        {"08006", PQP__LOST},
        {"08P01", PQP__LOST},
        {"57P01", PQP__LOST},
        {"57P02", PQP__LOST},
        {"57P04", PQP__LOST},
        {"57P05", PQP__LOST},
        {"25P03", PQP__LOST},
        {"25006", PQP__READ_ONLY},
        {"40001", PQP__RETRY},
        {"40P01", PQP__RETRY},
        {"53300", PQP__BACKOFF},
        {"57P03", PQP__BACKOFF},
        {"28000", PQP__PERMANENT},
        {"28P01", PQP__PERMANENT},
        {"3D000", PQP__PERMANENT},
        {"0A000", PQP__PERMANENT},
        {"22023", PQP__PERMANENT},
        {"42501", PQP__PERMANENT},
        {"42601", PQP__PERMANENT},
        {"42602", PQP__PERMANENT},
        {"42704", PQP__PERMANENT},
        {"55P02", PQP__PERMANENT},
        {"00000", 0},
        {"23505", 0},
        {"25P02", 0},
        {"40002", 0},
        {"22012", 0},
        {"55000", 0},
        {"57014", 0},
        {"53200", 0},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        if (pqp__sqlstate_class(cases[i].sqlstate) != cases[i].class)
            fail_msg("%s", cases[i].sqlstate);
    }
}

static void sqlstate_class_is_ordinary_when_sqlstate_is_malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {NULL, "", "0", "4", "4000", "x", "%n"};
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_int_equal(pqp__sqlstate_class(cases[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstate_class_is_found_when_sqlstate_is_known),
        cmocka_unit_test(sqlstate_class_is_ordinary_when_sqlstate_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
