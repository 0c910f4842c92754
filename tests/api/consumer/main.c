/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Acquires where no server listens, and checks the message. */
#include <pqpool/pqpool.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    pqp_pool *pool = NULL;
    pqp_error err;

    if (pqp_version() != PQPOOL_VERSION_NUMBER ||
        pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = "host=127.0.0.1 port=1"),
                      &err) != PQP_OK) {
        fprintf(stderr, "not opened\n");
        return 1;
    }
    {
        PQP_AUTO_CONN conn = NULL;
        pqp_status status = pqp_acquire(pool, 50, &conn, &err);
        if (status != PQP_TIMEOUT || strstr(err.message, "refused") == NULL) {
            fprintf(stderr, "%s: %s\n", pqp_status_name(status), err.message);
            return 1;
        }
    }
    return pqp_pool_close(&pool, 1000) == PQP_OK && pool == NULL ? 0 : 1;
}
