/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Finds the addresses that libpq would connect to, without connecting: takes
 * the lists of hosts apart and resolves the names.  So each address is a target
 * of its own, with a timeout of its own.  The worker that connects calls; there
 * is no lock.
 */
#include "pg/connect/targets.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/random.h"
#include "base/text.h"
#include "pg/config/keyword.h"
#include "pg/config/secrets.h"
#include "pg/config/settings.h"

/* ---- a target ---- */

static void target_free(struct target *target)
{
    for (int part = 0; part < TARGET_PARTS; part++)
        free(target->part[part]);
}

/* Adds a target for the host of `from`, with this address.  Copies the texts.
 * NULL for want of memory. */
static struct target *targets_add(struct targets *targets,
                                  const struct target *from,
                                  const char *hostaddr, int family)
{
    assert(hostaddr && from->part[TARGET_HOST]);

    size_t size = ((size_t)targets->count + 1) * sizeof *targets->at;
    struct target *grown = realloc(targets->at, size);
    if (!grown)
        return NULL;
    targets->at = grown;

    /* libpq takes an empty port for libpq's default, and not for PGPORT, if it
     * stands in a list.  Alone it would take PGPORT: so the default is given.
     */
    const char *port = from->part[TARGET_PORT];
    struct target *t = &grown[targets->count++];
    *t = (struct target){
        .part = {strdup(from->part[TARGET_HOST]), strdup(hostaddr),
                 strdup(*port ? port : "5432")},
        .host = from->host,
        .family = family,
    };
    return t->part[0] && t->part[1] && t->part[2] ? t : NULL;
}

/* ---- names ---- */

/* Adds a target that is never tried, with the reason.  It is permanent if the
 * user gave a text that is no address; a name may resolve the next time. */
static int add_unresolved(struct targets *targets, const struct target *from,
                          const struct config *config, int error)
{
    assert(error != 0);

    const char *given = from->part[TARGET_HOSTADDR];
    struct target *t = targets_add(targets, from, "", AF_UNSPEC);
    if (!t)
        return -1;

    char buffer[sizeof t->why.message];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_add(&text, "cannot resolve host \"");
    text_add_at_most(&text, 256, *given ? given : from->part[TARGET_HOST]);
    text_add(&text, "\": %s", gai_strerror(error));
    pqp__clean_text(config, t->why.message, sizeof t->why.message, buffer);

    t->why.permanent = *given && error == EAI_NONAME;
    t->unresolved = 1;
    return 0;
}

/* Adds a target for each address of the host, or for the numeric address that
 * the user gave for it.  Returns 0, or -1 for want of memory. */
static int add_addresses(struct targets *targets, const struct target *from,
                         const struct config *config)
{
    const char *given = from->part[TARGET_HOSTADDR];
    const char *name = *given ? given : from->part[TARGET_HOST];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = *given ? AI_NUMERICHOST : 0};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error)
        return add_unresolved(targets, from, config, error);

    int status = 0;
    for (struct addrinfo *a = found; a && status == 0; a = a->ai_next) {
        char address[128];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address,
                        NULL, 0, NI_NUMERICHOST) == 0)
            status = targets_add(targets, from, address, a->ai_family) ? 0 : -1;
    }
    freeaddrinfo(found);
    return status;
}

/* Returns whether libpq would use a Unix socket. */
static int is_local(const struct target *target)
{
    char first = target->part[TARGET_HOST][0];
    return !*target->part[TARGET_HOSTADDR] &&
           (first == '\0' || first == '/' || first == '@');
}

/* Adds the targets of one host.  Frees the parts of `from`, which may be NULL
 * for want of memory.  Returns 0 or -1. */
static int add_host(struct targets *targets, struct target *from,
                    const struct config *config)
{
    assert(from->host >= 0);

    int status = -1;
    char **part = from->part;
    if (!part[0] || !part[1] || !part[2])
        status = -1;
    else if (is_local(from))
        status = targets_add(targets, from, "", AF_UNSPEC) ? 0 : -1;
    else
        status = add_addresses(targets, from, config);
    target_free(from);
    return status;
}

/* ---- all hosts ---- */

/* The lists may come from the environment or the service file; those of the
 * connection string alone were checked at open.  Returns 0, or -1 and *why. */
static int check_lists(const char *hosts, const char *addresses,
                       const char *ports, rpool_failure *why)
{
    assert(why);

    const char *mismatch = pqp__host_list_mismatch(hosts, addresses, ports);
    if (!mismatch && pqp__are_ports(ports))
        return 0;

    why->permanent = 1;
    if (mismatch)
        snprintf(why->message, sizeof why->message, PQP__HOST_LIST_MISMATCH,
                 mismatch);
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
    if (check_lists(hosts, addresses, ports, why))
        return -1;

    int count = pqp__list_length(*addresses ? addresses : hosts);
    int port_count = pqp__list_length(ports);
    for (int i = 0; i < count || i == 0; i++) {
        struct target host = {
            .part = {pqp__list_element(hosts, i),
                     pqp__list_element(addresses, i),
                     pqp__list_element(ports, port_count == 1 ? 0 : i)},
            .host = i,
        };
        if (add_host(targets, &host, config)) {
            snprintf(why->message, sizeof why->message, "out of memory");
            return -1;
        }
    }
    return 0;
}

void pqp__targets_free(struct targets *targets)
{
    while (targets->count > 0)
        target_free(&targets->at[--targets->count]);
    free(targets->at);
}

void pqp__targets_shuffle(struct targets *targets)
{
    for (int i = targets->count - 1; i > 0; i--) {
        int j = (int)random_below((uint64_t)i + 1);
        assert(j >= 0 && j <= i);

        struct target other = targets->at[j];
        targets->at[j] = targets->at[i];
        targets->at[i] = other;
    }
}
