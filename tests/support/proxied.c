/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* See proxied.h. */
#include "proxied.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *value_of(const PQconninfoOption *options,
                            const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0 && options->val)
            return options->val;
    return "";
}

struct proxy *proxied_start(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    if (!options)
        return NULL;
    const char *host = value_of(options, "hostaddr");
    if (!*host)
        host = value_of(options, "host");
    if (!*host || strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    long port = strtol(value_of(options, "port"), NULL, 10);
    struct proxy *proxy = proxy_start(host, port > 0 ? (int)port : 5432);
    PQconninfoFree(options);
    return proxy;
}

/* Prints keyword='value' with libpq's escapes. */
static void print_setting(FILE *out, const char *keyword, const char *value)
{
    (void)fprintf(out, "%s='", keyword);
    for (; *value; value++)
        (void)fprintf(out, "%s%c", strchr("'\\", *value) ? "\\" : "", *value);
    (void)fprintf(out, "' ");
}

/* Returns whether the proxy replaces this keyword. */
static int is_place(const char *keyword)
{
    return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
           strcmp(keyword, "port") == 0 || strcmp(keyword, "sslmode") == 0;
}

char *proxied_conninfo(const struct proxy *proxy, const char *conninfo,
                       const char *settings)
{
    char *text = NULL;
    size_t size = 0;
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    FILE *out = open_memstream(&text, &size);
    if (!options || !out)
        abort();
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && !is_place(o->keyword))
            print_setting(out, o->keyword, o->val);
    (void)fprintf(out,
                  "host=127.0.0.1 port=%d sslmode=disable gssencmode=disable "
                  "%s",
                  proxy_port(proxy), settings);
    (void)fclose(out);
    PQconninfoFree(options);
    return text;
}
