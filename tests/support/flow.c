/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One direction of a proxied connection; see flow.h. */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/random.h"

struct chunk {
    struct list link;
    int64_t due;
    size_t size, sent;
    unsigned char bytes[];
};

void flow_init(struct flow *flow, struct flow *back, int from_client)
{
    *flow = (struct flow){.back = back, .input = malloc(FLOW_INPUT)};
    if (!flow->input)
        abort();
    framing_init(&flow->framing, from_client);
    list_init(&flow->chunks);
}

static struct chunk *first_chunk(const struct flow *flow)
{
    return container_of(flow->chunks.next, struct chunk, link);
}

void flow_discard(struct flow *flow)
{
    while (!list_empty(&flow->chunks))
        free(container_of(list_pop_front(&flow->chunks), struct chunk, link));
    flow->queued = 0;
}

void flow_free(struct flow *flow)
{
    flow_discard(flow);
    free(flow->input);
    flow->input = NULL;
    flow->input_size = 0;
}

void flow_set(struct flow *flow, const struct fault_rule *rule)
{
    flow->dropping = 0;
    place_set(&flow->place, rule);
}

/* ---- wanted events ---- */

static int is_held(const struct flow *flow)
{
    return flow->place.reached && flow->place.rule.action == FAULT_HOLD;
}

int flow_wants_input(const struct flow *flow)
{
    return !flow->at_end && !is_held(flow) && flow->queued < FLOW_QUEUED &&
           flow->input_size < FLOW_INPUT;
}

int64_t flow_due(const struct flow *flow)
{
    return list_empty(&flow->chunks) ? CLOCK_NEVER : first_chunk(flow)->due;
}

int flow_wants_output(const struct flow *flow, int64_t now)
{
    return flow_due(flow) <= now;
}

enum fault_action flow_verdict(const struct flow *flow)
{
    enum fault_action action = flow->place.rule.action;
    int is_cut = flow->place.reached && action >= FAULT_FIN;
    return is_cut && list_empty(&flow->chunks) ? action : FAULT_PASS;
}

/* ---- reading ---- */

int flow_read(struct flow *flow, int from)
{
    ssize_t n = recv(from, flow->input + flow->input_size,
                     FLOW_INPUT - flow->input_size, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    flow->at_end = n == 0;
    flow->input_size += (size_t)n;
    flow->bytes += (uint64_t)n;
    return 0;
}

/* ---- judging ---- */

static int64_t due_time(struct flow *flow)
{
    const struct fault_rule *rule = &flow->place.rule;
    int64_t jitter = (int64_t)random_below((uint64_t)rule->jitter_ms + 1);
    int64_t due = clock_after(clock_now(), rule->delay_ms + jitter);
    int64_t after_last = clock_after(flow->last_due, rule->gap_ms);
    flow->last_due = due > after_last ? due : after_last;
    return flow->last_due;
}

static void push_chunk(struct flow *flow, const unsigned char *bytes,
                       size_t size)
{
    struct chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        abort();
    *chunk = (struct chunk){.due = due_time(flow), .size = size};
    memcpy(chunk->bytes, bytes, size);
    list_push_back(&flow->chunks, &chunk->link);
    flow->queued += size;
}

static void pass_on(struct flow *flow, const unsigned char *bytes, size_t size)
{
    size_t most = flow->place.rule.chunk ? flow->place.rule.chunk : size;
    while (size > 0) {
        size_t part = size < most ? size : most;
        push_chunk(flow, bytes, part);
        bytes += part;
        size -= part;
    }
}

static void count_message(struct flow *flow, const struct piece *piece)
{
    if (piece->ends && piece->type < FLOW_TYPES)
        flow->messages[piece->type]++;
}

/* Applies the rule to the first piece of the input.  Returns how many bytes it
 * used, or 0 if the rest has to stay. */
static size_t judge_piece(struct flow *flow, const unsigned char *bytes,
                          size_t size)
{
    struct piece piece = framing_peek(&flow->framing, bytes, size, size);
    if (is_held(flow) || piece.size == 0)
        return 0;
    int dropped = flow->dropping || flow->place.reached;

    size_t use = dropped ? piece.size : place_pass(&flow->place, &piece);
    if (use == 0)
        return flow->place.reached && !is_held(flow)
                   ? judge_piece(flow, bytes, size)
                   : 0;
    piece =
        framing_take(&flow->framing, &flow->back->framing, bytes, size, use);
    count_message(flow, &piece);
    if (!dropped)
        pass_on(flow, bytes, use);
    return use;
}

void flow_judge(struct flow *flow)
{
    size_t used = 0, step = 1;
    if (flow->at_end && !flow->framing.typed)
        flow->framing.opaque = 1; /* more bytes will not tell the type */
    while (step > 0 && used < flow->input_size) {
        step = judge_piece(flow, flow->input + used, flow->input_size - used);
        used += step;
    }
    flow->input_size -= used;
    memmove(flow->input, flow->input + used, flow->input_size);
}

/* ---- writing ---- */

/* Returns not 0 if the whole chunk was sent. */
static int send_chunk(struct chunk *chunk, int to)
{
    ssize_t n = send(to, chunk->bytes + chunk->sent, chunk->size - chunk->sent,
                     MSG_NOSIGNAL);
    chunk->sent += n > 0 ? (size_t)n : 0;
    return chunk->sent == chunk->size;
}

int flow_write(struct flow *flow, int to)
{
    errno = 0;
    while (flow_wants_output(flow, clock_now())) {
        struct chunk *chunk = first_chunk(flow);
        if (!send_chunk(chunk, to))
            return errno == EAGAIN || errno == EINTR ? 0 : errno;
        list_remove(&chunk->link);
        flow->queued -= chunk->size;
        free(chunk);
    }

    int all_sent = list_empty(&flow->chunks) && flow->input_size == 0;
    if (flow->at_end && all_sent && !flow->closed && !flow->dropping &&
        !flow->place.reached) {
        flow->closed = 1;
        (void)shutdown(to, SHUT_WR);
    }
    return 0;
}
