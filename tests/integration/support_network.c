/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* See support_network.h. */
#include "support_network.h"

#include <stdlib.h>

struct proxy *proxy;
static char *conninfo;

int network_begin(void **state)
{
    (void)state;
    proxy = proxied_start(pg_dsn());
    assert_non_null(proxy);
    conninfo = proxied_conninfo(proxy, pg_dsn(), "");
    return 0;
}

int network_end(void **state)
{
    (void)state;
    proxy_stop(proxy);
    free(conninfo);
    return 0;
}

const char *proxied_dsn(void)
{
    return conninfo;
}

int newest(void)
{
    return proxy_accepted(proxy);
}
