/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reads and checks a pqp_query of the caller.  No state, no lock.
 */
#include "pg/query/query.h"

#include <assert.h>
#include <string.h>

#include "base/sized.h"
#include "pg/base/error.h"

enum {
    MAX_PARAMS = 65535, /* the protocol's limit */
    /* The largest length word that the server accepts (its
     * PQ_LARGE_MESSAGE_LIMIT).  It ends the session after a larger one. */
    MAX_MESSAGE = 0x3FFFFFFE,
    /* libpq's output buffer, whose size is an int in steps of 8 kB, less the
     * message types of Parse and Bind, and less Describe, Execute and Sync. */
    MAX_MESSAGES = 0x7FFFE000 - 24
};

/* ---- arguments ---- */

static int is_binary(const pqp_query *query, int i)
{
    assert(i >= 0 && i < query->nparams);

    return query->values[i] != NULL && query->formats != NULL &&
           query->formats[i] != 0;
}

static pqp_status check_arguments(const pqp_query *query, pqp_error *err)
{
    if (query->sql == NULL)
        return pqp__fail(err, PQP_INVALID, "sql is NULL");
    if (query->nparams < 0 || query->nparams > MAX_PARAMS)
        return pqp__fail(err, PQP_INVALID, "nparams must be from 0 to %d",
                         MAX_PARAMS);
    if (query->nparams > 0 && query->values == NULL)
        return pqp__fail(err, PQP_INVALID, "values is NULL");

    for (int i = 0; i < query->nparams; i++) {
        if (is_binary(query, i) && query->lengths == NULL)
            return pqp__fail(err, PQP_INVALID,
                             "lengths is NULL with a binary parameter");
        if (is_binary(query, i) && query->lengths[i] < 0)
            return pqp__fail(err, PQP_INVALID,
                             "the length of parameter $%d is negative", i + 1);
    }
    return PQP_OK;
}

/* ---- sizes ---- */

/* Returns the bytes of the Query message (simple), or of the Parse message: the
 * length word, the text, and for Parse its names, counts and types. */
static size_t sql_size(const pqp_query *query, int simple)
{
    assert(query->sql);

    size_t size = 4 + strnlen(query->sql, MAX_MESSAGE) + 1;
    if (!simple)
        size += 3 + (query->types != NULL ? 4 * (size_t)query->nparams : 0);
    return size;
}

static size_t value_size(const pqp_query *query, int i)
{
    assert(i >= 0 && i < query->nparams);

    if (is_binary(query, i))
        return (size_t)query->lengths[i];
    return query->values[i] != NULL ? strnlen(query->values[i], MAX_MESSAGE)
                                    : 0;
}

/* The server ends the session after a message that is too long.  So such a
 * message is refused before a byte of it is sent. */
static pqp_status check_sizes(const pqp_query *query, int simple,
                              pqp_error *err)
{
    size_t sql = sql_size(query, simple), bind = 14;
    if (sql > MAX_MESSAGE)
        return pqp__fail(err, PQP_INVALID,
                         "sql is too long: no message to the server may have "
                         "more than %d bytes",
                         MAX_MESSAGE);

    for (int i = 0; i < query->nparams; i++) {
        bind += (query->formats != NULL ? 6 : 4) + value_size(query, i);
        if (bind > MAX_MESSAGE)
            return pqp__fail(
                err, PQP_INVALID,
                "the parameters up to $%d are too long: no message "
                "to the server may have more than %d bytes",
                i + 1, MAX_MESSAGE);
    }

    if (sql + bind > MAX_MESSAGES)
        return pqp__fail(err, PQP_INVALID,
                         "sql and parameters are too long together: libpq "
                         "holds %d bytes",
                         MAX_MESSAGES);
    return PQP_OK;
}

pqp_status pqp__query_check(const pqp_query *query, int simple, pqp_error *err)
{
    pqp_status status = check_arguments(query, err);
    return status == PQP_OK ? check_sizes(query, simple, err) : status;
}

pqp_status pqp__query_read(pqp_query *to, const pqp_query *from, pqp_error *err)
{
    *to = (pqp_query){.size = sizeof *to};
    if (from == NULL)
        return pqp__fail(err, PQP_INVALID, "query is NULL");

    const char *bad =
        sized_read(to, sizeof *to, offsetof(pqp_query, timeout_ms), from);
    if (bad != NULL)
        return pqp__fail(err, PQP_INVALID, "pqp_query %s", bad);
    return pqp__query_check(to, 0, err);
}
