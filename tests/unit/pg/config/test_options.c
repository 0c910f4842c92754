/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The option table, setting by name, structs of all sizes, and the merge. */
#include "pg/config/config.h"
#include "pg/config/options.h"

#include <limits.h>
#include <locale.h>
#include <stdio.h>

#include "support.h"

/* ---- the table ---- */

static void option_table_has_a_row_for_every_field_of_the_struct(void **state)
{
    (void)state;
    size_t end = offsetof(pqp_options, conninfo);
    for (const struct option *o = pqp__options; o->name; o++) {
        assert_int_equal(o->offset, end);
        end += o->kind == OPTION_TEXT ? sizeof(char *) : sizeof(int);
    }
    assert_int_equal(end, offsetof(pqp_options, on_event));
    assert_int_equal(offsetof(pqp_options, arg) + sizeof(void *),
                     sizeof(pqp_options));
}

static void option_row_is_consistent_for_every_option(void **state)
{
    (void)state;
    for (const struct option *o = pqp__options; o->name; o++) {
        assert_ptr_equal(pqp__option_find(o->name), o);
        assert_true(strlen(o->about) > 20);
        if (o->kind == OPTION_TEXT)
            continue;
        assert_true(o->min <= o->max);
        assert_true((o->preset >= o->min && o->preset <= o->max) ||
                    (o->preset == PQP_NEVER && o->never));
        /* 0 means the default, or the default is 0. */
        assert_true(o->min > 0 || o->preset == 0);
        size_t length = strlen(o->name);
        int is_time = length > 3 && strcmp(o->name + length - 3, "_ms") == 0;
        assert_int_equal(is_time, o->unit != NULL);
    }
    assert_null(pqp__option_find(""));
    assert_null(pqp__option_find("max_siz"));
    assert_null(pqp__option_find("max_sizes"));
}

static void defaults_are_as_documented_when_no_option_is_set(void **state)
{
    (void)state;
    pqp_options options = {.size = 0}, given = {.size = 0};
    assert_int_equal(pqp__options_merge(&options, &given, NULL), PQP_OK);
    assert_int_equal(options.max_size, 10);
    assert_int_equal(options.min_size, 0);
    assert_int_equal(options.max_waiters, PQP_NEVER);
    assert_int_equal(options.connect_timeout_ms, 5000);
    assert_int_equal(options.connect_concurrency, 2);
    assert_int_equal(options.create_timeout_ms, 30000);
    assert_int_equal(options.connect_retry_max_ms, 1000);
    assert_int_equal(options.idle_timeout_ms, 10 * 60 * 1000);
    assert_int_equal(options.max_lifetime_ms, 30 * 60 * 1000);
    assert_int_equal(options.max_uses, PQP_NEVER);
    assert_int_equal(options.ping_after_ms, 500);
    assert_int_equal(options.ping_timeout_ms, 1000);
    assert_int_equal(options.keepalive_ms, PQP_NEVER);
    assert_int_equal(options.leak_after_ms, PQP_NEVER);
    assert_int_equal(options.ping_always, 0);
    assert_int_equal(options.reset, PQP_RESET_ROLLBACK);
}

/* ---- by name ---- */

static void assert_set(const char *name, const char *value, int number)
{
    pqp_options options;
    pqp_error err;
    pqp_options_init(&options);
    if (pqp_options_set(&options, name, value, &err) != PQP_OK)
        fail_msg("%s = \"%s\": %s", name, value, err.message);
    assert_int_equal(pqp__option_get(pqp__option_find(name), &options), number);
    assert_string_equal(err.message, "");
}

/* The error names the option, and the struct is unchanged. */
static void assert_refused(const char *name, const char *value)
{
    pqp_options options, before;
    pqp_error err;
    pqp_options_init(&options);
    before = options;
    if (pqp_options_set(&options, name, value, &err) != PQP_INVALID)
        fail_msg("%s = \"%s\" was not refused", name, value);
    assert_int_equal(err.status, PQP_INVALID);
    assert_non_null(strstr(err.message, name));
    assert_memory_equal(&options, &before, sizeof(options));
    assert_int_equal(pqp_options_set(&options, name, value, NULL), PQP_INVALID);
}

