/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What libpq would connect to, found without connecting: its settings merged
 * as it merges them, its lists of hosts taken apart, and the names resolved,
 * so that each address is an entry of its own with a timeout of its own.
 * Called by the worker that connects; no lock.
 */
#include "pg/connect.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

/* ---- settings ---- */

static int is_secret(const struct config *config, const char *value)
{
    for (int i = 0; i < config->secret_count; i++) {
        if (config->secrets[i] == value)
            return 1;
    }
    return 0;
}

int pqp__keywords_make(struct keywords *keywords, const struct config *config,
                       int more, int without_secrets)
{
    size_t room = (size_t)config->parameter_count + (size_t)more + 1;
    *keywords = (struct keywords){
        .keywords = calloc(room, sizeof *keywords->keywords),
        .values = calloc(room, sizeof *keywords->values),
    };
    if (!keywords->keywords || !keywords->values)
        return -1;
    for (int i = 0; i < config->parameter_count; i++) {
        const struct parameter *p = &config->parameters[i];
        int hide = without_secrets && *p->value && is_secret(config, p->value);
        pqp__keywords_add(keywords, p->keyword, hide ? "-" : p->value);
    }
    return 0;
}

void pqp__keywords_add(struct keywords *keywords, const char *keyword,
                       const char *value)
{
    keywords->keywords[keywords->count] = keyword;
    keywords->values[keywords->count++] = value;
}

void pqp__keywords_free(struct keywords *keywords)
{
    free(keywords->keywords);
    free(keywords->values);
}

/* Which secrets there are shall be known, but not what they are. */
static void hide_secrets(PQconninfoOption *settings)
{
    for (; settings && settings->keyword; settings++) {
        if (settings->dispchar[0] != '*' || !settings->val || !*settings->val)
            continue;
        pqp__wipe(settings->val, strlen(settings->val));
        settings->val[0] = '-';
    }
}

/* Only libpq knows how it merges.  A connection with an sslmode that does not
 * exist has gone through all of that and nothing else: no password file was
 * read, no name resolved, no socket made.  The dummy keeps the passwords of
 * the environment and the service file out of the copy. */
PQconninfoOption *pqp__settings(const struct config *config)
{
    PQconninfoOption *settings = NULL;
    struct keywords k;
    if (pqp__keywords_make(&k, config, 2, 1) == 0) {
        pqp__keywords_add(&k, "password", "-");
        pqp__keywords_add(&k, "sslmode", "?");
        PGconn *pg = PQconnectStartParams(k.keywords, k.values, 0);
        settings = PQconninfo(pg);
        hide_secrets(settings);
        PQfinish(pg);
    }
    pqp__keywords_free(&k);
    return settings;
}

const char *pqp__setting(const PQconninfoOption *settings, const char *keyword)
{
    for (; settings->keyword; settings++) {
        if (strcmp(settings->keyword, keyword) == 0)
            return settings->val ? settings->val : "";
    }
    return "";
}

int pqp__refused(const struct config *config, int count)
{
    /* No name is resolved, no socket made, no password file read, and it does
     * not matter who runs the process: of all this nothing is asked. */
    static const char *const nowhere[][2] = {
        {"host", "-"},     {"hostaddr", "-"}, {"port", "1"},
        {"password", "-"}, {"user", "-"},
    };
    enum { NOWHERE = sizeof nowhere / sizeof nowhere[0] };
    const struct config first = {.parameters = config->parameters,
                                 .parameter_count = count,
                                 .secrets = config->secrets,
                                 .secret_count = config->secret_count};
    struct keywords k;
    int refused = 0;
    if (pqp__keywords_make(&k, &first, NOWHERE, 1) == 0) {
        for (int i = 0; i < NOWHERE; i++)
            pqp__keywords_add(&k, nowhere[i][0], nowhere[i][1]);
        refused = PQpingParams(k.keywords, k.values, 0) == PQPING_NO_ATTEMPT;
    }
    pqp__keywords_free(&k);
    return refused;
}

/* ---- lists ---- */

static int list_length(const char *list)
{
    int commas = 0;
    for (const char *p = list; *p; p++)
        commas += *p == ',';
    return *list ? commas + 1 : 0;
}

