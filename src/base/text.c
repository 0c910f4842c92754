/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *text, char *buffer, size_t size)
{
    *text = (struct text){.at = buffer, .size = size};
    buffer[0] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = text->size - text->used;
    int n = vsnprintf(text->at + text->used, room, format, args);
    va_end(args);
    if (n > 0)
        text->used += (size_t)n < room ? (size_t)n : room - 1;
}
