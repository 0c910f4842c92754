/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Times in buckets, 32 to each power of two: 3 % wide. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_FINE = 5, HISTOGRAM_BUCKETS = 64 << HISTOGRAM_FINE };

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *h, int64_t ns)
{
    uint64_t v = (uint64_t)ns | 1 << HISTOGRAM_FINE;
    int shift = 63 - HISTOGRAM_FINE - __builtin_clzll(v);
    h->count[((uint64_t)shift << HISTOGRAM_FINE) + (v >> shift)]++;
}

static inline void histogram_merge(struct histogram *into,
                                   const struct histogram *from)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->count[i] += from->count[i];
}

/* The time in ns that a share of all is not above. */
static inline double histogram_quantile(const struct histogram *h, double share)
{
    uint64_t all = 0, seen = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        all += h->count[i];
    int i = 0;
    while (i < HISTOGRAM_BUCKETS - 1 &&
           (double)(seen += h->count[i]) < share * (double)all)
        i++;
    int shift = (i >> HISTOGRAM_FINE) - 1;
    uint64_t fine = (uint64_t)i - ((uint64_t)shift << HISTOGRAM_FINE);
    return shift < 0 ? (double)i : (double)(fine << shift);
}

#endif