/* A copy of the index-th element, "" beyond the end; NULL: no memory. */
static char *list_element(const char *list, int index)
{
    for (; index > 0; index--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return strndup(list, strcspn(list, ","));
}

const char *pqp__misfit(const char *hosts, const char *addresses,
                        const char *ports)
{
    int count = list_length(*addresses ? addresses : hosts);
    int port_count = list_length(ports);
    if (*hosts && list_length(hosts) != count)
        return "hostaddr";
    return port_count > 1 && port_count != count ? "port" : NULL;
}

static void target_free(struct target *target)
{
    for (int part = 0; part < TARGET_PARTS; part++)
        free(target->part[part]);
}

/* Takes copies.  0, or -1 for want of memory. */
static int targets_add(struct targets *targets, const char *host,
                       const char *hostaddr, const char *port)
{
    size_t size = ((size_t)targets->count + 1) * sizeof *targets->at;
    struct target *grown = realloc(targets->at, size);
    if (!grown)
        return -1;
    targets->at = grown;
    struct target *t = &grown[targets->count++];
    /* An empty list reads as none given, so that the default is spelled out. */
    *t = (struct target){
        {strdup(host), strdup(hostaddr), strdup(*port ? port : "5432")}};
    return t->part[0] && t->part[1] && t->part[2] ? 0 : -1;
}

/* ---- names ---- */

static int out_of_memory(rpool_failure *why)
{
    snprintf(why->message, sizeof why->message, "out of memory");
    return -1;
}

/* An entry for each address of the host, or for the numeric address given for
 * it.  What does not resolve is none, and *why says so: another may. */
static int add_addresses(struct targets *targets, const struct target *from,
                         const struct config *config, rpool_failure *why)
{
    const char *given = from->part[TARGET_HOSTADDR];
    const char *name = *given ? given : from->part[TARGET_HOST];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = *given ? AI_NUMERICHOST : 0};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error) {
        char buffer[sizeof why->message];
        struct text text;
        text_init(&text, buffer, sizeof buffer);
        text_add(&text, "cannot resolve host \"");
        text_add_at_most(&text, 256, name);
        text_add(&text, "\": %s", gai_strerror(error));
        pqp__clean_text(config, why->message, sizeof why->message, buffer);
        return 0;
    }
    int status = 0;
    for (struct addrinfo *a = found; a && status == 0; a = a->ai_next) {
        char address[128];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address,
                        NULL, 0, NI_NUMERICHOST) == 0)
            status = targets_add(targets, from->part[TARGET_HOST], address,
                                 from->part[TARGET_PORT]);
    }
    freeaddrinfo(found);
    return status;
}

static int is_local(const struct target *target)
{
    char first = target->part[TARGET_HOST][0];
    return !*target->part[TARGET_HOSTADDR] &&
           (first == '\0' || first == '/' || first == '@');
}

static int add_entry(struct targets *targets, struct target *from,
                     const struct config *config, rpool_failure *why)
{
    int status = -1;
    char **part = from->part;
    if (part[0] && part[1] && part[2])
        status = is_local(from) ? targets_add(targets, part[0], "", part[2])
                                : add_addresses(targets, from, config, why);
    target_free(from);
    return status == 0 ? 0 : out_of_memory(why);
}

/* What stood in the string alone was checked at open.  0, or -1 and *why. */
static int check_lists(const char *hosts, const char *addresses,
                       const char *ports, rpool_failure *why)
{
    const char *misfit = pqp__misfit(hosts, addresses, ports);
    if (!misfit && pqp__are_ports(ports))
        return 0;
    why->permanent = 1;
    if (misfit)
        snprintf(why->message, sizeof why->message, PQP__MISFIT, misfit);
    else
        snprintf(why->message, sizeof why->message, PQP__BAD_PORT);
    return -1;
}

int pqp__resolve(struct targets *targets, const PQconninfoOption *settings,
                 const struct config *config, rpool_failure *why)
{
    *targets = (struct targets){0};
    const char *hosts = pqp__setting(settings, "host");
    const char *addresses = pqp__setting(settings, "hostaddr");
    const char *ports = pqp__setting(settings, "port");
    int count = list_length(*addresses ? addresses : hosts);
    int port_count = list_length(ports);
    if (check_lists(hosts, addresses, ports, why))
        return -1;
    for (int i = 0; i < count; i++) {
        struct target entry = {{
            list_element(hosts, i),
            list_element(addresses, i),
            list_element(ports, port_count == 1 ? 0 : i),
        }};
        if (add_entry(targets, &entry, config, why))
            return -1;
    }
    return count > 0 && targets->count == 0 ? -1 : 0;
}

/* ---- targets ---- */

void pqp__targets_free(struct targets *targets)
{
    while (targets->count > 0)
        pqp__targets_drop(targets, targets->count - 1);
    free(targets->at);
}

int pqp__targets_find(const struct targets *targets, const PGconn *pg)
{
    const char *now[TARGET_PARTS] = {PQhost(pg), PQhostaddr(pg), PQport(pg)};
    for (int i = 0; i < targets->count; i++) {
        char *const *part = targets->at[i].part;
        /* libpq shows an address without its scope, and no empty host. */
        size_t plain = strcspn(part[TARGET_HOSTADDR], "%");
        if ((!*part[TARGET_HOST] ||
             strcmp(part[TARGET_HOST], now[TARGET_HOST]) == 0) &&
            strncmp(part[TARGET_HOSTADDR], now[TARGET_HOSTADDR], plain) == 0 &&
            now[TARGET_HOSTADDR][plain] == '\0' &&
            strcmp(part[TARGET_PORT], now[TARGET_PORT]) == 0)
            return i;
    }
    return 0;
}

void pqp__targets_drop(struct targets *targets, int index)
{
    target_free(&targets->at[index]);
    targets->count--;
    memmove(&targets->at[index], &targets->at[index + 1],
            (size_t)(targets->count - index) * sizeof *targets->at);
}

char *pqp__targets_list(const struct targets *targets, int part)
{
    size_t size = 1;
    for (int i = 0; i < targets->count; i++)
        size += strlen(targets->at[i].part[part]) + 1;
    char *list = malloc(size);
    if (!list)
        return NULL;
    struct text text;
    text_init(&text, list, size);
    for (int i = 0; i < targets->count; i++)
        text_add(&text, "%s%s", i ? "," : "", targets->at[i].part[part]);
    return list;
}
