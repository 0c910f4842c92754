/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Any text as one line of valid UTF-8.  Texts of the server and of libpq may
 * have several lines, control bytes, or another encoding.  No state, no lock.
 */
#include "pg/base/line.h"

#include <assert.h>
#include <string.h>

/* ---- characters ---- */

/* Returns the number of bytes of the UTF-8 character at `p`, or 0 if the bytes
 * are not UTF-8. */
static size_t character_length(const unsigned char *p)
{
    /* Unicode's table of well-formed sequences, without ASCII. */
    static const struct form_of_utf8 {
        unsigned char first, last, length, second_low, second_high;
    } forms[] = {
        {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
        {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F},
        {0xEE, 0xEF, 3, 0x80, 0xBF}, {0xF0, 0xF0, 4, 0x90, 0xBF},
        {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
        {0xFF, 0xFF, 0, 0xFF, 0x00}, /* the end: no byte fits */
    };
    if (p[0] < 0x80)
        return 1;

    const struct form_of_utf8 *form = forms;
    while (p[0] > form->last)
        form++;
    if (p[0] < form->first || p[1] < form->second_low ||
        p[1] > form->second_high)
        return 0;

    for (size_t i = 2; i < form->length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return form->length;
}

static int is_control(const unsigned char *p)
{
    return p[0] < 0x20 || p[0] == 0x7F || (p[0] == 0xC2 && p[1] < 0xA0);
}

/* ---- a line ---- */

static const char dots[] = "...";

/* A text under construction. */
struct line {
    char *at;
    size_t size, used;
    size_t mark; /* the last place behind a whole piece where "..." fits */
    int full;    /* a piece did not fit: no later and shorter one is added */
};

static void line_add(struct line *line, const char *from, size_t length)
{
    assert(line->used < line->size);

    if (line->used + length >= line->size)
        line->full = 1;
    if (line->full)
        return;

    memcpy(line->at + line->used, from, length);
    line->used += length;
    if (line->used + sizeof dots <= line->size)
        line->mark = line->used;
}

static void line_trim(struct line *line)
{
    while (line->used && line->at[line->used - 1] == ' ')
        line->used--;
}

/* Ends the line with a NUL.  A line that was cut ends with "..." if its buffer
 * has room for that at all. */
static void line_end(struct line *line)
{
    int is_marked = line->full && line->size >= sizeof dots;
    if (is_marked)
        line->used = line->mark;

    line_trim(line);
    line->at[line->used] = '\0';
    if (is_marked)
        memcpy(line->at + line->used, dots, sizeof dots);
}

/* Adds the character at `p`, or its replacement.  Returns the number of bytes
 * that it has in the text. */
static size_t line_add_character(struct line *line, const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t length = character_length(u);

    if (!length)
        line_add(line, "?", 1);
    else if (!is_control(u))
        line_add(line, p, length);
    else if (line->used && line->at[line->used - 1] != ' ')
        line_add(line, " ", 1);
    return length ? length : 1;
}

void pqp__line_copy(char *to, size_t size, const char *from,
                    pqp__hidden_fn hidden, const void *arg)
{
    assert(to && size > 0 && from);

    struct line line = {.at = to, .size = size};
    /* Secrets may overlap: each byte that one of them covers is hidden. */
    const char *hidden_end = from;
    for (const char *p = from; *p && !line.full;) {
        size_t length = hidden ? hidden(arg, from, p) : 0;

        if (length && p >= hidden_end)
            line_add(&line, "***", 3);
        if (p + length > hidden_end)
            hidden_end = p + length;
        p += p < hidden_end ? 1 : line_add_character(&line, p);
    }
    line_end(&line);
}
