/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The interface of a fuzz target: it takes any bytes, and aborts if a check
 * fails. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(fact)                                                            \
    ((fact) ? (void)0                                                          \
            : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #fact),      \
               abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
