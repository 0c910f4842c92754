/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The failure that a call returns to its caller. */
#include "failure.h"

#include "base/text.h"

#include <stdarg.h>

rpool_status rpool__fail(rpool_failure *why, rpool_status status,
                         const char *format, ...)
{
    if (why == NULL)
        return status;

    *why = (rpool_failure){0};
    struct text text;
    text_init(&text, why->message, sizeof why->message);

    va_list args;
    va_start(args, format);
    text_add_list(&text, format, args);
    va_end(args);
    return status;
}
