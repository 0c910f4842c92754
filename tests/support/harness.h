/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* cmocka with the headers that it needs, and skipping with a reason. */
#ifndef TESTS_SUPPORT_HARNESS_H
#define TESTS_SUPPORT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Ends the test as skipped and prints the reason. */
static inline void skip_because(const char *reason)
{
    print_message("SKIP: %s\n", reason);
    skip();
}

#endif
