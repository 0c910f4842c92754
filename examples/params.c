/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Parameters and results: as text, as binary, and NULL.  The program sends
 * values beside the statement and never in it, so it never quotes a value.
 * Binary is the server's own format: numbers in network byte order, bytes as
 * they are.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pqpool/pqpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INT4 = 23, INT8 = 20, BYTEA = 17 }; /* of pg_type.h, fixed for ever */

static void put_int64(char bytes[8], int64_t value)
{
    uint32_t half[2] = {htonl((uint32_t)((uint64_t)value >> 32)),
                        htonl((uint32_t)value)};

    memcpy(bytes, half, sizeof half);
}

static int64_t get_int64(const char *bytes)
{
    uint32_t half[2];

    memcpy(half, bytes, sizeof half);
    return (int64_t)((uint64_t)ntohl(half[0]) << 32 | ntohl(half[1]));
}

/* Each value is a string or NULL.  The server infers the types. */
static pqp_status as_text(pqp_pool *pool, pqp_error *err)
{
    const char *const values[] = {"Robert'); DROP TABLE notes;--", "42", NULL};
    PQP_AUTO_RESULT res = NULL;

    pqp_status status = pqp_pool_exec_params(
        pool, 5000,
        PQP_QUERY(.sql = "SELECT upper($1), $2::int / 5, $3::date",
                  .nparams = 3, .values = values),
        &res, err);
    if (status != PQP_OK)
        return status;
    printf("text: %s, %s, %s\n", PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1),
           PQgetisnull(res, 0, 2) ? "NULL" : PQgetvalue(res, 0, 2));
    return PQP_OK;
}

/* Each value has its type, length and format.  A result_format of 1 asks for
 * all columns in binary. */
static pqp_status as_binary(pqp_pool *pool, pqp_error *err)
{
    static const char blob[] = {'a', '\0', 'b', '\xff'};
    char number[8];
    const Oid types[] = {INT8, BYTEA, INT4};
    const char *const values[] = {number, blob, NULL};
    const int lengths[] = {sizeof number, sizeof blob, 0};
    const int formats[] = {1, 1, 1};
    PQP_AUTO_RESULT res = NULL;

    put_int64(number, INT64_C(-5000000000));
    pqp_status status = pqp_pool_exec_params(
        pool, 5000,
        PQP_QUERY(.sql = "SELECT $1 * 2, $2 || '\\x00'::bytea, $3",
                  .nparams = 3, .types = types, .values = values,
                  .lengths = lengths, .formats = formats, .result_format = 1),
        &res, err);
    if (status != PQP_OK)
        return status;
    printf("binary: %" PRId64 ", %d bytes, %s\n",
           get_int64(PQgetvalue(res, 0, 0)), PQgetlength(res, 0, 1),
           PQgetisnull(res, 0, 2) ? "NULL" : "not NULL");
    return PQP_OK;
}

/* The server cannot convert the value.  The status is PQP_SERVER, and err has
 * the SQLSTATE.  The connection is good, and the result has the details. */
static pqp_status as_invalid_text(pqp_pool *pool, pqp_error *err)
{
    const char *const values[] = {"forty-two"};
    PQP_AUTO_RESULT res = NULL;

    pqp_status status = pqp_pool_exec_params(
        pool, 5000,
        PQP_QUERY(.sql = "SELECT $1::int", .nparams = 1, .values = values),
        &res, err);
    if (status != PQP_SERVER)
        return status;
    printf("refused: %s %s\n", err->sqlstate,
           PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
    return PQP_OK;
}

int main(int argc, char **argv)
{
    const char *dsn = argc > 1 ? argv[1] : getenv("PQPOOL_DSN");
    pqp_pool *pool = NULL;
    pqp_error err;

    pqp_status status =
        pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = dsn), &err);
    if (status == PQP_OK)
        status = as_text(pool, &err);
    if (status == PQP_OK)
        status = as_binary(pool, &err);
    if (status == PQP_OK)
        status = as_invalid_text(pool, &err);
    if (status != PQP_OK)
        fprintf(stderr, "params: %s\n", err.message);

    pqp_pool_close(&pool, 1000);
    return status == PQP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
