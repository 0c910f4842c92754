/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The core's quick paths for the layer above it, within the library: they take
 * and return handles by value, and explain nothing.
 */
#ifndef QUICKPATH_H
#define QUICKPATH_H

#include <pqpool/rpool.h>

/* Lends the item that the calling thread had last, if that was a moment ago,
 * the item is fit and nothing stands in the way.  NULL: rpool_acquire_at() may
 * still lend one, and knows why not.  Thread: any. */
rpool_item *rpool__acquire_own(rpool *pool, const rpool_site *site);

/* As rpool_release.  NULL is a no-op.  Thread: any. */
void rpool__release(rpool_item *item);

#endif