/* L05 L06 */
static void option_is_refused_when_its_number_is_out_of_range(void **state)
{
    (void)state;
    for (const struct option *o = pqp__options; o->name; o++) {
        char value[40];
        if (o->kind != OPTION_NUMBER)
            continue;
        const int good[] = {o->min, o->max};
        const int64_t bad[] = {(int64_t)o->min - 1,
                               (int64_t)o->max + 1,
                               UINT32_MAX,
                               (int64_t)UINT32_MAX + 2,
                               INT64_MAX,
                               INT_MIN,
                               INT64_MIN};
        for (size_t i = 0; i < LENGTH(good); i++) {
            snprintf(value, sizeof(value), "%d", good[i]);
            assert_set(o->name, value, good[i]);
        }
        for (size_t i = 0; i < LENGTH(bad); i++) {
            snprintf(value, sizeof(value), "%lld", (long long)bad[i]);
            if (bad[i] != PQP_NEVER || !o->never)
                assert_refused(o->name, value);
        }
        assert_refused(o->name, "18446744073709551617"); /* 2^64 + 1 */
    }
}

static void
option_set_by_name_is_refused_when_0_would_mean_default(void **state)
{
    (void)state;
    pqp_options options;
    pqp_error err;
    pqp_options_init(&options);
    assert_int_equal(pqp_options_set(&options, "max_size", "0", &err),
                     PQP_INVALID);
    assert_string_equal(err.message,
                        "max_size must be a number from 1 to 10000; 0 would "
                        "mean the default");
    assert_refused("leak_after_ms", "0");
    assert_refused("max_waiters", "000");
    assert_set("min_size", "0", 0);
    assert_set("ping_always", "0", 0);
}

static void never_is_accepted_only_when_the_option_allows_it(void **state)
{
    (void)state;
    assert_set("idle_timeout_ms", "never", PQP_NEVER);
    assert_set("idle_timeout_ms", "-1", PQP_NEVER);
    assert_set("max_waiters", "never", PQP_NEVER);
    assert_refused("max_size", "never");
    assert_refused("max_size", "-1");
    assert_refused("min_size", "never");
    assert_refused("ping_timeout_ms", "never");
    assert_refused("connect_retry_max_ms", "-1");
    assert_refused("ping_always", "-1");
}

/* L06 */
static void
option_is_refused_in_every_locale_when_value_is_no_number(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",     " ",        " 5",       "5 ",  "+5",    "-0",
        "-2",   "--1",      "-1s",      "1s",  "5ms",   "0x10",
        "1e3",  "1e999",    "1.5",      "1,5", "1.",    "1,000",
        "NaN",  "inf",      "x",        "5\n", "NEVER", "never ",
        "-1.0", "\xC2\xB2", "\xD9\xA5", "%d",  "5%",    "one"};
    static const char *const locales[] = {"C", "C.UTF-8", "de_DE.UTF-8", ""};
    for (size_t i = 0; i < LENGTH(locales); i++) {
        (void)setlocale(LC_ALL, locales[i]); /* if the locale exists */
        for (size_t j = 0; j < LENGTH(values); j++)
            assert_refused("keepalive_ms", values[j]);
        assert_set("keepalive_ms", "15", 15);
        assert_set("keepalive_ms", "0015", 15);
    }
    (void)setlocale(LC_ALL, "C");
}

static void reset_option_is_refused_when_its_word_is_unknown(void **state)
{
    (void)state;
    assert_set("reset", "rollback", PQP_RESET_ROLLBACK);
    assert_set("reset", "discard_all", PQP_RESET_DISCARD_ALL);
    assert_set("reset", "close", PQP_RESET_CLOSE);
    static const char *const values[] = {"",     "1",      "-1",   "Close",
                                         "clos", "close ", "never"};
    for (size_t i = 0; i < LENGTH(values); i++)
        assert_refused("reset", values[i]);
    pqp_options options;
    pqp_error err;
    pqp_options_init(&options);
    PQP_IGNORE(pqp_options_set(&options, "reset", "x", &err));
    assert_string_equal(err.message,
                        "reset must be one of rollback, discard_all, close");
}

static void text_option_is_stored_by_pointer_when_set(void **state)
{
    (void)state;
    const char conninfo[] = "host=a", name[] = "web";
    pqp_options options;
    pqp_options_init(&options);
    assert_int_equal(pqp_options_set(&options, "conninfo", conninfo, NULL), 0);
    assert_int_equal(pqp_options_set(&options, "name", name, NULL), 0);
    assert_ptr_equal(options.conninfo, conninfo);
    assert_ptr_equal(options.name, name);
}

/* N04 */
static void
error_names_option_but_hides_value_when_name_is_unknown(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",     "maxsize",  "MAX_SIZE", "max_size ", "pool_max_size",
        "size", "on_event", "arg"};
    pqp_options options;
    pqp_options_init(&options);
    for (size_t i = 0; i < LENGTH(names); i++) {
        pqp_error err;
        assert_int_equal(pqp_options_set(&options, names[i], "s3cr3t", &err),
                         PQP_INVALID);
        assert_hides(err.message, "s3cr3t");
        assert_non_null(strstr(err.message, names[i]));
    }
}

