/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Writes docs/options.md from the option table; a test compares the two. */
#include <stdio.h>

#include "pg/config/options.h"

static void print_default(const struct option *option)
{
    int n = option->preset;
    if (option->words)
        printf("%s", option->words[n]);
    else if (n == PQP_NEVER)
        printf("never");
    else
        printf("%d", n);
    if (option->unit && n >= 60000)
        printf(" (%d min)", n / 60000);
    else if (option->unit && n >= 1000)
        printf(" (%d s)", n / 1000);
}

static void print_values(const struct option *option)
{
    if (option->words) {
        for (int i = option->min; i <= option->max; i++)
            printf("%s%s", i == option->min ? "" : ", ", option->words[i]);
        return;
    }
    printf("%d to %d%s", option->min, option->max,
           option->never ? ", never" : "");
}

static void print_row(const struct option *option)
{
    printf("| `%s` | ", option->name);
    if (option->kind == OPTION_TEXT) {
        printf("| text ");
    } else {
        print_default(option);
        printf(" | ");
        print_values(option);
        printf(" ");
    }
    printf("| %s |\n", option->about);
}

int main(void)
{
    puts(
        "<!-- SPDX-FileCopyrightText: 2026 the pqpool authors -->\n"
        "<!-- SPDX-License-Identifier: PostgreSQL -->\n"
        "# Options\n\n"
        "This page is written by `docs/options.c` from the table in\n"
        "`src/pg/config/options.c`.\n\n"
        "Each option can be set in three ways:\n\n"
        "- as a field: `PQP_OPTIONS(.conninfo = dsn, .max_size = 20)`;\n"
        "- by name: `pqp_options_set(&options, \"max_size\", \"20\", &err)`;\n"
        "- in the connection string, with `pool_` before its name:\n"
        "  `postgresql://host/db?pool_max_size=20` or\n"
        "  `host=host pool_max_size=20`. `conninfo` itself cannot be "
        "set there.\n"
        "\n"
        "A field that is not 0 takes precedence over the connection string,\n"
        "and the connection string over the default. A field of 0 means the\n"
        "default; as text, 0 is refused where it would mean the default. No\n"
        "limit is `PQP_NEVER` (-1), as text `never` or `-1`. Numbers are "
        "plain\n"
        "decimal digits; names that end in `_ms` are milliseconds. A number\n"
        "out of range is refused in all three ways. The constants for `reset`\n"
        "are `PQP_RESET_ROLLBACK` and so on.\n\n"
        "| option | default | values | meaning |\n"
        "| --- | --- | --- | --- |");
    for (const struct option *option = pqp__options; option->name; option++)
        print_row(option);
    puts(
        "\n"
        "`on_event` and `arg` exist only as fields: the pool calls `on_event`\n"
        "with `arg` for every event.\n\n"
        "All other keywords of the connection string are libpq's, except that\n"
        "`replication` is refused. The string may have 65535 bytes. Open also\n"
        "refuses an invalid `port`, a `host` with an `@`, a list that does "
        "not\n"
        "have one entry for each host, and values that libpq never accepts,\n"
        "such as `sslmode=on` or a service that does not exist. An error "
        "names\n"
        "the keyword, or the byte where it stands, and never a value.");
    return 0;
}
