/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which failures of a connect are permanent.  The texts come from the installed
 * libpq, OpenSSL and Kerberos.  Each failure is provoked, in English and in
 * another language.
 */
#define _GNU_SOURCE /* dladdr, memmem */
#include "support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/config/config.h"
#include "pg/connect/explain.h"
#include "pg/connect/targets.h"
#include "pg/session/session.h"
#include "support_mock.h"

static char dir[] = "/tmp/pqpool-refusal-XXXXXX";

/* ---- one attempt ---- */

enum { MOST_SETTINGS = 4 };

struct failing {
    const char *script; /* NULL: no server is contacted */
    /* keyword=value; DIR is the test's directory */
    const char *settings[MOST_SETTINGS];
    const char *word; /* a part of the message */
    const char *code; /* NULL: none */
};

static void set(struct config *config, const char *setting)
{
    char keyword[64], value[256];
    const char *equals = strchr(setting, '=');
    snprintf(keyword, sizeof keyword, "%.*s", (int)(equals - setting), setting);
    if (strncmp(equals + 1, "DIR", 3) == 0)
        snprintf(value, sizeof value, "%s%s", dir, equals + 4);
    else
        snprintf(value, sizeof value, "%s", equals + 1);
    mock_config_set(config, keyword, value);
}

static rpool_failure fail_at(const struct failing *failing)
{
    char port[16] = "77";
    struct mock *mock = failing->script ? mock_start(failing->script) : NULL;
    if (mock)
        snprintf(port, sizeof port, "%d", mock_port(mock));
    struct config *config = mock_config("127.0.0.1", port);
    for (int i = 0; i < MOST_SETTINGS && failing->settings[i]; i++)
        set(config, failing->settings[i]);
    void *session = NULL;
    rpool_failure why;
    if (pqp__session_create(config, clock_after(clock_now(), 10000), -1,
                            &session, &why) == 0)
        pqp__session_destroy(config, session);
    mock_config_free(config);
    if (mock)
        mock_stop(mock);
    assert_null(session);
    return why;
}

static void assert_all(const struct failing *failing, size_t count,
                       int permanent)
{
    for (size_t i = 0; i < count; i++) {
        rpool_failure why = fail_at(&failing[i]);
        const char *code = failing[i].code ? failing[i].code : "";
        if (why.permanent != permanent || strcmp(why.code, code) != 0 ||
            !strstr(why.message, failing[i].word))
            fail_msg("%zu: permanent %d, code \"%s\": %s", i, why.permanent,
                     why.code, why.message);
    }
}

/* ---- permanent failures ---- */

