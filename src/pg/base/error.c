/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Fills in a pqp_error.  Every message becomes one line of valid UTF-8.  No
 * state, no lock.
 */
#include "pg/base/error.h"

#include <assert.h>
#include <stdarg.h>

#include "base/text.h"
#include "pg/base/line.h"

static_assert(sizeof(pqp_error) == 512, "pqp_error is part of the ABI");

pqp_status pqp__fail(pqp_error *err, pqp_status status, const char *format, ...)
{
    if (!err)
        return status;

    /* An argument may be err->message, so that the text needs a buffer of its
     * own. It may be longer than the message, which becomes shorter as one
     * line. */
    char buffer[2 * sizeof(err->message)];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));
    va_list args;
    va_start(args, format);
    text_add_list(&text, format, args);
    va_end(args);

    pqp__error_clear(err);
    err->status = status;
    pqp__line_copy(err->message, sizeof(err->message), buffer, NULL, NULL);
    return status;
}

pqp_status pqp__fail_named(pqp_error *err, const char *what, const char *name)
{
    assert(what && name);

    char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "%s", name);
    return pqp__fail(err, PQP_INVALID, "%s \"%s\"", what, buffer);
}
