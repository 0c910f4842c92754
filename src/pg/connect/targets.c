/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The addresses that libpq would connect to, found without connecting: the
 * lists of hosts taken apart, and the names resolved, so that each address is
 * an entry of its own with a timeout of its own.  Called by the worker that
 * connects; no lock.
 */
#include "pg/connect/targets.h"

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

static void target_free(struct target *target)
{
    for (int part = 0; part < TARGET_PARTS; part++)
        free(target->part[part]);
}

/* Adds an entry for the host of `from`, with this address.  Takes copies.
 * NULL for want of memory. */
static struct target *targets_add(struct targets *targets,
                                  const struct target *from,
                                  const char *hostaddr, int family)
{
    size_t size = ((size_t)targets->count + 1) * sizeof *targets->at;
    struct target *grown = realloc(targets->at, size);
    if (!grown)
        return NULL;
    targets->at = grown;
    struct target *t = &grown[targets->count++];
    /* An empty port reads as none given: the default is spelled out, which is
     * not what PGPORT says. */
    const char *port = from->part[TARGET_PORT];
    *t = (struct target){
        .part = {strdup(from->part[TARGET_HOST]), strdup(hostaddr),
                 strdup(*port ? port : "5432")},
        .host = from->host,
        .family = family,
    };
    return t->part[0] && t->part[1] && t->part[2] ? t : NULL;
}

/* ---- names ---- */

/* An entry that is never tried, but says why.  An address that is given and is
 * none stays none; a name may resolve next time. */
static int add_unresolved(struct targets *targets, const struct target *from,
                          const struct config *config, int error)
{
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

/* An entry for each address of the host, or for the numeric address given for
 * it.  0, or -1 for want of memory. */
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

static int is_local(const struct target *target)
{
    char first = target->part[TARGET_HOST][0];
    return !*target->part[TARGET_HOSTADDR] &&
           (first == '\0' || first == '/' || first == '@');
}

/* Takes the parts of `from`.  0, or -1 for want of memory. */
static int add_entry(struct targets *targets, struct target *from,
                     const struct config *config)
{
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

/* What stood in the string alone was checked at open.  0, or -1 and *why. */
static int check_lists(const char *hosts, const char *addresses,
                       const char *ports, rpool_failure *why)
{
    const char *misfit = pqp__host_list_mismatch(hosts, addresses, ports);
    if (!misfit && pqp__are_ports(ports))
        return 0;
    why->permanent = 1;
    if (misfit)
        snprintf(why->message, sizeof why->message, PQP__HOST_LIST_MISMATCH,
                 misfit);
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
    int count = pqp__list_length(*addresses ? addresses : hosts);
    int port_count = pqp__list_length(ports);
    if (check_lists(hosts, addresses, ports, why))
        return -1;
    for (int i = 0; i < count || i == 0; i++) {
        struct target entry = {
            .part = {pqp__list_element(hosts, i),
                     pqp__list_element(addresses, i),
                     pqp__list_element(ports, port_count == 1 ? 0 : i)},
            .host = i,
        };
        if (add_entry(targets, &entry, config)) {
            snprintf(why->message, sizeof why->message, "out of memory");
            return -1;
        }
    }
    return 0;
}

/* ---- targets ---- */

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
        struct target other = targets->at[j];
        targets->at[j] = targets->at[i];
        targets->at[i] = other;
    }
}
