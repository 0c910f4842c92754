/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reads lines with an option, a value and 1 if the value is valid, else 0.
 * Checks that the library agrees: by pqp_options_set(), and in the connection
 * string.
 */
#include <pqpool/pqpool.h>
#include <stdio.h>
#include <string.h>

static int is_set(const char *name, const char *value)
{
    pqp_options options;
    pqp_options_init(&options);
    return pqp_options_set(&options, name, value, NULL) == PQP_OK;
}

static int is_opened(const char *name, const char *value)
{
    char conninfo[300];
    pqp_pool *pool = NULL;
    const char *room =
        strcmp(name, "min_size") == 0 ? "pool_max_size=10000" : "";
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=1 %s pool_%s=%s",
             room, name, value);
    pqp_status status =
        pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = conninfo), NULL);
    pqp_pool_close(&pool, 1000);
    return status == PQP_OK;
}

int main(void)
{
    char name[64], value[64];
    int right, wrong = 0, count = 0;
    for (; scanf("%63s %63s %d", name, value, &right) == 3; count++) {
        if (is_set(name, value) != right) {
            printf("%s = %s: pqp_options_set() disagrees\n", name, value);
            wrong = 1;
        }
        if (is_opened(name, value) != right) {
            printf("%s = %s: pqp_pool_open() disagrees\n", name, value);
            wrong = 1;
        }
    }
    printf("%d values checked\n", count);
    return wrong || count == 0;
}