/* N04 */
static void error_hides_value_when_option_value_is_refused(void **state)
{
    (void)state;
    for (const struct option *o = pqp__options; o->name; o++) {
        if (o->kind == OPTION_TEXT)
            continue;
        pqp_options options;
        pqp_error err;
        pqp_options_init(&options);
        assert_int_equal(pqp_options_set(&options, o->name, "s3cr3t", &err),
                         PQP_INVALID);
        assert_hides(err.message, "s3cr3t");
    }
}

/* N01 */
static void options_set_is_refused_when_argument_is_null(void **state)
{
    (void)state;
    pqp_options options;
    pqp_options_init(&options);
    assert_int_equal(pqp_options_set(NULL, "name", "a", NULL), PQP_INVALID);
    assert_int_equal(pqp_options_set(&options, NULL, "a", NULL), PQP_INVALID);
    assert_int_equal(pqp_options_set(&options, "name", NULL, NULL),
                     PQP_INVALID);
    assert_null(options.name);
    pqp_options_init(NULL);
}

/* ---- structs ---- */

/* N05 */
static void
options_struct_is_accepted_when_it_is_an_older_smaller_one(void **state)
{
    (void)state;
    for (size_t size = offsetof(pqp_options, max_size);
         size <= sizeof(pqp_options); size += 8) {
        pqp_options options, from;
        memset(&from, 0, sizeof(from));
        memset((char *)&from + size, 0x7F, sizeof(from) - size);
        from.size = size;
        from.name = "web";
        assert_int_equal(pqp__options_read(&options, &from, NULL), PQP_OK);
        assert_int_equal(options.size, sizeof(options));
        assert_string_equal(options.name, "web");
        pqp_options expected = {.size = sizeof(options), .name = from.name};
        assert_memory_equal(&options, &expected, sizeof(options));
    }
}

/* N05 */
static void
option_is_refused_when_callers_older_struct_lacks_its_field(void **state)
{
    (void)state;
    pqp_options options = {.size = offsetof(pqp_options, reset) - 4};
    assert_int_equal(pqp_options_set(&options, "reset", "close", NULL),
                     PQP_INVALID);
    assert_int_equal(options.reset, 0);
    assert_int_equal(pqp_options_set(&options, "leak_after_ms", "5", NULL),
                     PQP_OK);
}

/* N05 */
static void
options_struct_is_accepted_when_unknown_newer_fields_are_zero(void **state)
{
    (void)state;
    struct {
        pqp_options options;
        int more[2];
    } from = {.options = {.size = sizeof(from), .max_size = 7}};
    pqp_options options;
    assert_int_equal(pqp__options_read(&options, &from.options, NULL), PQP_OK);
    assert_int_equal(options.max_size, 7);
    from.more[1] = 1;
    pqp_error err;
    assert_int_equal(pqp__options_read(&options, &from.options, &err),
                     PQP_INVALID);
    assert_non_null(strstr(err.message, "pqp_options has a field set"));
}

/* N05 */
static void options_struct_is_refused_when_its_size_is_invalid(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   8,
                                   16,
                                   100,
                                   sizeof(pqp_options) - 1,
                                   sizeof(pqp_options) + 1,
                                   1 << 20,
                                   SIZE_MAX,
                                   SIZE_MAX - 7};
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        pqp_options options, from = {.size = sizes[i]};
        assert_int_equal(pqp__options_read(&options, &from, NULL), PQP_INVALID);
    }
}

/* N02 L05 */
static void options_field_is_refused_and_named_when_out_of_range(void **state)
{
    (void)state;
    for (const struct option *o = pqp__options; o->name; o++) {
        if (o->kind != OPTION_NUMBER && o->kind != OPTION_WORD)
            continue;
        const int bad[] = {-2, INT_MIN, o->never ? -3 : -1,
                           o->max < INT_MAX ? o->max + 1 : -4,
                           o->max < INT_MAX ? INT_MAX : -5};
        for (size_t i = 0; i < LENGTH(bad); i++) {
            pqp_options options, from = {.size = sizeof(from)};
            pqp_error err;
            memcpy((char *)&from + o->offset, &bad[i], sizeof(int));
            assert_int_equal(pqp__options_read(&options, &from, &err),
                             PQP_INVALID);
            assert_non_null(strstr(err.message, o->name));
        }
    }
}

/* ---- one range, in whichever of three ways an option is set ---- */

