/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Makes the config of a pool from a struct and a connection string.  libpq
 * parses the string, but its messages are not passed on: they may show parts of
 * a password.  Values that libpq would refuse only at the first connect, with
 * such a message, are refused here.
 */
#include "pg/config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pg/base/error.h"
#include "pg/base/line.h"
#include "pg/base/openssl.h"
#include "pg/config/conninfo.h"
#include "pg/config/keyword.h"
#include "pg/config/options.h"
#include "pg/config/secrets.h"
#include "pg/config/settings.h"

enum { MAX_CONNINFO = 65535 };
/* The size of OpenSSL's buffer.  libpq would cut a longer password, with a
 * warning on stderr. */
enum { MAX_SSLPASSWORD = 1023 };

static pqp_status no_memory(pqp_error *err)
{
    return pqp__fail(err, PQP_NOMEM, "out of memory while reading the options");
}

static pqp_status set_name(struct config *config, const char *name,
                           pqp_error *err)
{
    size_t size = strlen(name) + 1;

    free(config->name);
    config->name = malloc(size);
    if (!config->name)
        return no_memory(err);

    pqp__line_copy(config->name, size, name, NULL, NULL);
    return PQP_OK;
}

/* Sets an option from a pool_* keyword of the connection string.  The callback
 * of pqp__conninfo_split(). */
static int set_keyword(void *arg, const char *keyword, const char *value,
                       pqp_error *err)
{
    assert(strncmp(keyword, "pool_", strlen("pool_")) == 0);

    struct config *config = arg;
    const char *name = keyword + strlen("pool_");
    const struct option *option = pqp__option_find(name);
    if (!option || strcmp(name, "conninfo") == 0)
        return (int)pqp__fail_named(err, "connection string: unknown keyword",
                                    keyword);
    if (option->kind == OPTION_TEXT)
        return (int)set_name(config, value, err);
    return (int)pqp__option_set(option, &config->options, "pool_", value, err);
}

/* ---- one parameter for libpq ---- */

/* A pool_* keyword or a field counts before connect_timeout. */
static pqp_status take_timeout(pqp_options *options, const char *seconds,
                               pqp_error *err)
{
    int ms;
    if (pqp__parse_timeout(seconds, &ms))
        return pqp__fail(err, PQP_INVALID, PQP__BAD_TIMEOUT);
    if (options->connect_timeout_ms == 0)
        options->connect_timeout_ms = ms;
    return PQP_OK;
}

static pqp_status check_parameter(struct config *config, const char *keyword,
                                  const char *value, pqp_error *err)
{
    assert(keyword && value);

    if (strcmp(keyword, "replication") == 0)
        return pqp__fail(err, PQP_INVALID,
                         "replication is not supported by a pool");
    if (strcmp(keyword, "port") == 0 && !pqp__are_ports(value))
        return pqp__fail(err, PQP_INVALID,
                         PQP__BAD_PORT
                         " (in the password of a URI a / is written %%2F)");
    if (strcmp(keyword, "host") == 0 && !pqp__are_hosts(value))
        return pqp__fail(
            err, PQP_INVALID,
            "host must not contain an @ (in the password of a URI it is "
            "written %%40)");
    if (strcmp(keyword, "sslpassword") == 0 && strlen(value) > MAX_SSLPASSWORD)
        return pqp__fail(err, PQP_INVALID,
                         "sslpassword is longer than %d bytes",
                         MAX_SSLPASSWORD);
    if (strcmp(keyword, "connect_timeout") == 0)
        return take_timeout(&config->options, value, err);
    return PQP_OK;
}

/* ---- all parameters ---- */

/* Returns the value of a parameter of the string; "" if it has none. */
static const char *parameter(const struct config *config, const char *keyword)
{
    for (int i = 0; i < config->parameter_count; i++) {
        if (strcmp(config->parameters[i].keyword, keyword) == 0)
            return config->parameters[i].value;
    }
    return "";
}

/* Checks the parameters that fit each other or not, and the values for which
 * only libpq knows the words: its newer versions know more.  So libpq is asked
 * with one parameter more each time, to find the one that it refuses.  If it
 * refuses even no parameter at all, the environment is wrong, which may change
 * before the first connect. */
