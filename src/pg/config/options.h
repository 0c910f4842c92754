/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table of the options.  One row has all of one option, and drives its
 * check, its default, its setting from text and its row in docs/options.md.
 */
#ifndef PG_CONFIG_OPTIONS_H
#define PG_CONFIG_OPTIONS_H

#include <pqpool/pqpool.h>

struct option {
    const char *name; /* of the field; pool_ and this in a connection string */
    size_t offset;    /* of the field in pqp_options */
    enum { OPTION_TEXT, OPTION_NUMBER, OPTION_WORD } kind;
    int min, max; /* the range; a field of 0 means the default, and is
                     a value only if min is 0 */
    int preset;   /* the default */
    int never;    /* 1: PQP_NEVER is a value too */
    const char *const *words; /* OPTION_WORD: the texts of 0 to max */
    const char *unit;         /* "ms", or NULL */
    const char *about;        /* its meaning, for docs/options.md */
};

/* All options; a row without a name ends the table. */
extern const struct option pqp__options[];

/* Returns the option with this name, or NULL. */
const struct option *pqp__option_find(const char *name);

/* Returns the number of the field; 0 for an option that is text. */
int pqp__option_get(const struct option *option, const pqp_options *options);

/* Sets the field from text.  *options keeps the pointer if the option is text.
 * Errors name the option with `prefix` before it, and never the value. */
pqp_status pqp__option_set(const struct option *option, pqp_options *options,
                           const char *prefix, const char *value,
                           pqp_error *err);

/* Copies the caller's struct, which may have another size, and checks each
 * field. */
pqp_status pqp__options_read(pqp_options *to, const pqp_options *from,
                             pqp_error *err);

/* Makes the options of a connection string the effective ones.  A field of
 * `given`, the caller's, counts before them if it is not 0, and defaults fill
 * the rest.  Checks the options against each other. */
pqp_status pqp__options_merge(pqp_options *options, const pqp_options *given,
                              pqp_error *err);

#endif
