/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the fault proxy does to one direction of a connection, and where: a
 * rule is an action and a place.  Until the place all bytes pass.
 *
 * Examples, each a `struct fault_rule`:
 *   {.action = FAULT_RST, .offset = 100}       reset after 100 bytes
 *   {.action = FAULT_HOLD, .message = 'Z'}     hold before ReadyForQuery
 *   {.action = FAULT_FIN, .message = 'D', .nth = 3, .offset = 7}
 *                                      close inside of the third DataRow
 *   {.action = FAULT_SILENCE, .message = 'C', .offset = FAULT_END}
 *                                      nothing more after CommandComplete
 *   {.delay_ms = 20, .jitter_ms = 10}          20 to 30 ms late
 *   {.chunk = 1, .gap_ms = 1}                  one byte each millisecond
 */
#ifndef TESTS_SUPPORT_RULE_H
#define TESTS_SUPPORT_RULE_H

#include <stddef.h>
#include <stdint.h>

#include "framing.h"

enum fault_action {
    FAULT_PASS,
    /* Actions on this direction: */
    FAULT_HOLD,    /* stop reading, so that the sender blocks in the end */
    FAULT_SWALLOW, /* read and drop */
    /* Actions on the connection, once the bytes before the place were
     * delivered: */
    FAULT_FIN,
    FAULT_RST,
    FAULT_SILENCE /* drop everything in both directions; neither peer is told */
};

#define FAULT_END (-1)

/* The place counts from the moment in which the rule is set.  It is reached at
 * once if `message` and `offset` are 0. */
struct fault_rule {
    enum fault_action action;
    int message;    /* a type (framing.h); 0: the place is a byte count */
    int nth;        /* the nth of these messages; 0 and 1: the first */
    int64_t offset; /* bytes of the message with its header, or of the
                     * direction; FAULT_END or too many: after the last byte */
    /* How all bytes pass, also before the place: */
    int delay_ms, jitter_ms; /* delayed by delay_ms to delay_ms + jitter_ms */
    size_t chunk;            /* at most this many bytes at once; 0: no limit */
    int gap_ms;              /* pause between two chunks */
};

/* How far a direction has come to the place of its rule. */
struct place {
    struct fault_rule rule;
    uint64_t passed; /* bytes since the rule was set */
    int seen;        /* messages of the type since then */
    int reached;
};

void place_set(struct place *place, const struct fault_rule *rule);

/* Returns how many bytes of this piece come before the place, and sets
 * `reached` if the place follows them.  Called for each piece until then. */
size_t place_pass(struct place *place, const struct piece *piece);

#endif
