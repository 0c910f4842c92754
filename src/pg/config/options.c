/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table of a pool's options, and all functions that work with it.  To add
 * an option, add its row here and its field in pqpool.h.  No state, no lock.
 */
#include "pg/config/options.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "base/sized.h"
#include "base/text.h"
#include "pg/base/error.h"

static_assert(sizeof(pqp_options) % 8 == 0, "it grows in steps of 8 bytes");

static const char *const reset_words[] = {"rollback", "discard_all", "close"};

#define FIELD(field)       .name = #field, .offset = offsetof(pqp_options, field)
#define NUMBER(field, ...) FIELD(field), .kind = OPTION_NUMBER, __VA_ARGS__
#define TIME(field, ...)                                                       \
    NUMBER(field, .unit = "ms", .min = 1, .max = INT_MAX, __VA_ARGS__)

const struct option pqp__options[] = {
    {FIELD(conninfo), .kind = OPTION_TEXT,
     .about = "The connection string: libpq's keywords or URI. Each of these "
              "options may stand in it as a `pool_` keyword. Settings that it "
              "does not have come from the environment and the service file, "
              "as in `PQconnectdb`."},
    {FIELD(name), .kind = OPTION_TEXT,
     .about = "The pool's name in events, messages and thread names; "
              "`pqpool` if none is given."},
    {NUMBER(max_size, .min = 1, .max = 10000, .preset = 10),
     .about = "The limit of connections, with those that are being made or "
              "closed."},
    {NUMBER(min_size, .min = 0, .max = 10000, .preset = 0),
     .about = "The number of connections that are kept open; at most "
              "`max_size`."},
    {NUMBER(max_waiters, .min = 1, .max = INT_MAX, .preset = PQP_NEVER,
            .never = 1),
     .about = "The limit of waiting acquires; a further one returns "
              "`PQP_BUSY` at once."},
    {TIME(connect_timeout_ms, .preset = 5000, .never = 1),
     .about = "The time for one address of a connect; after it the next "
              "address is tried. If it is not set, a `connect_timeout` "
              "(seconds) of the connection string, the environment or the "
              "service file counts. Cut down to `create_timeout_ms`."},
    {NUMBER(connect_concurrency, .min = 1, .max = 64, .preset = 2),
     .about = "Connects that run at the same time, each on a thread of the "
              "pool."},
    {TIME(create_timeout_ms, .preset = 30000, .never = 1),
     .about = "The time for one connection, all its addresses together. A "
              "connect that lasts a second longer is reported (DEGRADED) and "
              "does not delay others."},
    {TIME(connect_retry_max_ms, .preset = 1000),
     .about = "The longest back-off between attempts while the server is "
              "away. Back-offs have jitter and double from 100 ms. While a "
              "caller waits, a back-off is at most a quarter of this, and 200 "
              "ms after a permanent failure."},
    {TIME(idle_timeout_ms, .preset = 600000, .never = 1),
     .about = "A connection above `min_size` that was unused for that long is "
              "closed. Cut down to `max_lifetime_ms`."},
    {TIME(max_lifetime_ms, .preset = 1800000, .never = 1),
     .about = "A connection that is older, less up to a quarter at random, is "
              "replaced when it is not leased."},
    {NUMBER(max_uses, .min = 1, .max = INT_MAX, .preset = PQP_NEVER,
            .never = 1),
     .about = "After that many leases a connection is replaced."},
    {TIME(ping_after_ms, .preset = 500, .never = 1),
     .about = "A connection that was idle for that long is pinged before it "
              "is leased. A ping that was made for `pqp_try_acquire` counts "
              "for the next lease, however late it comes."},
    {TIME(ping_timeout_ms, .preset = 1000),
     .about = "A connection is closed if the answer to a ping, to the reset "
              "of its session, or to BEGIN of `pqp_transact` takes longer."},
    {TIME(keepalive_ms, .preset = PQP_NEVER, .never = 1),
     .about = "Idle connections are pinged in the background at this "
              "interval."},
    {TIME(leak_after_ms, .preset = PQP_NEVER, .never = 1),
     .about = "An event reports a lease that lasts longer, with the line that "
              "acquired it."},
    {NUMBER(ping_always, .min = 0, .max = 1, .preset = 0),
     .about = "1: every connection is pinged before it is leased."},
    {FIELD(reset), .kind = OPTION_WORD, .max = PQP_RESET_CLOSE,
     .words = reset_words,
     .about = "The effect of a release on the session: `rollback` ends an "
              "open transaction, `discard_all` also sends `DISCARD ALL` every "
              "time, `close` closes the connection."},
    {.name = NULL},
};

const struct option *pqp__option_find(const char *name)
{
    const struct option *option = pqp__options;
    while (option->name && strcmp(option->name, name) != 0)
        option++;
    return option->name ? option : NULL;
}

int pqp__option_get(const struct option *option, const pqp_options *options)
{
    assert(option->offset < sizeof(*options));

    int number = 0;
    if (option->kind != OPTION_TEXT)
        memcpy(&number, (const char *)options + option->offset, sizeof(number));
    return number;
}

