/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The targets of a connect: settings as libpq merges them, and an entry for
 * each address.  Only localhost is resolved, and a name that does not exist. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pg/config/config.h"
#include "pg/config/settings.h"
#include "pg/connect/targets.h"
#include "support_mock.h"

static struct config *config;
static PQconninfoOption *settings;
static struct targets targets;
static rpool_failure why;

static int resolve(const char *hosts, const char *addresses, const char *ports)
{
    config = mock_config(hosts, ports);
    mock_config_set(config, "hostaddr", addresses);
    settings = pqp__settings(config);
    why = (rpool_failure){0};
    return pqp__resolve(&targets, settings, config, &why);
}

static int tear_down(void **state)
{
    (void)state;
    pqp__targets_free(&targets);
    PQconninfoFree(settings);
    mock_config_free(config);
    return 0;
}

static void assert_list(int part, const char *expected)
{
    char buffer[256];
    struct text list;
    text_init(&list, buffer, sizeof buffer);
    for (int i = 0; i < targets.count; i++)
        text_add(&list, "%s%s", i ? "," : "", targets.at[i].part[part]);
    assert_string_equal(buffer, expected);
}

static void
single_port_applies_to_each_host_when_there_are_several(void **state)
{
    (void)state;
    assert_int_equal(resolve("127.0.0.1,127.0.0.2", "", "77"), 0);
    assert_list(TARGET_HOST, "127.0.0.1,127.0.0.2");
    assert_list(TARGET_HOSTADDR, "127.0.0.1,127.0.0.2");
    assert_list(TARGET_PORT, "77,77");
}

static void
port_list_applies_host_by_host_when_it_has_several_entries(void **state)
{
    (void)state;
    assert_int_equal(resolve("127.0.0.1,127.0.0.2,::1", "", "1,,3"), 0);
    assert_list(TARGET_HOSTADDR, "127.0.0.1,127.0.0.2,::1");
    assert_list(TARGET_PORT, "1,5432,3");
}

static void host_name_is_kept_with_each_address_when_resolved(void **state)
{
    (void)state;
    assert_int_equal(resolve("localhost", "", "77"), 0);
    assert_true(targets.count > 0);
    for (int i = 0; i < targets.count; i++) {
        assert_string_equal(targets.at[i].part[TARGET_HOST], "localhost");
        assert_true(*targets.at[i].part[TARGET_HOSTADDR] != '\0');
    }
}

static void host_name_is_not_resolved_when_hostaddr_is_given(void **state)
{
    (void)state;
    assert_int_equal(resolve("no-such-host.invalid", "127.0.0.9", "77"), 0);
    assert_list(TARGET_HOST, "no-such-host.invalid");
    assert_list(TARGET_HOSTADDR, "127.0.0.9");
}

static void
unix_socket_host_is_passed_unchanged_when_targets_are_listed(void **state)
{
    (void)state;
    assert_int_equal(resolve("/run/a,@b,127.0.0.1", "", "77"), 0);
    assert_list(TARGET_HOST, "/run/a,@b,127.0.0.1");
    assert_list(TARGET_HOSTADDR, ",,127.0.0.1");
}

static void
host_keeps_its_place_and_reason_when_it_cannot_be_resolved(void **state)
{
    (void)state;
    assert_int_equal(
        resolve("127.0.0.1,no-such-host.invalid,127.0.0.2", "", "1,2,3"), 0);
    assert_list(TARGET_HOST, "127.0.0.1,no-such-host.invalid,127.0.0.2");
    assert_list(TARGET_PORT, "1,2,3");
    const struct target *t = &targets.at[1];
    assert_true(t->unresolved);
    assert_false(targets.at[0].unresolved || targets.at[2].unresolved);
    assert_non_null(strstr(t->why.message, "\"no-such-host.invalid\""));
    assert_int_equal(t->why.permanent, 0);
    assert_int_equal(t->host, 1);
}

static void target_fails_permanently_when_hostaddr_is_no_address(void **state)
{
    (void)state;
    assert_int_equal(resolve("127.0.0.1", "no-address", "1"), 0);
    assert_int_equal(targets.count, 1);
    assert_true(targets.at[0].unresolved);
    assert_int_equal(targets.at[0].why.permanent, 1);
    assert_non_null(strstr(targets.at[0].why.message, "\"no-address\""));
}

static void targets_are_all_kept_when_shuffled(void **state)
{
    (void)state;
    assert_int_equal(resolve("127.0.0.1,127.0.0.2,127.0.0.3", "", "7"), 0);
    int first[3] = {0};
    for (int round = 0; round < 200; round++) {
        pqp__targets_shuffle(&targets);
        int seen = 0;
        for (int i = 0; i < 3; i++)
            seen |= 1 << targets.at[i].host;
        assert_int_equal(seen, 7);
        first[targets.at[0].host]++;
    }
    assert_true(first[0] && first[1] && first[2]);
}

