/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#include "base/sized.h"

#include <assert.h>
#include <string.h>

/* Bytes.  No struct of any later version is larger, so a larger size was never
 * set by the caller. */
enum { MAX_STRUCT_SIZE = 4096, SIZE_STEP = 8 };

static size_t size_of(const void *sized)
{
    size_t size;
    (void)memcpy(&size, sized, sizeof size);
    return size;
}

static int is_zero(const unsigned char *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (bytes[i] != 0)
            return 0;
    return 1;
}

const char *sized_read(void *to, size_t known, size_t first, const void *from)
{
    assert(first >= sizeof(size_t) && first <= known);
    assert(known % SIZE_STEP == 0 && known <= MAX_STRUCT_SIZE);

    size_t size = size_of(from);
    if (size < first || size > MAX_STRUCT_SIZE || size % SIZE_STEP != 0)
        return "has an invalid size: set it to sizeof, or use the struct's "
               "macro";
    if (!is_zero(from, known, size))
        return "has a field set that this version of the library does not "
               "know";

    (void)memset(to, 0, known);
    (void)memcpy(to, from, size < known ? size : known);
    (void)memcpy(to, &known, sizeof known);
    return NULL;
}

int sized_is_writable(const void *to)
{
    size_t size = size_of(to);
    return size >= sizeof size && size <= MAX_STRUCT_SIZE;
}

void sized_write(void *to, const void *from, size_t known)
{
    assert(sized_is_writable(to));

    size_t size = size_of(to);
    (void)memcpy(to, from, size < known ? size : known);
    (void)memcpy(to, &size, sizeof size);
}
