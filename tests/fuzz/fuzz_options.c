/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Input is "name=value" for pqp_options_set(), and any bytes for a pqp_options.
 */
#include "pg/config/options.h"

#include <string.h>

#include "fuzz.h"

static void set(char *name)
{
    pqp_options options, copy;
    pqp_error err;
    pqp_options_init(&options);
    char *value = strchr(name, '=');
    if (!value)
        return;
    *value++ = '\0';
    pqp_status status = pqp_options_set(&options, name, value, &err);
    CHECK(status == err.status);
    CHECK((status == PQP_OK) == (err.message[0] == '\0'));
    /* A value that was set by name is also valid as a field. */
    CHECK(pqp__options_read(&copy, &options, &err) == PQP_OK);
    CHECK(memcmp(&copy, &options, sizeof(copy)) == 0);
}

static void read_struct(const uint8_t *data, size_t size)
{
    pqp_options options = {.size = 0}, copy;
    pqp_error err;
    memcpy(&options, data, size < sizeof(options) ? size : sizeof(options));
    /* A larger size would cover bytes after the struct. */
    options.size %= sizeof(options) + 1;
    if (pqp__options_read(&copy, &options, &err) != PQP_OK) {
        CHECK(err.message[0]);
        return;
    }
    pqp_options merged = {.size = 0};
    if (pqp__options_merge(&merged, &copy, &err) != PQP_OK)
        return;
    CHECK(merged.min_size <= merged.max_size && merged.max_size <= 10000);
    for (const struct option *o = pqp__options; o->name; o++) {
        int number = pqp__option_get(o, &merged);
        CHECK(o->kind == OPTION_TEXT ||
              (number >= o->min && number <= o->max) ||
              (o->never && number == PQP_NEVER));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    set(text);
    if (size > 0)
        read_struct(data, size);
    free(text);
    return 0;
}
