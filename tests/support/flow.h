/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One direction of a proxied connection.  It reads from one socket, applies the
 * rule to each piece, and writes to the other socket when the piece is due.
 * The proxy's lock protects it.
 */
#ifndef TESTS_SUPPORT_FLOW_H
#define TESTS_SUPPORT_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "framing.h"
#include "rule.h"

enum { FLOW_INPUT = 16384, FLOW_QUEUED = 65536, FLOW_TYPES = 128 };

struct flow {
    struct framing framing;
    struct flow *back; /* the other direction */
    struct place place;
    /* What came from the sender, whether it was passed on or not. */
    uint64_t bytes;
    int messages[FLOW_TYPES]; /* complete messages by type */
    /* Input to which the rule was not applied yet: the rule holds it, or it is
     * too short to know the message. */
    unsigned char *input;
    size_t input_size;
    struct list chunks; /* pieces that will be sent */
    size_t queued;
    int64_t last_due;
    int dropping; /* all input is dropped */
    int at_end;   /* the sender has sent its last byte */
    int closed;   /* the receiver was told of the end */
};

void flow_init(struct flow *flow, struct flow *back, int from_client);
void flow_free(struct flow *flow);
/* Drops what was to be sent to a receiver that has closed. */
void flow_discard(struct flow *flow);

/* Sets the rule for all input to which none was applied yet. */
void flow_set(struct flow *flow, const struct fault_rule *rule);

int flow_wants_input(const struct flow *flow);
/* Returns whether it wants to write at `now`. */
int flow_wants_output(const struct flow *flow, int64_t now);
/* Returns when it wants to write next, or CLOCK_NEVER. */
int64_t flow_due(const struct flow *flow);

/* Reads once.  Returns 0, or the errno of a broken connection. */
int flow_read(struct flow *flow, int from);
/* Passes on, holds or drops the input by the rule. */
void flow_judge(struct flow *flow);
/* Writes what is due, and the end after it.  Returns 0, or an errno. */
int flow_write(struct flow *flow, int to);

/* Returns the action that the whole connection has to take, or FAULT_PASS. */
enum fault_action flow_verdict(const struct flow *flow);

#endif
