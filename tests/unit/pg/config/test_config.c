/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* From the struct and the connection string to the config, and what errors may
 * not show. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "pg/config/config.h"

#include <dlfcn.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

/* Counts the wiped pieces of memory that contained the canary.  This function
 * replaces OpenSSL's, and calls it. */
static const char canary[] = "CANARY-x9";
static int wiped_canaries;

void OPENSSL_cleanse(void *at, size_t size)
{
    void (*real)(void *, size_t);
    *(void **)&real = dlsym(RTLD_NEXT, "OPENSSL_cleanse");
    const char *bytes = at;
    for (size_t i = 0; i + sizeof(canary) - 1 <= size; i++) {
        if (memcmp(bytes + i, canary, sizeof(canary) - 1) == 0) {
            wiped_canaries++;
            break;
        }
    }
    real(at, size);
}

static struct config *make(const pqp_options *options)
{
    struct config *config;
    pqp_error err;
    if (pqp__config_make(&config, options, &err) != PQP_OK)
        fail_msg("%s", err.message);
    return config;
}

static struct config *make_of(const char *conninfo)
{
    return make(PQP_OPTIONS(.conninfo = conninfo));
}

/* Returns the error message, valid until the next call. */
static const char *refusal_of(const pqp_options *options)
{
    static pqp_error err;
    struct config *config = (struct config *)(void *)&err;
    assert_int_equal(pqp__config_make(&config, options, &err), PQP_INVALID);
    assert_null(config);
    assert_int_equal(err.status, PQP_INVALID);
    assert_true(strlen(err.message) > 10);
    assert_int_equal(pqp__config_make(&config, options, NULL), PQP_INVALID);
    return err.message;
}

static const char *refusal(const char *conninfo)
{
    return refusal_of(PQP_OPTIONS(.conninfo = conninfo));
}

static const char *parameter(const struct config *config, const char *keyword)
{
    for (int i = 0; i < config->parameter_count; i++) {
        if (strcmp(config->parameters[i].keyword, keyword) == 0)
            return config->parameters[i].value;
    }
    return NULL;
}

static void config_has_defaults_only_when_conninfo_is_empty(void **state)
{
    (void)state;
    setenv("PGHOST", "elsewhere", 1);
    setenv("PGPASSWORD", "s3cr3t", 1);
    static const char *const strings[] = {NULL, "", "  ", "postgresql://"};
    for (size_t i = 0; i < LENGTH(strings); i++) {
        struct config *config = make_of(strings[i]);
        assert_int_equal(config->parameter_count, 0);
        assert_int_equal(config->secret_count, 0);
        assert_string_equal(config->name, "pqpool");
        assert_ptr_equal(config->options.name, config->name);
        assert_null(config->options.conninfo);
        assert_int_equal(config->options.size, sizeof(pqp_options));
        assert_int_equal(config->options.max_size, 10);
        pqp__config_free(config);
    }
    unsetenv("PGHOST");
    unsetenv("PGPASSWORD");
}

static void
config_keeps_exactly_the_parameters_when_conninfo_has_them(void **state)
{
    (void)state;
    struct config *config =
        make_of("host=a port=5433 pool_max_size=20 user='b c' password=d "
                "sslpassword='e f' sslmode=require options='-c x=y'");
    assert_int_equal(config->parameter_count, 7);
    assert_string_equal(parameter(config, "host"), "a");
    assert_string_equal(parameter(config, "port"), "5433");
    assert_string_equal(parameter(config, "user"), "b c");
    assert_string_equal(parameter(config, "password"), "d");
    assert_string_equal(parameter(config, "sslpassword"), "e f");
    assert_string_equal(parameter(config, "sslmode"), "require");
    assert_string_equal(parameter(config, "options"), "-c x=y");
    assert_int_equal(config->secret_count, 2);
    assert_ptr_equal(config->secrets[0], parameter(config, "password"));
    assert_ptr_equal(config->secrets[1], parameter(config, "sslpassword"));
    assert_int_equal(config->options.max_size, 20);
    pqp__config_free(config);
}

static void config_has_all_parameters_when_conninfo_is_a_uri(void **state)
{
    (void)state;
    struct config *config =
        make_of("postgresql://u%40x:p%2F%3A@h1:5,h2/d?pool_min_size=2&"
                "application_name=web&pool_reset=discard_all&"
                "pool_idle_timeout_ms=never");
    assert_string_equal(parameter(config, "user"), "u@x");
    assert_string_equal(parameter(config, "password"), "p/:");
    assert_string_equal(parameter(config, "host"), "h1,h2");
    assert_string_equal(parameter(config, "port"), "5,");
    assert_string_equal(parameter(config, "dbname"), "d");
    assert_string_equal(parameter(config, "application_name"), "web");
    assert_int_equal(config->options.min_size, 2);
    assert_int_equal(config->options.reset, PQP_RESET_DISCARD_ALL);
    assert_int_equal(config->options.idle_timeout_ms, PQP_NEVER);
    pqp__config_free(config);
}