static pqp_status check_together(const struct config *config, pqp_error *err)
{
    const char *hosts = parameter(config, "host");
    const char *addresses = parameter(config, "hostaddr");
    const char *mismatch = NULL;
    if (*hosts || *addresses)
        mismatch = pqp__host_list_mismatch(hosts, addresses,
                                           parameter(config, "port"));
    if (mismatch)
        return pqp__fail(err, PQP_INVALID, PQP__HOST_LIST_MISMATCH, mismatch);

    int count = config->parameter_count;
    if (!pqp__settings_refused(config, count) ||
        pqp__settings_refused(config, 0))
        return PQP_OK;

    for (int i = 0; i < count; i++) {
        if (pqp__settings_refused(config, i + 1))
            return pqp__fail(err, PQP_INVALID,
                             "%s has a value that libpq does not accept",
                             config->parameters[i].keyword);
    }
    return PQP_OK;
}

/* Copies the parameters that libpq has parsed, and checks them. */
static pqp_status take_parameters(struct config *config,
                                  const PQconninfoOption *list, pqp_error *err)
{
    assert(!config->parameters);

    size_t count = 0;
    for (const PQconninfoOption *o = list; o->keyword; o++)
        count += o->val != NULL;
    config->parameters = calloc(count + 1, sizeof(*config->parameters));
    config->secrets = calloc(count + 1, sizeof(*config->secrets));
    if (!config->parameters || !config->secrets)
        return no_memory(err);

    for (const PQconninfoOption *o = list; o->keyword; o++) {
        if (!o->val)
            continue;

        struct parameter *p = &config->parameters[config->parameter_count++];
        p->keyword = strdup(o->keyword);
        p->value = strdup(o->val);
        if (!p->keyword || !p->value)
            return no_memory(err);
        if (o->dispchar[0] == '*')
            config->secrets[config->secret_count++] = p->value;

        pqp_status status = check_parameter(config, p->keyword, p->value, err);
        if (status)
            return status;
    }
    return check_together(config, err);
}

/* Takes the pool_* keywords out of the string and lets libpq parse the rest.
 * Every copy of a password is wiped. */
static pqp_status read_conninfo(struct config *config, const char *conninfo,
                                pqp_error *err)
{
    if (strlen(conninfo) > MAX_CONNINFO)
        return pqp__fail(err, PQP_INVALID,
                         "connection string is longer than %d bytes",
                         MAX_CONNINFO);

    char *rest = pqp__conninfo_split(conninfo, set_keyword, config, err);
    if (!rest)
        return err->status;

    char *text = NULL;
    PQconninfoOption *list = PQconninfoParse(rest, &text);
    pqp__wipe_free(rest);
    pqp__wipe_free(text);
    if (!list)
        return pqp__conninfo_explain(conninfo, err);

    pqp_status status = take_parameters(config, list, err);
    for (PQconninfoOption *o = list; o->keyword; o++) {
        if (o->val)
            pqp__wipe(o->val, strlen(o->val));
    }
    PQconninfoFree(list);
    return status;
}

/* ---- the config ---- */

/* The string, then the struct, which counts before it. */
static pqp_status fill(struct config *config, const pqp_options *given,
                       pqp_error *err)
{
    pqp_status status =
        read_conninfo(config, given->conninfo ? given->conninfo : "", err);
    config->timeout_is_open = given->connect_timeout_ms == 0 &&
                              config->options.connect_timeout_ms == 0;

    if (status == PQP_OK)
        status = pqp__options_merge(&config->options, given, err);
    if (status == PQP_OK && given->name && given->name[0])
        status = set_name(config, given->name, err);
    else if (status == PQP_OK && !(config->name && config->name[0]))
        status = set_name(config, "pqpool", err);

    config->options.size = sizeof(config->options);
    config->options.name = config->name;
    return status;
}

void pqp__config_free(struct config *config)
{
    if (!config)
        return;
    pqp__secrets_free(config);
    for (int i = 0; i < config->parameter_count; i++) {
        free(config->parameters[i].keyword);
        pqp__wipe_free(config->parameters[i].value);
    }
    free(config->parameters);
    free(config->secrets);
    free(config->name);
    free(config);
}

pqp_status pqp__config_make(struct config **config, const pqp_options *options,
                            pqp_error *err)
{
    pqp_error ignored;
    pqp_options given;
    err = err ? err : &ignored;
    *config = NULL;
    if (!options)
        return pqp__fail(err, PQP_INVALID, "options is NULL");

    pqp_status status = pqp__options_read(&given, options, err);
    if (status)
        return status;

    struct config *made = calloc(1, sizeof(*made));
    if (!made)
        return no_memory(err);
    status = fill(made, &given, err);
    if (status) {
        pqp__config_free(made);
        return status;
    }

    *config = made;
    pqp__error_clear(err);
    return PQP_OK;
}
