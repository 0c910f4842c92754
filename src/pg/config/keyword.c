/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The values of single keywords of libpq, read as libpq reads them.  No state,
 * no lock.
 */
#include "pg/config/keyword.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Each entry is a number or empty, and commas separate them. */
int pqp__are_ports(const char *ports)
{
    for (const char *p = ports;; p++) {
        char *end;
        long port = strtol(p, &end, 10);
        if (end != p && (port < 1 || port > 65535))
            return 0;
        p = end + strspn(end, " \t\n\v\f\r");
        if (*p != ',')
            return *p == '\0';
    }
}

/* No host name contains an @, but the path or the abstract name of a Unix
 * socket may begin with / or @ and contain one. */
int pqp__are_hosts(const char *hosts)
{
    for (const char *p = hosts;; p++) {
        size_t length = strcspn(p, ",");
        if (*p != '/' && *p != '@' && memchr(p, '@', length))
            return 0;
        p += length;
        if (!*p)
            return 1;
    }
}

int pqp__parse_timeout(const char *seconds, int *ms)
{
    char *end;
    long s = strtol(seconds, &end, 10);
    if (end == seconds || end[strspn(end, " \t\n\v\f\r")] != '\0')
        return -1;

    *ms = s <= 0 ? PQP_NEVER : s > INT_MAX / 1000 ? INT_MAX : (int)s * 1000;
    return 0;
}

int pqp__list_length(const char *list)
{
    int commas = 0;
    for (const char *p = list; *p; p++)
        commas += *p == ',';
    return *list ? commas + 1 : 0;
}

char *pqp__list_element(const char *list, int index)
{
    assert(index >= 0);

    for (; index > 0; index--) {
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return strndup(list, strcspn(list, ","));
}

const char *pqp__host_list_mismatch(const char *hosts, const char *addresses,
                                    const char *ports)
{
    assert(hosts && addresses && ports);

    int count = pqp__list_length(*addresses ? addresses : hosts);
    int port_count = pqp__list_length(ports);
    if (*hosts && pqp__list_length(hosts) != count)
        return "hostaddr";

    return port_count > 1 && port_count != count ? "port" : NULL;
}