static void last_value_counts_when_a_keyword_is_repeated(void **state)
{
    (void)state;
    struct config *config =
        make_of("pool_max_size=5 pool_name=a pool_max_size=6 pool_name=b");
    assert_int_equal(config->options.max_size, 6);
    assert_string_equal(config->name, "b");
    pqp__config_free(config);
}

static void options_field_wins_when_it_is_not_zero(void **state)
{
    (void)state;
    struct config *config = make(
        PQP_OPTIONS(.conninfo = "pool_name=a pool_max_size=20 pool_min_size=3",
                    .name = "b", .max_size = 30));
    assert_string_equal(config->name, "b");
    assert_int_equal(config->options.max_size, 30);
    assert_int_equal(config->options.min_size, 3);
    pqp__config_free(config);
}

/* N18 */
static void
pool_name_becomes_one_line_when_it_has_control_characters(void **state)
{
    (void)state;
    static const struct {
        const char *name, *made;
    } cases[] = {
        {"web", "web"},    {"%s%n", "%s%n"}, {"a\nb\x1B[m", "a b [m"},
        {"gr\xFC", "gr?"}, {"", "pqpool"},   {"\n", ""},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct config *config = make(PQP_OPTIONS(.name = cases[i].name));
        assert_string_equal(config->name, cases[i].made);
        pqp__config_free(config);
    }
}

static void
connect_timeout_of_conninfo_applies_when_pool_option_is_unset(void **state)
{
    (void)state;
    static const struct {
        const char *conninfo;
        int ms, expected;
    } cases[] = {
        {"connect_timeout=3", 0, 3000},
        {"connect_timeout=' 3 '", 0, 3000},
        {"connect_timeout=3", 700, 700},
        {"connect_timeout=3 pool_connect_timeout_ms=800", 0, 800},
        {"connect_timeout=0", 0, PQP_NEVER},
        {"connect_timeout=-1", 0, PQP_NEVER},
        {"connect_timeout=99999999 pool_create_timeout_ms=never", 0, INT_MAX},
        {"", 0, 5000},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct config *config =
            make(PQP_OPTIONS(.conninfo = cases[i].conninfo,
                             .connect_timeout_ms = cases[i].ms));
        assert_int_equal(config->options.connect_timeout_ms, cases[i].expected);
        assert_int_equal(config->timeout_is_open, !cases[i].conninfo[0]);
        pqp__config_free(config);
    }
    assert_string_equal(refusal("connect_timeout=3s"),
                        "connect_timeout must be a number of seconds");
    refusal("connect_timeout=");
}

/* N01 N05 */
static void config_is_refused_when_options_are_null_or_have_size_0(void **state)
{
    (void)state;
    struct config *config;
    assert_int_equal(pqp__config_make(&config, NULL, NULL), PQP_INVALID);
    assert_null(config);
    refusal_of(&(const pqp_options){.size = 0});
    pqp__config_free(NULL);
}

/* N02 */
static void config_is_refused_when_pool_sizes_are_invalid(void **state)
{
    (void)state;
    refusal_of(PQP_OPTIONS(.max_size = 2, .min_size = 4));
    refusal_of(PQP_OPTIONS(.max_size = -1));
    refusal_of(PQP_OPTIONS(.min_size = -1));
    refusal_of(PQP_OPTIONS(.max_size = INT_MAX));
    refusal("pool_max_size=0");
    refusal("pool_max_size=2 pool_min_size=4");
    refusal("pool_min_size=11");
}

