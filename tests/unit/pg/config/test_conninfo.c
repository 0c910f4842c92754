/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The scanner of connection strings, compared with tables and with libpq. */
#include "pg/base/error.h"
#include "pg/base/openssl.h"
#include "pg/config/conninfo.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "support.h"

/* ---- output of the scanner ---- */

struct taken {
    struct text text;
    char buffer[1024];
    int refuse_after; /* it refuses after this many keywords */
};

static int take(void *arg, const char *keyword, const char *value,
                pqp_error *err)
{
    struct taken *taken = arg;
    if (taken->refuse_after-- == 0) {
        pqp__fail(err, PQP_BUSY, "refused");
        return 1;
    }
    text_add(&taken->text, "%s=[%s];", keyword, value);
    return 0;
}

static char *split(const char *conninfo, struct taken *taken, pqp_error *err)
{
    text_init(&taken->text, taken->buffer, sizeof(taken->buffer));
    taken->refuse_after = -1;
    return pqp__conninfo_split(conninfo, take, taken, err);
}

struct split_case {
    const char *conninfo, *rest, *taken;
};

static void check_split(const struct split_case *c)
{
    struct taken taken;
    pqp_error err;
    char *rest = split(c->conninfo, &taken, &err);
    if (!rest)
        fail_msg("\"%s\": %s", c->conninfo, err.message);
    assert_string_equal(rest, c->rest);
    assert_string_equal(taken.buffer, c->taken);
    pqp__wipe_free(rest);
}