enum way { BY_FIELD, BY_NAME, BY_KEYWORD, WAY_COUNT };

/* Returns the number as text, or as the option's word for it. */
static const char *text_of(const struct option *option, int64_t number)
{
    static char text[40];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    if (option->words && number >= option->min && number <= option->max)
        return option->words[number];
    return text;
}

/* Options whose limits do not get in the way of this option. */
static pqp_options roomy_options(const struct option *option)
{
    pqp_options options = {.size = sizeof(options),
                           .max_size = 10000,
                           .create_timeout_ms = PQP_NEVER,
                           .max_lifetime_ms = PQP_NEVER};
    memset((char *)&options + option->offset, 0, sizeof(int));
    return options;
}

/* Makes a config with the option set to `number` in one of the three ways.
 * Returns PQP_OK and the effective number, or the status and the message. */
static pqp_status set_in_a_way(const struct option *option, int64_t number,
                               enum way way, int *effective, pqp_error *err)
{
    char conninfo[80] = "";
    struct config *config = NULL;
    pqp_options options = roomy_options(option);
    pqp_status status = PQP_OK;
    int field = (int)number;
    if (way == BY_FIELD)
        memcpy((char *)&options + option->offset, &field, sizeof(field));
    if (way == BY_NAME)
        status = pqp_options_set(&options, option->name,
                                 text_of(option, number), err);
    if (way == BY_KEYWORD)
        snprintf(conninfo, sizeof(conninfo), "pool_%s=%s", option->name,
                 text_of(option, number));
    options.conninfo = conninfo;
    if (status == PQP_OK)
        status = pqp__config_make(&config, &options, err);
    if (status == PQP_OK)
        *effective = pqp__option_get(option, &config->options);
    pqp__config_free(config);
    return status;
}

/* In a field, 0 means the default; as text, 0 is an ordinary number. */
static void check_in_a_way(const struct option *o, int64_t number, enum way way)
{
    int is_default = way == BY_FIELD && number == 0;
    int good = is_default || (number >= o->min && number <= o->max) ||
               (o->never && number == PQP_NEVER);
    int effective = 0;
    pqp_error err = {.status = PQP_OK};
    pqp_status status = set_in_a_way(o, number, way, &effective, &err);
    if (status != (good ? PQP_OK : PQP_INVALID))
        fail_msg("%s = %lld, way %d: %s", o->name, (long long)number, way,
                 good ? err.message : "is taken");
    if (good)
        assert_int_equal(effective, is_default ? o->preset : (int)number);
    else
        assert_non_null(strstr(err.message, o->name));
}

/* L05 N02 */
static void
option_range_is_the_same_when_set_by_field_name_or_keyword(void **state)
{
    (void)state;
    for (const struct option *o = pqp__options; o->name; o++) {
        if (o->kind == OPTION_TEXT)
            continue;
        const int64_t numbers[] = {(int64_t)o->min - 1,
                                   o->min,
                                   (int64_t)o->min + 1,
                                   (int64_t)o->max - 1,
                                   o->max,
                                   (int64_t)o->max + 1,
                                   PQP_NEVER,
                                   -2,
                                   INT_MIN,
                                   INT_MAX,
                                   0};
        for (size_t i = 0; i < LENGTH(numbers); i++)
            for (int way = 0; way < WAY_COUNT; way++)
                if (way != BY_FIELD || numbers[i] <= INT_MAX)
                    check_in_a_way(o, numbers[i], (enum way)way);
    }
}

/* A flag has a range like any other option. */
static void ping_always_is_refused_when_it_is_neither_0_nor_1(void **state)
{
    (void)state;
    static const int bad[] = {-7, -1, 2, INT_MAX, INT_MIN};
    for (size_t i = 0; i < LENGTH(bad); i++) {
        pqp_options options,
            from = {.size = sizeof(from), .ping_always = bad[i]};
        pqp_error err;
        assert_int_equal(pqp__options_read(&options, &from, &err), PQP_INVALID);
        assert_string_equal(err.message,
                            "ping_always must be a number from 0 to 1");
    }
}

/* ---- the merge ---- */

static void call_back(void *arg, const pqp_event *event)
{
    (void)arg;
    (void)event;
}

static void
struct_field_wins_over_conninfo_and_default_when_options_merge(void **state)
{
    (void)state;
    pqp_options text = {.max_size = 20, .min_size = 3, .max_uses = PQP_NEVER};
    pqp_options given = {
        .max_size = 30, .max_uses = 5, .on_event = call_back, .arg = &text};
    assert_int_equal(pqp__options_merge(&text, &given, NULL), PQP_OK);
    assert_int_equal(text.max_size, 30);
    assert_int_equal(text.min_size, 3);
    assert_int_equal(text.max_uses, 5);
    assert_int_equal(text.ping_timeout_ms, 1000);
    assert_true(text.on_event == call_back);
    assert_ptr_equal(text.arg, &text);
}