/* N04 */
static void error_names_the_keyword_when_its_value_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *conninfo, *message;
    } cases[] = {
        {"pool_maxsize=77777",
         "connection string: unknown keyword \"pool_maxsize\""},
        {"pool_conninfo=77777",
         "connection string: unknown keyword \"pool_conninfo\""},
        {"pool_on_event=77777",
         "connection string: unknown keyword \"pool_on_event\""},
        {"pool_max_size=77777",
         "pool_max_size must be a number from 1 to 10000"},
        {"postgresql://?pool_idle_timeout_ms=0",
         "pool_idle_timeout_ms must be a number from 1 to 2147483647, or never "
         "(-1); 0 would mean the default"},
        {"pool_reset=77777",
         "pool_reset must be one of rollback, discard_all, close"},
        {"hots=77777", "connection string: unknown keyword \"hots\""},
        {"replication=database", "replication is not supported by a pool"},
        {"port=77777", "port must be a number from 1 to 65535 (in the "
                       "password of a URI a / is written %2F)"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_string_equal(refusal(cases[i].conninfo), cases[i].message);
}

static void config_is_refused_when_host_or_port_is_invalid(void **state)
{
    (void)state;
    static const char *const good[] = {
        "port=1",      "port=65535", "port=' 5432 , 5433'",
        "port=,5432,", "port=''",    "host=a,b,/tmp/x@y,@abstract",
        "host=''",     "host=,",     "postgresql://[::1]:5432/",
        "user=a@b",    "dbname=a@b", "postgresql://%40x/",
    };
    static const char *const bad[] = {
        "port=0",
        "port=65536",
        "port=-1",
        "port=5432x",
        "port=5432;",
        "port=x",
        "port=1,x",
        "port='1 2'",
        "host=a@b",
        "host=a,b@c",
        "port=99999999999999999999",
    };
    for (size_t i = 0; i < LENGTH(good); i++)
        pqp__config_free(make_of(good[i]));
    for (size_t i = 0; i < LENGTH(bad); i++)
        refusal(bad[i]);
}

static void config_is_refused_when_a_list_does_not_fit_the_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "host=a,b port=1",      "host=a,b port=1,2", "host=a,b port=,",
        "host=a,b hostaddr=,1", "hostaddr=1,2,3",    "port=1,2",
        "hostaddr=1,2 port=,5", "host='' port=1",    "host=a port=''",
    };
    for (size_t i = 0; i < LENGTH(good); i++)
        pqp__config_free(make_of(good[i]));
    const char *port = "port must have one entry for each host";
    assert_string_equal(refusal("host=a port=1,2"), port);
    assert_string_equal(refusal("postgresql://a:1,b:2,c/?port=1,2"), port);
    assert_string_equal(refusal("hostaddr=1,2 port=1,2,3"), port);
    assert_string_equal(refusal("host=a,b hostaddr=1"),
                        "hostaddr must have one entry for each host");
}

static void config_is_refused_when_libpq_would_reject_a_value(void **state)
{
    (void)state;
    static const char *const keywords[] = {
        "sslmode",    "target_session_attrs",     "channel_binding",
        "gssencmode", "ssl_min_protocol_version", "service",
    };
    for (size_t i = 0; i < LENGTH(keywords); i++) {
        char string[128], expected[128];
        snprintf(string, sizeof string,
                 "password=CANARY-x9 host=h %s=CANARY-x9", keywords[i]);
        snprintf(expected, sizeof expected,
                 "%s has a value that libpq does not accept", keywords[i]);
        assert_string_equal(refusal(string), expected);
    }
    assert_string_equal(refusal("ssl_min_protocol_version=TLSv1.3 "
                                "ssl_max_protocol_version=TLSv1.2"),
                        "ssl_max_protocol_version has a value that libpq does "
                        "not accept");
}

static void config_is_accepted_when_libpq_accepts_the_value(void **state)
{
    (void)state;
    static const char *const good[] = {
        "sslmode=disable",
        "sslmode=verify-full sslrootcert=/none",
        "sslmode=''",
        "target_session_attrs=prefer-standby",
        "target_session_attrs=read-write",
        "channel_binding=require sslmode=disable",
        "gssencmode=prefer",
        "ssl_min_protocol_version=tlsv1.2",
        "password=x passfile=/none host=/none,h hostaddr=,::1",
    };
    for (size_t i = 0; i < LENGTH(good); i++)
        pqp__config_free(make_of(good[i]));
}

/* The environment may be corrected until then. */
static void config_is_accepted_when_only_the_environment_is_wrong(void **state)
{
    (void)state;
    setenv("PGSSLMODE", "nonsense", 1);
    setenv("PGSERVICE", "no-such-service", 1);
    pqp__config_free(make_of("host=h"));
    unsetenv("PGSERVICE");
    pqp__config_free(make_of("host=h sslmode=require"));
    unsetenv("PGSSLMODE");
}

