/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The conversation of the hostile server with one client: what a good server
 * sends, and at each point the deed of the plan. */
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include "hostile.h"

struct talk {
    struct peer peer;
    struct hostile_plan plan;
    int visits[HOSTILE_POINTS]; /* visits of this client to each point */
    char status;                /* 'I' or 'T', for ReadyForQuery */
    char sql[256];              /* the beginning of the statement of a Parse */
    /* Called at each point, with whether a deed is due there.  Returns not 0 if
     * the deed is to be done. */
    int (*visit)(void *arg, enum hostile_point point, int is_due);
    void *arg;
};

/* Returns when the conversation is over. */
void talk(struct talk *talk);

#endif