static void
resolve_fails_permanently_when_port_list_does_not_fit_hosts(void **state)
{
    (void)state;
    assert_int_equal(resolve("127.0.0.1,127.0.0.2,127.0.0.3", "", "1,2"), -1);
    assert_int_equal(targets.count, 0);
    assert_int_equal(why.permanent, 1);
    assert_string_equal(why.message, "port must have one entry for each host");
}

static void resolve_fails_permanently_when_PGPORT_is_invalid(void **state)
{
    (void)state;
    setenv("PGPORT", "77777", 1);
    int status = resolve("127.0.0.1", "", "");
    unsetenv("PGPORT");
    assert_int_equal(status, -1);
    assert_int_equal(why.permanent, 1);
    assert_non_null(strstr(why.message, "port must be a number"));
}

static void host_is_left_to_libpq_when_none_is_given(void **state)
{
    (void)state;
    assert_int_equal(resolve("", "", "77"), 0);
    assert_int_equal(targets.count, 1);
    assert_list(TARGET_HOST, "");
    assert_list(TARGET_HOSTADDR, "");
    assert_list(TARGET_PORT, "77");
}

static void
settings_come_from_environment_when_conninfo_lacks_them(void **state)
{
    (void)state;
    setenv("PGHOST", "127.0.0.8", 1);
    setenv("PGOPTIONS", "-c a.b=1", 1);
    int status = resolve("", "", "77");
    unsetenv("PGHOST");
    unsetenv("PGOPTIONS");
    assert_int_equal(status, 0);
    assert_list(TARGET_HOSTADDR, "127.0.0.8");
    assert_string_equal(pqp__setting(settings, "options"), "-c a.b=1");
    assert_string_equal(pqp__setting(settings, "keepalives_idle"), "");
    assert_string_equal(pqp__setting(settings, "no such keyword"), "");
}

static void
settings_come_from_service_file_when_conninfo_lacks_them(void **state)
{
    (void)state;
    char path[] = "/tmp/pqpool-service-XXXXXX";
    static const char text[] = "[mine]\nhost=127.0.0.7\npassword=hush\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    ssize_t wrote = write(fd, text, sizeof text - 1);
    close(fd);
    setenv("PGSERVICEFILE", path, 1);
    setenv("PGSERVICE", "mine", 1);
    int status = resolve("", "", "77");
    unsetenv("PGSERVICEFILE");
    unsetenv("PGSERVICE");
    unlink(path);
    assert_int_equal(wrote, sizeof text - 1);
    assert_int_equal(status, 0);
    assert_list(TARGET_HOSTADDR, "127.0.0.7");
    assert_string_equal(pqp__setting(settings, "password"), "-");
}

static void
settings_have_no_password_when_conninfo_and_environment_set_one(void **state)
{
    (void)state;
    setenv("PGPASSWORD", "from-the-environment", 1);
    config = mock_config("127.0.0.1", "1");
    mock_config_set(config, "password", "from-the-string");
    config->secrets[config->secret_count++] =
        config->parameters[config->parameter_count - 1].value;
    settings = pqp__settings(config);
    unsetenv("PGPASSWORD");
    targets = (struct targets){0};
    assert_non_null(settings);
    for (const PQconninfoOption *s = settings; s->keyword; s++)
        assert_null(s->val ? strstr(s->val, "from-the") : NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(single_port_applies_to_each_host_when_there_are_several),
        TEST(port_list_applies_host_by_host_when_it_has_several_entries),
        TEST(host_name_is_kept_with_each_address_when_resolved),
        TEST(host_name_is_not_resolved_when_hostaddr_is_given),
        TEST(unix_socket_host_is_passed_unchanged_when_targets_are_listed),
        TEST(host_keeps_its_place_and_reason_when_it_cannot_be_resolved),
        TEST(target_fails_permanently_when_hostaddr_is_no_address),
        TEST(targets_are_all_kept_when_shuffled),
        TEST(resolve_fails_permanently_when_port_list_does_not_fit_hosts),
        TEST(resolve_fails_permanently_when_PGPORT_is_invalid),
        TEST(host_is_left_to_libpq_when_none_is_given),
        TEST(settings_come_from_environment_when_conninfo_lacks_them),
        TEST(settings_come_from_service_file_when_conninfo_lacks_them),
        TEST(settings_have_no_password_when_conninfo_and_environment_set_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
