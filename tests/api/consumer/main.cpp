/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The same in C++17, which lacks the literals of structs that C and C++20 have.
 */
#include <cstdio>
#include <cstring>
#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>

int main()
{
    pqp_pool *pool = nullptr;
    pqp_conn *conn = nullptr;
    pqp_error err;
    pqp_options options;

    pqp_options_init(&options);
    options.conninfo = "host=127.0.0.1 port=1";
    if (pqp_options_set(&options, "max_size", "3", &err) != PQP_OK ||
        options.max_size != 3 ||
        pqp_pool_open(&pool, &options, &err) != PQP_OK) {
        std::fprintf(stderr, "not opened: %s\n", err.message);
        return 1;
    }
    pqp_status status = pqp_acquire(pool, 50, &conn, &err);
    if (status != PQP_TIMEOUT || conn != nullptr ||
        std::strstr(err.message, "refused") == nullptr) {
        std::fprintf(stderr, "%s: %s\n", pqp_status_name(status), err.message);
        return 1;
    }
    if (pqp_try_acquire(pool, &conn) != PQP_BUSY)
        return 1;
    pqp_release(&conn);
    return pqp_pool_close(&pool, 1000) == PQP_OK && rpool_now() > 0 ? 0 : 1;
}
