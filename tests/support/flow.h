/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One direction of a proxied connection: reads from one socket, judges each
 * piece by the rule, and writes to the other socket when it is due.  The
 * proxy's lock protects it.
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
    /* What has come from the sender, whether it was passed on or not. */
    uint64_t bytes;
    int messages[FLOW_TYPES]; /* complete ones by type */
    /* Read and not judged: because the rule holds it, or because it is too
     * little to know the message. */
    unsigned char *input;
    size_t input_size;
    struct list chunks; /* judged, on their way */
    size_t queued;
    int64_t last_due;
    int dropping; /* all that comes is swallowed */
    int at_end;   /* the sender has sent its last byte */
    int closed;   /* and the receiver knows that */
};

void flow_init(struct flow *flow, struct flow *back, int from_client);
void flow_free(struct flow *flow);
/* Drops what is on its way to a receiver that has left. */
void flow_discard(struct flow *flow);

/* The rule holds for all that is not judged yet. */
void flow_set(struct flow *flow, const struct fault_rule *rule);

int flow_wants_input(const struct flow *flow);
/* Whether it wants to write at `now`. */
int flow_wants_output(const struct flow *flow, int64_t now);
/* When it wants to write next; CLOCK_NEVER if nothing is on its way. */
int64_t flow_due(const struct flow *flow);

/* Reads once.  0, or the errno of a connection that is broken. */
int flow_read(struct flow *flow, int from);
/* Passes on, keeps or drops what was read. */
void flow_judge(struct flow *flow);
/* Writes what is due, and at last the end.  0, or an errno. */
int flow_write(struct flow *flow, int to);

/* The action that the whole connection has to take now; else FAULT_PASS. */
enum fault_action flow_verdict(const struct flow *flow);

#endif