static void put_number(const struct option *option, pqp_options *options,
                       int number)
{
    assert(option->kind != OPTION_TEXT);
    memcpy((char *)options + option->offset, &number, sizeof(number));
}

static int in_range(const struct option *option, int number)
{
    assert(option->min <= option->max);

    return (number >= option->min && number <= option->max) ||
           (number == PQP_NEVER && option->never);
}

/* Returns INVALID, with the values that are right.  `zero`: the value was 0. */
static pqp_status fail_range(const struct option *option, const char *prefix,
                             int zero, pqp_error *err)
{
    assert(option->kind != OPTION_TEXT);

    char buffer[160];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));

    if (option->words) {
        text_add(&text, "one of ");
        for (int i = option->min; i <= option->max; i++)
            text_add(&text, "%s%s", i == option->min ? "" : ", ",
                     option->words[i]);
    } else {
        text_add(&text, "a number from %d to %d", option->min, option->max);
        if (option->never)
            text_add(&text, ", or never (-1)");
        if (zero)
            text_add(&text, "; 0 would mean the default");
    }

    return pqp__fail(err, PQP_INVALID, "%s%s must be %s", prefix, option->name,
                     buffer);
}

/* Reads digits only, in any locale.  Returns 0, or -1 if the text is not a
 * number from 0 to INT_MAX. */
static int parse_number(const char *text, int *number)
{
    int64_t sum = 0;
    if (!*text)
        return -1;

    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        sum = sum * 10 + (*text - '0');
        if (sum > INT_MAX)
            return -1;
    }
    *number = (int)sum;
    return 0;
}

static int parse_value(const struct option *option, const char *text,
                       int *number)
{
    assert(option->kind != OPTION_TEXT);

    if (option->words) {
        for (*number = 0; *number <= option->max; ++*number) {
            if (strcmp(text, option->words[*number]) == 0)
                return 0;
        }
        return -1;
    }

    if (strcmp(text, "never") == 0 || strcmp(text, "-1") == 0) {
        *number = PQP_NEVER;
        return 0;
    }
    return parse_number(text, number);
}

pqp_status pqp__option_set(const struct option *option, pqp_options *options,
                           const char *prefix, const char *value,
                           pqp_error *err)
{
    assert(prefix && value);

    if (option->kind == OPTION_TEXT) {
        memcpy((char *)options + option->offset, &value, sizeof(value));
        return PQP_OK;
    }

    int number = -1;
    int bad = parse_value(option, value, &number);
    if (bad || !in_range(option, number))
        return fail_range(option, prefix, !bad && number == 0, err);
    put_number(option, options, number);
    return PQP_OK;
}

pqp_status pqp__options_read(pqp_options *to, const pqp_options *from,
                             pqp_error *err)
{
    const char *bad =
        sized_read(to, sizeof(*to), offsetof(pqp_options, max_size), from);
    if (bad)
        return pqp__fail(err, PQP_INVALID, "pqp_options %s", bad);

    for (const struct option *o = pqp__options; o->name; o++) {
        int number = pqp__option_get(o, to);
        if (number != 0 && !in_range(o, number))
            return fail_range(o, "", 0, err);
    }
    return PQP_OK;
}

/* Cuts the time down to `limit`: the longer one would never be reached. */
static int clamp_time(int time, int limit)
{
    return limit != PQP_NEVER && time > limit ? limit : time;
}

pqp_status pqp__options_merge(pqp_options *options, const pqp_options *given,
                              pqp_error *err)
{
    for (const struct option *o = pqp__options; o->name; o++) {
        int number = pqp__option_get(o, given);
        if (number == 0)
            number = pqp__option_get(o, options);
        if (o->kind != OPTION_TEXT)
            put_number(o, options, number == 0 ? o->preset : number);
    }

    options->on_event = given->on_event;
    options->arg = given->arg;

    options->idle_timeout_ms =
        clamp_time(options->idle_timeout_ms, options->max_lifetime_ms);
    options->connect_timeout_ms =
        clamp_time(options->connect_timeout_ms, options->create_timeout_ms);

    if (options->min_size > options->max_size)
        return pqp__fail(err, PQP_INVALID, "min_size is above max_size");
    return PQP_OK;
}

void pqp_options_init(pqp_options *options)
{
    /* A version with a longer struct gives this symbol a new version, so that
     * an older caller, whose struct is shorter, is not written beyond its end.
     */
    if (options)
        *options = (pqp_options){.size = sizeof(*options)};
}

pqp_status pqp_options_set(pqp_options *options, const char *name,
                           const char *value, pqp_error *err)
{
    if (!options || !name || !value)
        return pqp__fail(err, PQP_INVALID, "options, name or value is NULL");
    const struct option *option = pqp__option_find(name);

    /* The struct of an older caller ends before the newer fields. */
    if (!option || option->offset >= options->size)
        return pqp__fail_named(err, "unknown option", name);

    pqp_status status = pqp__option_set(option, options, "", value, err);
    if (status == PQP_OK)
        pqp__error_clear(err);
    return status;
}
