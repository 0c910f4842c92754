/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Text into a buffer of fixed size: what does not fit is cut off, and the text
 * always ends with a NUL. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

struct text {
    char *at;
    size_t size, used;
};

/* size is not 0. */
void text_init(struct text *text, char *buffer, size_t size);
void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
