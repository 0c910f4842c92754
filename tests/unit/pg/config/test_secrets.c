/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Where a password is hidden, and where hiding it would reveal it. */
#include "support.h"

#include <stdlib.h>

#include "base/text.h"
#include "pg/config/config.h"
#include "pg/config/secrets.h"

static void check_hidden(const struct config *config,
                         const char *const cases[][2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char to[128];
        pqp__clean_text(config, to, sizeof(to), cases[i][0]);
        assert_string_equal(to, cases[i][1]);
    }
}

/* A "***" instead of a word that the reader expects would reveal the word. */
static void plain_word_is_hidden_only_when_labelled_as_password(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"postgres"},    (char[]){"users"},
                       (char[]){"password"},    (char[]){"authentication"},
                       (char[]){"pg_hba.conf"}, (char[]){"\xD0\xBF\xD1\x80"}};
    const struct config config = {.secrets = secrets,
                                  .secret_count = (int)LENGTH(secrets)};
    static const char *const cases[][2] = {
        {"database \"postgres_app\" does not exist",
         "database \"postgres_app\" does not exist"},
        {"role \"postgres\"", "role \"postgres\""},
        {"relation \"users\" does not exist",
         "relation \"users\" does not exist"},
        {"password authentication failed for user \"postgres\"",
         "password authentication failed for user \"postgres\""},
        {"no pg_hba.conf entry", "no pg_hba.conf entry"},
        {"\xD0\xBF\xD1\x80", "\xD0\xBF\xD1\x80"},
        {"password=postgres", "password=***"},
        {"user=postgres password='postgres' dbname=postgres",
         "user=postgres password='***' dbname=postgres"},
        {"ALTER ROLE users PASSWORD 'users'",
         "ALTER ROLE users PASSWORD '***'"},
        {"{\"password\": \"users\"}", "{\"password\": \"***\"}"},
        {"PGPASSWORD=users", "PGPASSWORD=***"},
        {"sslpassword = password", "sslpassword = ***"},
        {"postgresql://postgres:postgres@postgres/postgres",
         "postgresql://postgres:***@postgres/postgres"},
        {"%75sers", "***"}, /* no other word is spelled so */
        {"password=\xD0\xBF\xD1\x80", "password=***"},
    };
    check_hidden(&config, cases, LENGTH(cases));
}

/* The rest of a longer word beside a "***" would reveal the secret. */
static void whole_word_is_hidden_when_a_secret_is_part_of_it(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"test123"}, (char[]){"s3cret!"}};
    const struct config config = {.secrets = secrets,
                                  .secret_count = (int)LENGTH(secrets)};
    static const char *const cases[][2] = {
        {"database \"test123_app\"", "database \"***\""},
        {"database \"my_test123\"", "database \"***\""},
        {"a mytest123app b", "a *** b"},
        {"test1234", "***"},
        {"xs3cret!y", "***y"}, /* the secret itself ends the word */
        {"tes t123 test12", "tes t123 test12"},
    };
    check_hidden(&config, cases, LENGTH(cases));
}

static void password_equal_to_a_name_is_hidden_only_when_labelled(void **state)
{
    (void)state;
    struct config *config = calloc(1, sizeof *config);
    static const char *const cases[][2] = {
        {"role \"bug34\" does not exist", "role \"bug34\" does not exist"},
        {"database \"bug34_app\"", "database \"bug34_app\""},
        {"relation \"bug34_other\"", "relation \"bug34_other\""},
        {"password=bug34 user=bug34", "password=*** user=bug34"},
        {"user x77y, database my_x77y_app", "user ***, database my_x77y_app"},
        {"host db.example-9, not example-9", "host db.example-9, not ***"},
    };
    assert_non_null(config);
    assert_int_equal(pqp__secrets_add(config, "bug34"), 0);
    assert_int_equal(pqp__secrets_add(config, "x77y"), 0);
    assert_int_equal(pqp__secrets_add(config, "example-9"), 0);
    static const char *const names[] = {"bug34", "bug34_app", "my_x77y_app",
                                        "db.example-9", "other"};
    for (size_t i = 0; i < LENGTH(names); i++)
        assert_int_equal(pqp__secrets_exempt(config, names[i]), 0);
    check_hidden(config, cases, LENGTH(cases));
    pqp__config_free(config);
}

static void secret_is_hidden_when_it_is_quoted_or_percent_encoded(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"p%/'\\x"}, (char[]){"hunter2"},
                       (char[]){"hunter22long"}, (char[]){""},
                       (char[]){"ab/ab"}};
    const struct config config = {.secrets = secrets,
                                  .secret_count = (int)LENGTH(secrets)};
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"nothing", "nothing"},
        {"the hunter2 is", "the *** is"},
        {"hunter2hunter2", "***"},
        {"hunter22long", "***"}, /* the longer one */
        {"%68unter%32", "***"},
        {"raw p%/'\\x.", "raw ***."},
        {"uri p%25%2F%27%5cx.", "uri ***."},
        {"uri %70%25/%27%5C%78.", "uri ***."},
        {"quoted 'p%/\\'\\\\x'", "quoted '***'"},
        {"sql 'p%/''\\\\x'", "sql '***'"},
        {"ab/ab/ab!", "***!"}, /* it overlaps itself */
        {"hunter", "hunter"},
        {"%68unte%7", "%68unte%7"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char to[64];
        pqp__clean_text(&config, to, sizeof(to), cases[i].from);
        assert_string_equal(to, cases[i].to);
    }
}

/* If "a" were hidden everywhere, the gaps would show it. */
static void secret_is_not_hidden_when_it_has_three_bytes_or_fewer(void **state)
{
    (void)state;
    char *secrets[] = {(char[]){"a"}, (char[]){"'%x"}, (char[]){"f0ur"}};
    const struct config config = {.secrets = secrets,
                                  .secret_count = (int)LENGTH(secrets)};
    char to[64];
    pqp__clean_text(&config, to, sizeof(to), "a table, '%x', %660ur");
    assert_string_equal(to, "a table, '%x', ***");
}

static void secret_is_hidden_when_random_text_surrounds_it(void **state)
{
    (void)state;
    char secret[] = "s3cr\xC3\xA9t\n%pw'";
    char *secrets[] = {secret};
    const struct config config = {.secrets = secrets, .secret_count = 1};
    const char *const pieces[] = {"s",  "s3",   "%", "%7", "\\",  "'",
                                  "\n", "\xC3", " ", "x",  secret};
    uint64_t seed = 20261123;
    for (int round = 0; round < 20000; round++) {
        char buffer[256], to[300];
        struct text text;
        text_init(&text, buffer, sizeof(buffer));
        for (size_t n = random_of(&seed, 12); n > 0; n--)
            text_add(&text, "%s", pieces[random_of(&seed, LENGTH(pieces))]);
        pqp__clean_text(&config, to, 1 + random_of(&seed, sizeof(to) - 1),
                        buffer);
        assert_hides(to, secret);
        assert_null(strchr(to, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_is_hidden_when_it_is_quoted_or_percent_encoded),
        cmocka_unit_test(secret_is_not_hidden_when_it_has_three_bytes_or_fewer),
        cmocka_unit_test(secret_is_hidden_when_random_text_surrounds_it),
        cmocka_unit_test(plain_word_is_hidden_only_when_labelled_as_password),
        cmocka_unit_test(whole_word_is_hidden_when_a_secret_is_part_of_it),
        cmocka_unit_test(password_equal_to_a_name_is_hidden_only_when_labelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
