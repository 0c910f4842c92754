/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Helpers of the unit tests of the PostgreSQL layer: cmocka and its headers,
 * and random numbers that are the same in every run. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "harness.h"

#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Returns 0 to n - 1; *seed is not 0. */
static inline size_t random_of(uint64_t *seed, size_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (size_t)(*seed >> 11) % n;
}

/* Fails the test if `text` contains four consecutive bytes of `secret`. */
static inline void assert_hides(const char *text, const char *secret)
{
    for (size_t i = 0; i + 4 <= strlen(secret); i++) {
        char piece[5] = "";
        memcpy(piece, secret + i, 4);
        if (strstr(text, piece))
            fail_msg("\"%s\" shows \"%s\"", text, piece);
    }
}

#endif