static void
pool_keywords_are_removed_when_conninfo_is_a_keyword_string(void **state)
{
    (void)state;
    static const struct split_case cases[] = {
        {"", "", ""},
        {" \t\n", " \t\n", ""},
        {"host=a user=b", "host=a user=b", ""},
        {"pool_x=1", "", "pool_x=[1];"},
        {"host=a pool_x=1 user=b", "host=a  user=b", "pool_x=[1];"},
        {"pool_x = 1 host=a", " host=a", "pool_x=[1];"},
        {"pool_x\n=\t1\nhost=a", "\nhost=a", "pool_x=[1];"},
        {"pool_x=1 pool_y=2", " ", "pool_x=[1];pool_y=[2];"},
        {"pool_x='1 2' a=b", " a=b", "pool_x=[1 2];"},
        {"pool_x='it\\'s \\\\'a=b", "a=b", "pool_x=[it's \\];"},
        {"a='b'pool_x=1", "a='b'", "pool_x=[1];"},
        {"a=b\\ pool_x=1", "a=b\\ pool_x=1", ""},
        {"a='pool_x=1'", "a='pool_x=1'", ""},
        /* to libpq, pool_x=1 is the value of a */
        {"a= pool_x=1", "a= pool_x=1", ""},
        {"pool_x= a=b", "", "pool_x=[a=b];"},
        {"pool_x=1\\", "", "pool_x=[1];"},
        {"pool_x=", "", "pool_x=[];"},
        {"pool_x=''", "", "pool_x=[];"},
        {"pool_=1", "", "pool_=[1];"},
        {"pool=1 Pool_x=2", "pool=1 Pool_x=2", ""},
        {"options=%41", "options=%41", ""},
        /* No URI: a space stands before the scheme. */
        {" postgresql://h?pool_x=1", " postgresql://h?pool_x=1", ""},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        check_split(&cases[i]);
}

static void pool_keywords_are_removed_when_conninfo_is_a_uri(void **state)
{
    (void)state;
    static const struct split_case cases[] = {
        {"postgresql://", "postgresql://", ""},
        {"postgres://h/d", "postgres://h/d", ""},
        {"postgresql://h?", "postgresql://h?", ""},
        {"postgresql://?pool_x=1", "postgresql://?", "pool_x=[1];"},
        {"postgresql://h/d?pool_x=1", "postgresql://h/d?", "pool_x=[1];"},
        {"postgresql://h?pool_x=1&user=b", "postgresql://h?user=b",
         "pool_x=[1];"},
        {"postgresql://h?user=b&pool_x=1", "postgresql://h?user=b&",
         "pool_x=[1];"},
        {"postgresql://h?a=b&pool_x=1&c=d", "postgresql://h?a=b&c=d",
         "pool_x=[1];"},
        {"postgresql://h?%70ool%5fx=%31%20", "postgresql://h?", "pool_x=[1 ];"},
        {"postgresql://u:p?pool_x=1@h/d", "postgresql://u:p?pool_x=1@h/d", ""},
        {"postgresql://[a?pool_x=1]/d?a=b", "postgresql://[a?pool_x=1]/d?a=b",
         ""},
        {"postgresql://h,[::1]:5,[?]/d?pool_x=1",
         "postgresql://h,[::1]:5,[?]/d?", "pool_x=[1];"},
        {"postgresql://h/pool_x=1?a=b", "postgresql://h/pool_x=1?a=b", ""},
        {"postgresql://h?a=b?pool_x%3D1", "postgresql://h?a=b?pool_x%3D1", ""},
        {"postgresql://u:p@h?pool_x=", "postgresql://u:p@h?", "pool_x=[];"},
        {"postgresql://[::1?pool_x=1", "postgresql://[::1?pool_x=1", ""},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        check_split(&cases[i]);
}

/* N06 */
static void
error_gives_only_the_position_when_conninfo_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *conninfo, *message;
    } cases[] = {
        {"s3cr3tword",
         "no = after the keyword (a value with spaces needs quotes) "
         "at byte 1"},
        {"password=my s3cr3tword",
         "no = after the keyword (a value with spaces "
         "needs quotes) at byte 13"},
        {"password='s3cr3tword", "unclosed quote at byte 10"},
        {"password='s3cr3tword\\", "unclosed quote at byte 10"},
        {"password='s3cr3tword\\'", "unclosed quote at byte 10"},
        {"host=a\ns3cr3tword",
         "no = after the keyword (a value with spaces needs "
         "quotes) at byte 8"},
        {"postgresql://h?password",
         "not exactly one = in the parameter at byte 16"},
        {"postgresql://h?password=s3cr3t=word",
         "not exactly one = in the parameter at byte 16"},
        {"postgresql://h?a=b&&password=s3cr3tword",
         "not exactly one = in the parameter at byte 20"},
        {"postgresql://h?password=s3cr3tword%",
         "invalid %-escape in the parameter at byte 16"},
        {"postgresql://h?password=s3cr3tword%4",
         "invalid %-escape in the parameter at byte 16"},
        {"postgresql://h?password=s3cr3tword%4g",
         "invalid %-escape in the parameter at byte 16"},
        {"postgresql://h?password=s3cr3tword%00",
         "invalid %-escape in the parameter at byte 16"},
        {"postgresql://h?%g0=s3cr3tword",
         "invalid %-escape in the parameter at byte 16"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct taken taken;
        pqp_error err;
        char expected[200];
        snprintf(expected, sizeof(expected),
                 "connection string is malformed: %s", cases[i].message);
        assert_null(split(cases[i].conninfo, &taken, &err));
        assert_int_equal(err.status, PQP_INVALID);
        assert_string_equal(err.message, expected);
        assert_null(split(cases[i].conninfo, &taken, NULL));
    }
}

static void conninfo_scan_stops_when_a_keyword_is_refused(void **state)
{
    (void)state;
    struct taken taken;
    pqp_error err;
    text_init(&taken.text, taken.buffer, sizeof(taken.buffer));
    taken.refuse_after = 1;
    assert_null(
        pqp__conninfo_split("pool_a=1 pool_b=2 pool_c=3", take, &taken, &err));
    assert_int_equal(err.status, PQP_BUSY);
    assert_string_equal(taken.buffer, "pool_a=[1];");
}

/* ---- strings that libpq refused ---- */

/* N04 N06 */
static void
unknown_keyword_is_named_only_when_it_cannot_be_a_secret(void **state)
{
    (void)state;
    static const struct {
        const char *conninfo, *message;
    } cases[] = {
        {"host=a hots=b", "connection string: unknown keyword \"hots\""},
        {"pool_x=1 hots=b", "connection string: unknown keyword \"hots\""},
        {"hots=b password=c", "connection string: unknown keyword \"hots\""},
        {"postgresql://u:p@h?hots=b",
         "connection string: unknown keyword \"hots\""},
        {"password=my s3cr3t=word",
         "connection string is malformed: unknown keyword at byte 13"},
        {"sslpassword=my s3cr3t=word",
         "connection string is malformed: unknown keyword at byte 16"},
        {"postgresql://h?password=my&s3cr3t=word",
         "connection string is malformed: unknown keyword at byte 28"},
        {"postgresql://u:5/my?s3cr3t=word@h",
         "connection string is malformed: unknown keyword at byte 21"},
        {"postgres:/u:s3cr3t@h?user=a",
         "connection string is malformed: unknown keyword at byte 1"},
        {"=s3cr3t",
         "connection string is malformed: unknown keyword at byte 1"},
        {"postgresql://u:s3cr3t%zz@h/d?user=a",
         "connection string is malformed: user, password, address or database"},
        {"postgresql://u:s3cr3t@[::1/d",
         "connection string is malformed: user, password, address or database"},
        {"postgresql://u:s3cr3t@[::1]x/d",
         "connection string is malformed: user, password, address or database"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        pqp_error err;
        assert_int_equal(pqp__conninfo_explain(cases[i].conninfo, &err),
                         PQP_INVALID);
        assert_string_equal(err.message, cases[i].message);
    }
}

/* ---- against libpq ---- */

static void assert_same_parse(const char *a, const char *b)
{
    PQconninfoOption *x = PQconninfoParse(a, NULL);
    PQconninfoOption *y = PQconninfoParse(b, NULL);
    if (!x || !y)
        fail_msg("\"%s\" or \"%s\" does not parse", a, b);
    for (int i = 0; x[i].keyword; i++) {
        const char *u = x[i].val ? x[i].val : "(none)";
        const char *v = y[i].val ? y[i].val : "(none)";
        if (strcmp(u, v) != 0)
            fail_msg("\"%s\" and \"%s\" differ in %s", a, b, x[i].keyword);
    }
    PQconninfoFree(x);
    PQconninfoFree(y);
}

/* N20 */
static void conninfo_passes_unchanged_when_libpq_accepts_it(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "host",    "user",     "password", "port",  "options", "pool",
        "_",       "=",        "=",        "=",     " = ",     "'",
        "'",       "\\",       "\\'",      " ",     " ",       "\n\t",
        "a",       "b c",      "%41",      "%4",    "%",       "&",
        "&",       "?",        "?",        "/",     "@",       ":",
        ",",       "[",        "]",        "[::1]", "host=a ", "user='b'",
        "host=a&", "\xC3\xBC", "\xFF"};
    static const char *const starts[] = {"", "", "postgresql://",
                                         "postgres://u:p@h/d?"};
    uint64_t seed = 20261123;
    int accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char conninfo[200];
        struct text text;
        text_init(&text, conninfo, sizeof(conninfo));
        text_add(&text, "%s", starts[random_of(&seed, LENGTH(starts))]);
        for (size_t n = random_of(&seed, 10); n > 0; n--)
            text_add(&text, "%s", pieces[random_of(&seed, LENGTH(pieces))]);
        PQconninfoOption *list = PQconninfoParse(conninfo, NULL);
        struct taken taken;
        char *rest = split(conninfo, &taken, NULL);
        accepted += list != NULL;
        if (list && !rest)
            fail_msg("only libpq takes \"%s\"", conninfo);
        if (rest && strcmp(rest, conninfo) != 0 && !taken.buffer[0])
            fail_msg("\"%s\" became \"%s\"", conninfo, rest);
        if (list && taken.buffer[0])
            fail_msg("\"%s\" lost %s", conninfo, taken.buffer);
        pqp__wipe_free(rest);
        PQconninfoFree(list);
    }
    assert_in_range(accepted, 2000, 190000);
}

