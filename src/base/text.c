/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char dots[] = "...";

void text_init(struct text *text, char *buffer, size_t size)
{
    assert(size > 0);
    *text = (struct text){.at = buffer, .size = size};
    buffer[0] = '\0';
}

/* Returns the length of the longest prefix of `piece` that has at most `most`
 * bytes and ends between two characters.  `piece` is longer than `most`. */
static size_t boundary(const char *piece, size_t most)
{
    size_t end = most;
    while (end > 0 && ((unsigned char)piece[end] & 0xC0) == 0x80)
        end--;
    return end;
}

/* Ends the text with dots.  The buffer is filled to its last byte. */
static void mark_cut(struct text *text)
{
    text->full = 1;
    text->used = text->size - 1;
    if (text->size < sizeof dots)
        return;

    text->used = boundary(text->at, text->size - sizeof dots);
    (void)memcpy(text->at + text->used, dots, sizeof dots);
    text->used += sizeof dots - 1;
}

void text_add_list(struct text *text, const char *format, va_list args)
{
    if (text->full)
        return;

    size_t room = text->size - text->used;
    int n = vsnprintf(text->at + text->used, room, format, args);
    if (n >= 0 && (size_t)n < room)
        text->used += (size_t)n;
    else if (n >= 0)
        mark_cut(text);
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_add_list(text, format, args);
    va_end(args);
}

void text_add_at_most(struct text *text, size_t most, const char *piece)
{
    size_t length = strlen(piece);
    if (length <= most)
        text_add(text, "%s", piece);
    else if (most >= sizeof dots - 1)
        text_add(text, "%.*s%s", (int)boundary(piece, most - (sizeof dots - 1)),
                 piece, dots);
}