static const struct failing permanent[] = {
    /* No TLS, or no common version. */
    {"sN", {"sslmode=require"}, "does not support SSL", NULL},
    {"sN",
     {"sslmode=verify-full", "sslrootcert=DIR/ca.crt"},
     "does not support SSL",
     NULL},
    {"sS!46w", {"sslmode=require"}, "protocol version", NULL},
    {"sS!28w", {"sslmode=require"}, "handshake failure", NULL},
    {"sS!47w", {"sslmode=require"}, "insufficient security", NULL},
    {"sS!78w", {"sslmode=require"}, "no application protocol", NULL},
    /* The server refuses our certificate. */
    {"sS!30w", {"sslmode=require"}, "unknown ca", NULL},
    {"sS!2aw", {"sslmode=require"}, "bad certificate", NULL},
    {"sS!2bw", {"sslmode=require"}, "unsupported certificate", NULL},
    {"sS!2cw", {"sslmode=require"}, "certificate revoked", NULL},
    {"sS!2dw", {"sslmode=require"}, "certificate expired", NULL},
    {"sS!74w", {"sslmode=require"}, "certificate required", NULL},
    /* Missing or wrong files on our side. */
    {"sSw",
     {"sslmode=verify-ca", "sslrootcert=DIR/none"},
     "root certificate file",
     NULL},
    {"sSw",
     {"sslmode=verify-ca", "sslrootcert=DIR/garbage"},
     "root certificate file",
     NULL},
    {"sSw",
     {"sslmode=require", "sslcert=DIR/garbage"},
     "certificate file",
     NULL},
    {"sSw",
     {"sslmode=require", "sslcert=DIR/ca.crt", "sslkey=DIR/none"},
     "private key file",
     NULL},
    {"sSw",
     {"sslmode=require", "sslcert=DIR/ca.crt", "sslkey=DIR/garbage"},
     "private key file",
     NULL},
    {"sSw",
     {"sslmode=require", "sslcert=DIR/ca.crt", "sslkey=DIR/open"},
     "private key file",
     NULL},
    {"sSw",
     {"sslmode=require", "sslcert=DIR/ca.crt", "sslkey=DIR/other.key"},
     "private key file",
     NULL},
    /* Authentication methods. */
    {"sA3", {NULL}, "password", NULL},
    {"sA5", {NULL}, "password", NULL},
    {"sA:", {NULL}, "password", NULL},
    {"sA3", {"password="}, "password", NULL},
    {"sA1", {NULL}, "authentication not supported", NULL},
    {"sA2", {NULL}, "authentication not supported", NULL},
    {"sA4", {NULL}, "authentication not supported", NULL},
    {"sA6", {NULL}, "authentication method", NULL},
    {"sA9", {NULL}, "Kerberos credentials", NULL},
    {"sAD", {NULL}, "authentication method 20", NULL},
    {"sA7", {NULL}, "Kerberos credentials", NULL},
    {"sA:", {"password=x", "channel_binding=require"}, "channel binding", NULL},
    {"sA3", {"password=x", "channel_binding=require"}, "channel binding", NULL},
    {"so", {"channel_binding=require"}, "channel binding", NULL},
    {"sw", {"gssencmode=require"}, "GSSAPI encryption required", NULL},
    {NULL,
     {"host=DIR", "requirepeer=pqpool-nobody"},
     "\"pqpool-nobody\"",
     NULL},
    /* No addresses. */
    {NULL, {"hostaddr=nowhere"}, "cannot resolve", NULL},
    {NULL,
     {"host=/a-long-folder/a-long-folder/a-long-folder/a-long-folder/"
      "a-long-folder/a-long-folder/a-long-folder/a-long-folder"},
     "Unix-domain socket path",
     NULL},
    /* Errors of the server. */
    {"s(28000:no_entry)", {NULL}, "no entry", "28000"},
    {"s(28P01:password)", {NULL}, "password", "28P01"},
    {"s(3D000:no_database)", {NULL}, "no database", "3D000"},
    {"s(42501:no_privilege)", {NULL}, "no privilege", "42501"},
    {"s(42704:no_parameter)", {NULL}, "no parameter", "42704"},
    {"s(42601:-c_x_requires_a_value)", {NULL}, "requires", "42601"},
    {"s(42602:no_name)", {NULL}, "no name", "42602"},
    {"s(22023:no_value)", {NULL}, "no value", "22023"},
    {"s(55P02:not_now)", {NULL}, "not now", "55P02"},
    {"s(0A000:no_protocol)", {NULL}, "no protocol", "0A000"},
    {"s(08P01:unsupported_startup_parameter:_x)", {NULL}, ": x", "08P01"},
    {"s(08P01:unsupported_startup_parameter_in_options:_x)",
     {NULL},
     ": x",
     "08P01"},
    {"s(08P01:no_such_database:_x)", {NULL}, ": x", "08P01"},
    {"s(08P01:SASL_authentication_failed)", {NULL}, "SASL", "08P01"},
    {"s(08P01:SSL_required)", {NULL}, "SSL", "08P01"},
};

static const struct failing transient[] = {
    {"s", {NULL}, "closed", NULL},
    {"sg", {NULL}, "127.0.0.1", NULL},
    {"sX", {NULL}, "no code at all", NULL},
    {"sS", {"sslmode=require"}, "127.0.0.1", NULL},
    {"sP", {"sslmode=require"}, "127.0.0.1", NULL},
    {"sS!50w", {"sslmode=require"}, "internal error", NULL},
    {NULL, {"host=/no/such/folder"}, "No such file", NULL},
    {"s(53300:too_many)", {NULL}, "too many", "53300"},
    {"s(57P03:starting)", {NULL}, "starting", "57P03"},
    {"s(57P01:shutdown)", {NULL}, "shutdown", "57P01"},
    {"s(53200:memory)", {NULL}, "memory", "53200"},
    {"s(55000:not_accepting)", {NULL}, "not accepting", "55000"},
    {"s(08P01:query_wait_timeout)", {NULL}, "timeout", "08P01"},
    {"s(08P01:server_login_has_been_failing,_try_again_later)",
     {NULL},
     "later",
     "08P01"},
    {"s(08P01:no_more_connections_allowed)", {NULL}, "no more", "08P01"},
    /* A telling word in the user's own address decides nothing. */
    {NULL, {"host=/no/private key file"}, "No such file", NULL},
};

