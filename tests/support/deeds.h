/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the hostile server can do to a client at any point of a conversation.
 * Returns 1 if the conversation then goes on normally, 0 if it is over.
 */
#ifndef TESTS_SUPPORT_DEEDS_H
#define TESTS_SUPPORT_DEEDS_H

#include "peer.h"

typedef int (*hostile_deed)(struct peer *peer, int64_t arg);

/* Sends nothing more, but reads everything, until the client leaves. */
int deed_silence(struct peer *peer, int64_t arg);
/* Sends nothing and reads nothing, so that the client blocks when it sends. */
int deed_deaf(struct peer *peer, int64_t arg);
/* Waits `arg` milliseconds, then goes on. */
int deed_late(struct peer *peer, int64_t arg);
/* Closes the connection with FIN or with RST. */
int deed_fin(struct peer *peer, int64_t arg);
int deed_rst(struct peer *peer, int64_t arg);
/* From now on sends one byte each `arg` milliseconds, and goes on. */
int deed_drip(struct peer *peer, int64_t arg);

/* Sends the head of a message, 64 zeroes, and then nothing.  The type of the
 * message is the low byte of `arg >> 32`, its length word the low 32 bits. */
int deed_length(struct peer *peer, int64_t arg);
#define DEED_LENGTH(type, length)                                              \
    ((int64_t)(type) << 32 | (int64_t)(uint32_t)(length))
/* Sends a valid message of the type `arg` without a body, and goes on. */
int deed_message(struct peer *peer, int64_t arg);
/* Sends text that is no protocol, and then nothing. */
int deed_garbage(struct peer *peer, int64_t arg);

/* Sends an ErrorResponse of severity FATAL (arg 0) or ERROR (arg 1) without an
 * SQLSTATE.  After FATAL the server closes, after ERROR it sends ReadyForQuery.
 */
int deed_error_without_code(struct peer *peer, int64_t arg);
/* Sends FATAL with a SQLSTATE of five characters, and closes: .arg =
 * DEED_CODE("57P03"). */
int deed_fatal(struct peer *peer, int64_t arg);
#define DEED_CODE(text)                                                        \
    ((int64_t)(text)[0] << 32 | (int64_t)(text)[1] << 24 |                     \
     (int64_t)(text)[2] << 16 | (int64_t)(text)[3] << 8 | (int64_t)(text)[4])

/* Send `arg` messages, or endless ones if it is 0.  The server's own answer
 * follows, so that a client gets more answers than it asked for: */
int deed_results(struct peer *peer, int64_t arg); /* results of one row */
int deed_rows(struct peer *peer, int64_t arg);    /* rows of one result */
int deed_big_row(struct peer *peer, int64_t arg); /* one row of so many MiB */
int deed_errors(struct peer *peer, int64_t arg);
int deed_notices(struct peer *peer, int64_t arg);
int deed_notifications(struct peer *peer, int64_t arg);
int deed_parameters(struct peer *peer, int64_t arg); /* each with a new name */

#endif
