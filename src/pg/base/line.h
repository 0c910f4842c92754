/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Any text as one line of valid UTF-8, in which secrets can be hidden. */
#ifndef PG_BASE_LINE_H
#define PG_BASE_LINE_H

#include <stddef.h>

/* Returns how many bytes at `p`, inside of the text `from`, have to be hidden;
 * 0 for none. */
typedef size_t (*pqp__hidden_fn)(const void *arg, const char *from,
                                 const char *p);

/* Copies the text `from`, without control bytes and line ends, into `to`, which
 * has `size` bytes, at least 1.  "***" stands for what `hidden` (NULL: nothing)
 * hides, and "?" for each byte that is not UTF-8.  A text that does not fit is
 * cut between two characters and ends with "...". */
void pqp__line_copy(char *to, size_t size, const char *from,
                    pqp__hidden_fn hidden, const void *arg);

#endif
