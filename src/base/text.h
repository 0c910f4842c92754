/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Writes a text into a buffer of fixed size.  A text that does not fit is cut
 * between two UTF-8 characters and ends with "...".  Nothing is added after
 * that.  The text always ends with a NUL. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct text {
    char *at;
    size_t size, used;
    int full; /* the text was cut */
};

/* The size of the buffer is not 0. */
void text_init(struct text *text, char *buffer, size_t size);
void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_add_list(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Adds `piece`.  If it is longer than `most` bytes, it is cut to that length,
 * "..." included, and more text can still be added. */
void text_add_at_most(struct text *text, size_t most, const char *piece);

#endif
