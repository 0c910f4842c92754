/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef BASE_SUPPORT_H
#define BASE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Ends the test as skipped, for a reason that is shown. */
static inline void skip_because(const char *reason)
{
    print_message("SKIP: %s\n", reason);
    skip();
}

#endif