/* Writes a value as in a keyword string: quoted, or with backslashes. */
static void add_string_value(struct text *text, const char *value,
                             uint64_t *seed)
{
    int quoted = !*value || random_of(seed, 2);
    text_add(text, "%s", quoted ? "'" : "");
    for (; *value; value++) {
        int must = *value == '\'' || *value == '\\' ||
                   (!quoted && isspace((unsigned char)*value));
        text_add(text, "%s%c", must || !random_of(seed, 9) ? "\\" : "", *value);
    }
    text_add(text, "%s", quoted ? "'" : "");
}

/* Writes a text as in the query of a URI, with escapes. */
static void add_query_text(struct text *text, const char *from, uint64_t *seed)
{
    for (; *from; from++) {
        if (strchr("%&= \n", *from) || !random_of(seed, 9))
            text_add(text, "%%%02x", (unsigned char)*from);
        else
            text_add(text, "%c", *from);
    }
}

static void add_pair(struct text *text, int uri, const char *keyword,
                     const char *value, uint64_t *seed)
{
    if (uri) {
        add_query_text(text, keyword, seed);
        text_add(text, "=");
        add_query_text(text, value, seed);
        text_add(text, "&");
    } else {
        text_add(text, "%s%s", keyword, random_of(seed, 4) ? "=" : " =\n");
        add_string_value(text, value, seed);
        text_add(text, "%s", random_of(seed, 4) ? " " : "\n\t ");
    }
}

