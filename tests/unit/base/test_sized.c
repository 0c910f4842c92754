/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Structs that begin with their size. */
#include "base/sized.h"

#include "harness.h"

#include <string.h>

struct sample {
    size_t size;
    uint64_t a, b;
};

/* The struct of a caller with a newer header. */
struct larger {
    struct sample known;
    uint64_t more;
};

enum { FIRST = offsetof(struct sample, b) };

static const char *copy_sample(struct sample *to, const void *from)
{
    return sized_read(to, sizeof *to, FIRST, from);
}

/* N05 */
static void sized_read_zeroes_fields_when_older_struct_lacks_them(void **state)
{
    (void)state;
    struct sample from = {.size = FIRST, .a = 1, .b = 2}, to = {.b = 3};
    assert_null(copy_sample(&to, &from));
    assert_int_equal(to.size, sizeof to);
    assert_int_equal(to.a, 1);
    assert_int_equal(to.b, 0);
}

/* N05 */
static void
sized_read_succeeds_when_larger_struct_is_zero_beyond_known_fields(void **state)
{
    (void)state;
    struct larger from = {.known = {.size = sizeof from, .a = 1, .b = 2}};
    struct sample to;
    assert_null(copy_sample(&to, &from));
    assert_int_equal(to.size, sizeof to);
    assert_int_equal(to.b, 2);
}

/* N05 */
static void
sized_read_fails_when_larger_struct_sets_unknown_fields(void **state)
{
    (void)state;
    struct larger from = {.known = {.size = sizeof from, .a = 1}};
    struct sample to = {.a = 7};
    unsigned char *bytes = (unsigned char *)&from;
    for (size_t i = sizeof from.known; i < sizeof from; i++) {
        bytes[i] = 1;
        const char *problem = copy_sample(&to, &from);
        assert_non_null(problem);
        assert_non_null(strstr(problem, "field"));
        bytes[i] = 0;
    }
    assert_int_equal(to.a, 7);
}

/* N05 */
static void sized_read_fails_when_size_is_invalid(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   sizeof(size_t),
                                   FIRST - 1,
                                   FIRST + 1,
                                   sizeof(struct sample) - 1,
                                   sizeof(struct sample) + 4,
                                   4097,
                                   4104,
                                   SIZE_MAX - 7,
                                   SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sample from = {.size = sizes[i]}, to = {.a = 7};
        const char *problem = copy_sample(&to, &from);
        assert_non_null(problem);
        assert_non_null(strstr(problem, "size"));
        assert_int_equal(to.a, 7);
    }
}

/* N05 */
static void
sized_write_stays_inside_struct_when_callers_struct_is_smaller(void **state)
{
    (void)state;
    const struct sample from = {.size = sizeof from, .a = 1, .b = 2};
    struct larger to = {.known = {.size = FIRST, .b = 8}, .more = 9};
    sized_write(&to, &from, sizeof from);
    assert_int_equal(to.known.size, FIRST);
    assert_int_equal(to.known.a, 1);
    assert_int_equal(to.known.b, 8);

    to.known.size = sizeof to;
    sized_write(&to, &from, sizeof from);
    assert_int_equal(to.known.size, sizeof to);
    assert_int_equal(to.known.b, 2);
    assert_int_equal(to.more, 9);
}

/* N05 */
static void sized_struct_is_writable_unless_its_size_is_absurd(void **state)
{
    (void)state;
    static const size_t bad[] = {0, sizeof(size_t) - 1, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sized_is_writable(&bad[i]));
    static const size_t good[] = {sizeof(size_t), sizeof(struct larger), 4096};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(sized_is_writable(&good[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sized_read_zeroes_fields_when_older_struct_lacks_them),
        cmocka_unit_test(
            sized_read_succeeds_when_larger_struct_is_zero_beyond_known_fields),
        cmocka_unit_test(
            sized_read_fails_when_larger_struct_sets_unknown_fields),
        cmocka_unit_test(sized_read_fails_when_size_is_invalid),
        cmocka_unit_test(
            sized_write_stays_inside_struct_when_callers_struct_is_smaller),
        cmocka_unit_test(sized_struct_is_writable_unless_its_size_is_absurd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