static void connect_failure_is_permanent_when_a_retry_cannot_help(void **state)
{
    (void)state;
    assert_all(permanent, LENGTH(permanent), 1);
}

static void connect_failure_is_transient_when_a_retry_may_help(void **state)
{
    (void)state;
    assert_all(transient, LENGTH(transient), 0);
}

/* ---- in another language ---- */

/* Returns whether libpq's messages are translated now. */
static int libpq_is_translated(void)
{
    PGconn *pg = PQconnectdb("sslmode=nonsense");
    int translated = !strstr(PQerrorMessage(pg), "invalid sslmode value");
    PQfinish(pg);
    return translated;
}

static int speak_german(void)
{
    static const char *const locales[] = {"de_DE.UTF-8", "C.UTF-8"};
    setenv("LANGUAGE", "de", 1);
    for (size_t i = 0; i < LENGTH(locales); i++) {
        if (setlocale(LC_ALL, locales[i]) && libpq_is_translated())
            return 1;
    }
    return 0;
}

static int speak_as_before(void **state)
{
    (void)state;
    setlocale(LC_ALL, "C");
    return unsetenv("LANGUAGE");
}

static void
connect_failure_is_classified_alike_when_libpq_speaks_german(void **state)
{
    (void)state;
    if (!speak_german())
        skip_because("neither de_DE.UTF-8 nor C.UTF-8 with LANGUAGE=de makes "
                     "libpq speak German");
    assert_all(permanent, LENGTH(permanent), 1);
    assert_all(transient, LENGTH(transient), 0);
    assert_true(libpq_is_translated());
}

/* ---- texts ---- */