/* N06 */
static void error_hides_password_when_conninfo_is_malformed(void **state)
{
    (void)state;
    static const char *const strings[] = {
        "host=h password=CANARY CANARY-x9",
        "host=h password=a CANARY=x9",
        "host=h password='CANARY-x9",
        "host=h password='CANARY-x9\\'",
        "host=h password=CANARY-x9 user",
        "host=h password=CANARY-x9\nuser",
        "host=h password 'CANARY-x9'",
        "host=h passwort=CANARY-x9",
        "CANARY-x9",
        "u:CANARY-x9@h/d",
        "postgres:/u:CANARY-x9@h/d?a=b",
        "postgresql://u:CANARY-x9@[::1/d",
        "postgresql://u:CANARY-x9@[::1]h/d",
        "postgresql://u:CANARY-x9@[]/d",
        "postgresql://u:CANARY/x9@h/d",
        "postgresql://u:CAN/RY?CANARY=x9@h/d",
        "postgresql://u:a@CANARY-x9@h/d",
        "postgresql://u:CANARY-x9%@h/d",
        "postgresql://u:CANARY-x9%zz@h/d",
        "postgresql://u:CANARY-x9%00@h/d",
        "postgresql://h/d?password=CANARY-x9%4",
        "postgresql://h/d?password=CANARY&CANARY-x9",
        "postgresql://h/d?password=a&CANARY=x9",
        "postgresql://h/d?password=CANARY=x9",
        "postgresql://u:CANARY-x9@h/d?pool_max_size=",
        "password=CANARY-x9 pool_max_size=CANARY-x9",
        "password=CANARY-x9 replication=1",
        "password=CANARY-x9 connect_timeout=CANARY-x9",
        "password=CANARY-x9 port=CANARY-x9",
    };
    for (size_t i = 0; i < LENGTH(strings); i++)
        assert_hides(refusal(strings[i]), canary);
}

/* N06 */
static void config_is_refused_when_conninfo_exceeds_65535_bytes(void **state)
{
    (void)state;
    size_t size = 1 << 20;
    char *string = malloc(size + 1);
    assert_non_null(string);
    memset(string, 'x', size);
    memcpy(string, "password=CANARY-x9", 18);
    string[size] = '\0';
    assert_string_equal(refusal(string),
                        "connection string is longer than 65535 bytes");
    string[65535] = '\0';
    pqp__config_free(make_of(string));
    free(string);
}

static void
password_copies_are_wiped_when_config_is_made_and_freed(void **state)
{
    (void)state;
    wiped_canaries = 0;
    struct config *config = make_of("pool_max_size=5 password=CANARY-x9");
    /* The scanner's copy, the rest of the string for libpq, and libpq's value.
     */
    assert_int_equal(wiped_canaries, 3);
    pqp__config_free(config);
    assert_int_equal(wiped_canaries, 4);
}

static void password_copies_are_wiped_when_config_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *conninfo;
        int copies; /* at least; an old block may hold a copy of libpq's */
    } cases[] = {
        {"replication=1 password=CANARY-x9", 4},
        {"unknown=1 password=CANARY-x9", 2},
        /* the explanation has a copy too */
        {"password=CANARY-x9 y=1", 3},
        /* libpq's message has a copy too */
        {"postgresql://u:CANARY-x9%zz@h?user=x", 2},
        {"password='CANARY-x9", 2},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct config *config;
        wiped_canaries = 0;
        assert_int_equal(
            pqp__config_make(&config,
                             PQP_OPTIONS(.conninfo = cases[i].conninfo), NULL),
            PQP_INVALID);
        if (wiped_canaries < cases[i].copies)
            fail_msg("%s: %d", cases[i].conninfo, wiped_canaries);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_has_defaults_only_when_conninfo_is_empty),
        cmocka_unit_test(
            config_keeps_exactly_the_parameters_when_conninfo_has_them),
        cmocka_unit_test(config_has_all_parameters_when_conninfo_is_a_uri),
        cmocka_unit_test(last_value_counts_when_a_keyword_is_repeated),
        cmocka_unit_test(options_field_wins_when_it_is_not_zero),
        cmocka_unit_test(
            pool_name_becomes_one_line_when_it_has_control_characters),
        cmocka_unit_test(
            connect_timeout_of_conninfo_applies_when_pool_option_is_unset),
        cmocka_unit_test(
            config_is_refused_when_options_are_null_or_have_size_0),
        cmocka_unit_test(config_is_refused_when_pool_sizes_are_invalid),
        cmocka_unit_test(error_names_the_keyword_when_its_value_is_wrong),
        cmocka_unit_test(config_is_refused_when_host_or_port_is_invalid),
        cmocka_unit_test(config_is_refused_when_a_list_does_not_fit_the_hosts),
        cmocka_unit_test(config_is_refused_when_libpq_would_reject_a_value),
        cmocka_unit_test(config_is_accepted_when_libpq_accepts_the_value),
        cmocka_unit_test(config_is_accepted_when_only_the_environment_is_wrong),
        cmocka_unit_test(error_hides_password_when_conninfo_is_malformed),
        cmocka_unit_test(config_is_refused_when_conninfo_exceeds_65535_bytes),
        cmocka_unit_test(
            password_copies_are_wiped_when_config_is_made_and_freed),
        cmocka_unit_test(password_copies_are_wiped_when_config_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
