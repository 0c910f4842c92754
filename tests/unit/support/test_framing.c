/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* How the fault proxy cuts bytes into messages. */
#include "harness.h"

#include <string.h>

#include "framing.h"

#define SSL_REQUEST "\0\0\0\10\4\xd2\26\57"
#define CANCEL      "\0\0\0\20\4\xd2\26\56\0\0\0\1\0\0\0\2"
#define START_UP    "\0\0\0\12\0\3\0\0u\0"

static struct framing client, server;

static int set_up(void **state)
{
    (void)state;
    framing_init(&client, 1);
    framing_init(&server, 0);
    return 0;
}

/* Returns the types of the messages that end within these bytes, if the bytes
 * come in pieces of `step`.  A dot stands for a piece without a message. */
static const char *types_of(struct framing *f, struct framing *back,
                            const char *bytes, size_t size, size_t step)
{
    static char types[64];
    size_t used = 0, count = 0;
    for (size_t here = 0; used < size;) {
        here = here + step < size ? here + step : size;
        struct piece piece =
            framing_take(f, back, (const unsigned char *)bytes + used,
                         here - used, here - used);
        used += piece.size;
        if (piece.ends || (piece.size > 0 && piece.type == 0))
            types[count++] = piece.type ? (char)piece.type : '.';
        assert_true(count < sizeof types);
    }
    types[count] = '\0';
    return types;
}
#define TYPES(f, back, text, step)                                             \
    types_of((f), (back), (text), sizeof(text) - 1, (step))

static void messages_are_found_when_bytes_are_split_anywhere(void **state)
{
    static const char bytes[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5ID\0\0\0\4";
    for (size_t step = 1; step < sizeof bytes; step++) {
        set_up(state);
        assert_string_equal(TYPES(&server, &client, bytes, step), "RZD");
    }
}

static void startup_packets_are_distinguished_when_bytes_are_split(void **state)
{
    for (size_t step = 1; step < 30; step++) {
        set_up(state);
        assert_string_equal(
            TYPES(&client, &server, SSL_REQUEST START_UP "Q\0\0\0\5\0", step),
            "?^Q");
        set_up(state);
        assert_string_equal(TYPES(&client, &server, CANCEL, step), "!");
    }
}

static void bytes_are_opaque_when_server_has_accepted_tls(void **state)
{
    (void)state;
    assert_string_equal(TYPES(&client, &server, SSL_REQUEST, 8), "?");
    assert_string_equal(TYPES(&server, &client, "S", 1), "?");
    assert_string_equal(TYPES(&server, &client, "Z\0\0\0\5I", 6), ".");
    assert_string_equal(TYPES(&client, &server, START_UP, 10), ".");
}

static void messages_are_found_when_server_has_refused_tls(void **state)
{
    (void)state;
    assert_string_equal(TYPES(&client, &server, SSL_REQUEST, 8), "?");
    assert_string_equal(TYPES(&server, &client, "NZ\0\0\0\5I", 7), "?Z");
    assert_string_equal(TYPES(&client, &server, START_UP, 10), "^");
}

static void bytes_are_opaque_when_a_message_length_was_invalid(void **state)
{
    static const char *const heads[] = {"Z\0\0\0\3", "Z\xff\xff\xff\xff",
                                        "Z\0\0\0\0", "Z\x80\0\0\0"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        set_up(state);
        (void)types_of(&server, &client, heads[i], 5, 5);
        assert_true(server.opaque);
    }
    assert_string_equal(TYPES(&client, &server, "\0\0\0\7\0\3\0\0", 8), ".");
    assert_true(client.opaque);
}

static void
bytes_are_opaque_when_client_starts_tls_without_request(void **state)
{
    (void)state;
    assert_string_equal(TYPES(&client, &server, "\x16\3\1", 3), ".");
}

static void
message_piece_reports_its_position_when_message_is_split(void **state)
{
    (void)state;
    const unsigned char bytes[] = "D\0\0\0\12abcdef";
    struct piece p = framing_take(&server, NULL, bytes, 11, 11);
    assert_int_equal(p.size, 5);
    assert_true(p.begins && !p.ends && p.position == 0);
    p = framing_take(&server, NULL, bytes + 5, 6, 2);
    assert_int_equal(p.size, 2);
    assert_true(!p.begins && !p.ends && p.position == 5);
    p = framing_take(&server, NULL, bytes + 7, 4, 4);
    assert_true(!p.begins && p.ends && p.position == 7);
}

static void framing_state_is_unchanged_when_bytes_are_peeked(void **state)
{
    (void)state;
    const unsigned char bytes[] = "Z\0\0\0\5I";
    struct framing before = server;
    assert_int_equal(framing_peek(&server, bytes, 6, 6).type, 'Z');
    assert_memory_equal(&before, &server, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_found_when_bytes_are_split_anywhere),
        cmocka_unit_test(
            startup_packets_are_distinguished_when_bytes_are_split),
        cmocka_unit_test_setup(bytes_are_opaque_when_server_has_accepted_tls,
                               set_up),
        cmocka_unit_test_setup(messages_are_found_when_server_has_refused_tls,
                               set_up),
        cmocka_unit_test(bytes_are_opaque_when_a_message_length_was_invalid),
        cmocka_unit_test_setup(
            bytes_are_opaque_when_client_starts_tls_without_request, set_up),
        cmocka_unit_test_setup(
            message_piece_reports_its_position_when_message_is_split, set_up),
        cmocka_unit_test_setup(framing_state_is_unchanged_when_bytes_are_peeked,
                               set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
