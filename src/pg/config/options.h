/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table behind the options: one row says all of one option, and drives its
 * check, its default, its setting from text and its row in docs/options.md.
 */
#ifndef PG_CONFIG_OPTIONS_H
#define PG_CONFIG_OPTIONS_H

#include <pqpool/pqpool.h>

struct option {
    const char *name; /* of the field; pool_ and this in a connection string */
    size_t offset;    /* in pqp_options */
    enum { OPTION_TEXT, OPTION_NUMBER, OPTION_WORD } kind;
    int min, max;             /* however it is set; a field of 0 is no value
                                 but the default, unless min is 0 */
    int preset;               /* the default */
    int never;                /* not 0: PQP_NEVER is a value */
    const char *const *words; /* OPTION_WORD: the texts of 0 to max */
    const char *unit;         /* "ms", or NULL */
    const char *about;        /* for the reader of the docs */
};

/* Ends with a NULL name. */
extern const struct option pqp__options[];

/* NULL: no such option. */
const struct option *pqp__option_find(const char *name);

/* 0 for an option that is text. */
int pqp__option_get(const struct option *option, const pqp_options *options);

/* From text; *options keeps the pointer if the option is text.  Errors name
 * the option with `prefix` before it, and never the value. */
pqp_status pqp__option_set(const struct option *option, pqp_options *options,
                           const char *prefix, const char *value,
                           pqp_error *err);

/* Copies a caller's struct, of whatever size it has, and checks each field. */
pqp_status pqp__options_read(pqp_options *to, const pqp_options *from,
                             pqp_error *err);

/* Makes `options`, of a connection string, the effective ones: `given`, of the
 * caller, beats them where it is not 0, defaults fill the rest.  Checks them
 * against each other. */
pqp_status pqp__options_merge(pqp_options *options, const pqp_options *given,
                              pqp_error *err);

#endif
