/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The standby server; see support_standby.h. */
#include "support_standby.h"

#include <stdio.h>
#include <stdlib.h>

#include "support_pg.h"

static int start_and_print_port(void)
{
    char command[512];
    int port = 0;
    (void)snprintf(command, sizeof command, "'%s' standby 2>/dev/null",
                   getenv("PQPOOL_SERVER_CTL"));
    FILE *out = popen(command, "r");
    if (out == NULL || fscanf(out, "%d", &port) != 1)
        port = 0;
    if (out != NULL)
        (void)pclose(out);
    return port;
}

const char *standby_start(const char *setting)
{
    char settings[128];
    need_server_ctl();
    int port = start_and_print_port();
    if (port == 0)
        skip_because("no standby could be started");
    (void)snprintf(settings, sizeof settings, "port=%d %s", port, setting);
    return pg_dsn_with(settings);
}

void standby_promote(void)
{
    assert_true(server_ctl("promote"));
}

int standby_ends(void **state)
{
    (void)state;
    return getenv("PQPOOL_SERVER_CTL") == NULL || server_ctl("drop_standby")
               ? 0
               : -1;
}