/* Returns not 0 if the library with this function contains the text. */
static int library_holds(void *function, const char *text)
{
    Dl_info info;
    struct stat st;
    assert_int_not_equal(dladdr(function, &info), 0);
    int fd = open(info.dli_fname, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    size_t size = (size_t)st.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    assert_true(bytes != MAP_FAILED);
    int found = memmem(bytes, size, text, strlen(text)) != NULL;
    munmap(bytes, size);
    return found;
}

/* Failures that need a KDC, another certificate or an engine of OpenSSL are
 * compared with the texts inside libpq, by version. */
static void
error_text_is_found_in_libpq_when_it_cannot_be_provoked(void **state)
{
    (void)state;
    static const struct {
        int from, to; /* versions of libpq; 0: all */
        const char *text;
    } texts[] = {
        {0, 0, "GSSAPI encryption, but it was required"},
        {0, 0, "server certificate for"},
        {0, 0, "host name from server certificate"},
        {0, 0, "host name must be specified"},
        {0, 0, "SASL authentication mechanisms are supported"},
        {0, 0, "over a non-SSL connection"},
        {0, 0, "SSL certificate"},
        {0, 0, "SSL protocol version"},
        {0, 180000, "SSL engine"},
        {0, 180000, "private SSL key"},
        {160000, 0, "root certificate paths"},
        {160000, 0, "authentication method requirement"},
        {160000, 0, "a valid SSL certificate"},
        {170000, 0, "ALPN protocol"},
    };
    void *libpq;
    PQconninfoOption *(*function)(void) = PQconndefaults;
    memcpy(&libpq, &function, sizeof libpq);
    int version = PQlibVersion();
    for (size_t i = 0; i < LENGTH(texts); i++) {
        if (version < texts[i].from || (texts[i].to && version >= texts[i].to))
            continue;
        if (!library_holds(libpq, texts[i].text))
            fail_msg("libpq %d does not say \"%s\"", version, texts[i].text);
        assert_int_equal(pqp__is_permanent("", texts[i].text), 1);
    }
}

/* ---- several hosts ---- */

/* The server listens on one of the two addresses of a name. */
static void
connect_failure_is_permanent_when_one_address_family_fails_permanently(
    void **state)
{
    (void)state;
    static const struct {
        int family[3], permanent[3], expected;
    } cases[] = {
        {{AF_INET6, AF_INET, 0}, {0, 1, -1}, 1},
        {{AF_INET, AF_INET, 0}, {0, 1, -1}, 0},
        {{AF_INET6, AF_INET, AF_INET}, {0, 0, 1}, 0},
        {{AF_INET6, AF_INET, AF_INET}, {0, 1, 1}, 1},
        {{AF_INET6, AF_INET6, AF_INET}, {0, 1, 0}, 0},
        {{AF_UNSPEC, 0, 0}, {1, -1, -1}, 1},
        {{AF_UNSPEC, 0, 0}, {0, -1, -1}, 0},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct target at[3] = {{.host = 0}};
        struct targets targets = {.at = at};
        rpool_failure why;
        for (int t = 0; t < 3 && cases[i].permanent[t] >= 0; t++) {
            at[t].family = cases[i].family[t];
            at[t].why.permanent = cases[i].permanent[t];
            targets.count++;
        }
        pqp__targets_explain(&targets, &why);
        if (why.permanent != cases[i].expected)
            fail_msg("case %zu", i);
    }
}

static void
connect_error_has_part_of_each_reason_when_all_do_not_fit(void **state)
{
    (void)state;
    struct target at[5] = {{.host = 0}};
    struct targets targets = {.at = at, .count = 5};
    rpool_failure why;
    for (int i = 0; i < 5; i++) {
        at[i].host = i;
        size_t used = (size_t)snprintf(at[i].why.message, 50, "host %d: ", i);
        memset(at[i].why.message + used, 'x', i == 3 ? 20 : 300);
    }
    pqp__targets_explain(&targets, &why);
    assert_non_null(strstr(why.message, "xxx...; host 1: xxx"));
    assert_non_null(strstr(why.message, "host 3: xxxxxxxxxxxxxxxxxxxx; "));
    assert_non_null(strstr(why.message, "host 4: xxx"));
    assert_in_range(strlen(why.message), 480, sizeof why.message - 1);
}

/* ---- files and a socket ---- */

static int listener = -1;

static int make_files(void **state)
{
    (void)state;
    char command[600];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (!mkdtemp(dir))
        return -1;
    setenv("KRB5CCNAME", "FILE:/dev/null/none", 1);
    snprintf(command, sizeof command,
             "cd '%s' && umask 077 && { echo garbage >garbage;"
             " for k in ca other; do openssl req -x509 -newkey ec -pkeyopt"
             " ec_paramgen_curve:prime256v1 -nodes -keyout $k.key -out $k.crt"
             " -subj /CN=nobody || exit 1; done;"
             " cp ca.key open; chmod 644 open; } >/dev/null 2>&1",
             dir);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.77", dir);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    return system(command) ||
           bind(listener, (struct sockaddr *)&at, sizeof at) ||
           listen(listener, 8);
}

static int remove_files(void **state)
{
    (void)state;
    char command[100];
    close(listener);
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    return system(command);
}

static void libpq_hints_are_removed_when_they_are_indented_lines(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", ""},
        {"refused", "refused"},
        {"one refused\n\tIs it running?\ntwo refused\n\tIs it?\n\tOr not?\n",
         "one refused\ntwo refused\n"},
        {"\tonly a hint", ""},
        {"a\ttab inside\n", "a\ttab inside\n"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char text[100];
        snprintf(text, sizeof text, "%s", cases[i].from);
        pqp__drop_hints(text);
        assert_string_equal(text, cases[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libpq_hints_are_removed_when_they_are_indented_lines),
        cmocka_unit_test(connect_failure_is_permanent_when_a_retry_cannot_help),
        cmocka_unit_test(connect_failure_is_transient_when_a_retry_may_help),
        cmocka_unit_test_teardown(
            connect_failure_is_classified_alike_when_libpq_speaks_german,
            speak_as_before),
        cmocka_unit_test(
            error_text_is_found_in_libpq_when_it_cannot_be_provoked),
        cmocka_unit_test(
            connect_failure_is_permanent_when_one_address_family_fails_permanently),
        cmocka_unit_test(
            connect_error_has_part_of_each_reason_when_all_do_not_fit),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