/* N02 */
static void options_are_refused_when_min_size_exceeds_max_size(void **state)
{
    (void)state;
    static const struct {
        int text_max, text_min, max, min;
        pqp_status status;
    } cases[] = {
        {0, 0, 0, 0, PQP_OK},      {0, 0, 4, 4, PQP_OK},
        {0, 0, 0, 10, PQP_OK},     {0, 0, 4, 2, PQP_OK},
        {0, 0, 2, 4, PQP_INVALID}, {0, 0, 0, 11, PQP_INVALID},
        {2, 4, 0, 0, PQP_INVALID}, {4, 0, 0, 5, PQP_INVALID},
        {0, 5, 4, 0, PQP_INVALID}, {2, 4, 8, 0, PQP_OK},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        pqp_options text = {.max_size = cases[i].text_max,
                            .min_size = cases[i].text_min};
        pqp_options given = {.max_size = cases[i].max,
                             .min_size = cases[i].min};
        pqp_error err = {.status = PQP_OK};
        assert_int_equal(pqp__options_merge(&text, &given, &err),
                         cases[i].status);
        if (cases[i].status)
            assert_string_equal(err.message, "min_size is above max_size");
    }
}

/* N03 */
static void
time_is_lowered_when_a_shorter_limit_makes_it_unreachable(void **state)
{
    (void)state;
    pqp_options text = {.size = 0};
    pqp_options given = {.idle_timeout_ms = 5000,
                         .max_lifetime_ms = 4000,
                         .connect_timeout_ms = 900,
                         .create_timeout_ms = 800};
    assert_int_equal(pqp__options_merge(&text, &given, NULL), PQP_OK);
    assert_int_equal(text.idle_timeout_ms, 4000);
    assert_int_equal(text.connect_timeout_ms, 800);

    text = (pqp_options){.size = 0};
    given = (pqp_options){.idle_timeout_ms = 5000,
                          .max_lifetime_ms = PQP_NEVER,
                          .connect_timeout_ms = PQP_NEVER};
    assert_int_equal(pqp__options_merge(&text, &given, NULL), PQP_OK);
    assert_int_equal(text.idle_timeout_ms, 5000);
    assert_int_equal(text.connect_timeout_ms, PQP_NEVER);
    assert_non_null(strstr(pqp__option_find("idle_timeout_ms")->about,
                           "Cut down to `max_lifetime_ms`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(option_table_has_a_row_for_every_field_of_the_struct),
        cmocka_unit_test(option_row_is_consistent_for_every_option),
        cmocka_unit_test(defaults_are_as_documented_when_no_option_is_set),
        cmocka_unit_test(option_is_refused_when_its_number_is_out_of_range),
        cmocka_unit_test(
            option_set_by_name_is_refused_when_0_would_mean_default),
        cmocka_unit_test(never_is_accepted_only_when_the_option_allows_it),
        cmocka_unit_test(
            option_is_refused_in_every_locale_when_value_is_no_number),
        cmocka_unit_test(reset_option_is_refused_when_its_word_is_unknown),
        cmocka_unit_test(text_option_is_stored_by_pointer_when_set),
        cmocka_unit_test(
            error_names_option_but_hides_value_when_name_is_unknown),
        cmocka_unit_test(error_hides_value_when_option_value_is_refused),
        cmocka_unit_test(options_set_is_refused_when_argument_is_null),
        cmocka_unit_test(
            options_struct_is_accepted_when_it_is_an_older_smaller_one),
        cmocka_unit_test(
            option_is_refused_when_callers_older_struct_lacks_its_field),
        cmocka_unit_test(
            options_struct_is_accepted_when_unknown_newer_fields_are_zero),
        cmocka_unit_test(options_struct_is_refused_when_its_size_is_invalid),
        cmocka_unit_test(options_field_is_refused_and_named_when_out_of_range),
        cmocka_unit_test(
            option_range_is_the_same_when_set_by_field_name_or_keyword),
        cmocka_unit_test(ping_always_is_refused_when_it_is_neither_0_nor_1),
        cmocka_unit_test(
            struct_field_wins_over_conninfo_and_default_when_options_merge),
        cmocka_unit_test(options_are_refused_when_min_size_exceeds_max_size),
        cmocka_unit_test(
            time_is_lowered_when_a_shorter_limit_makes_it_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