struct pair {
    const char *keyword;
    char value[12];
};

static void random_pairs(struct pair *pairs, size_t count, uint64_t *seed)
{
    static const char *const keywords[] = {
        "host", "user", "password", "dbname", "options", "pool_x", "pool_y"};
    static const char letters[] = "ab5 '\\=%&\n@?/:[]\xC3";
    for (size_t i = 0; i < count; i++) {
        size_t length = random_of(seed, sizeof(pairs[i].value));
        pairs[i].keyword = keywords[random_of(seed, LENGTH(keywords))];
        memset(pairs[i].value, 0, sizeof(pairs[i].value));
        for (size_t j = 0; j < length; j++)
            pairs[i].value[j] = letters[random_of(seed, sizeof(letters) - 1)];
    }
}

/* N20 */
static void
conninfo_keeps_its_meaning_when_pool_keywords_are_removed(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 50000; round++) {
        char with_buffer[1024], without_buffer[1024], expected_buffer[512];
        struct text with, without, expected;
        text_init(&with, with_buffer, sizeof(with_buffer));
        text_init(&without, without_buffer, sizeof(without_buffer));
        text_init(&expected, expected_buffer, sizeof(expected_buffer));
        int uri = round % 2;
        if (uri) {
            text_add(&with, "postgresql://u?u:p%%40?@h,[::1]:5/d?");
            text_add(&without, "%s", with_buffer);
        }
        struct pair pairs[6];
        size_t count = random_of(&seed, LENGTH(pairs) + 1);
        random_pairs(pairs, count, &seed);
        for (size_t i = 0; i < count; i++) {
            add_pair(&with, uri, pairs[i].keyword, pairs[i].value, &seed);
            if (strncmp(pairs[i].keyword, "pool_", 5) == 0)
                text_add(&expected, "%s=[%s];", pairs[i].keyword,
                         pairs[i].value);
            else
                add_pair(&without, uri, pairs[i].keyword, pairs[i].value,
                         &seed);
        }
        struct taken taken;
        pqp_error err;
        char *rest = split(with_buffer, &taken, &err);
        if (!rest)
            fail_msg("\"%s\": %s", with_buffer, err.message);
        assert_string_equal(taken.buffer, expected_buffer);
        assert_same_parse(rest, without_buffer);
        pqp__wipe_free(rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            pool_keywords_are_removed_when_conninfo_is_a_keyword_string),
        cmocka_unit_test(pool_keywords_are_removed_when_conninfo_is_a_uri),
        cmocka_unit_test(
            error_gives_only_the_position_when_conninfo_is_malformed),
        cmocka_unit_test(conninfo_scan_stops_when_a_keyword_is_refused),
        cmocka_unit_test(
            unknown_keyword_is_named_only_when_it_cannot_be_a_secret),
        cmocka_unit_test(conninfo_passes_unchanged_when_libpq_accepts_it),
        cmocka_unit_test(
            conninfo_keeps_its_meaning_when_pool_keywords_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
