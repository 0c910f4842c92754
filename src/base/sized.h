/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Structs of the public headers that begin with their size in bytes.  A caller
 * that was compiled with an older header has a smaller struct, one that was
 * compiled with a newer header has a larger one.  These structs have no hidden
 * padding and grow in steps of 8 bytes.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stddef.h>

/*
 * Copies the caller's struct `from` into the `known` bytes at `to`, and sets
 * the fields that the caller does not have to zero.  `first` is the size of
 * the smallest struct that is accepted.  The size in `to` becomes
 * `known`.
 *
 * Returns NULL, or the end of a message that begins with the struct's name: the
 * size is below `first`, above 4096 or no multiple of 8, or a field beyond
 * `known` is not zero, which this library would silently ignore.
 */
const char *sized_read(void *to, size_t known, size_t first, const void *from);

/*
 * Returns whether a struct that the caller wants filled has a size at all: at
 * least that of its first field, and no more than 4096.
 */
int sized_is_writable(const void *to);

/*
 * Copies the `known` bytes at `from` into the caller's struct `to`, but no more
 * than its size, which stays as it is.  Fields that only the caller knows stay
 * as they are too.  `to` is writable.
 */
void sized_write(void *to, const void *from, size_t known);

#endif
