/* SPDX-License-Identifier: MIT */
/* test_transfer.c - the lines of an export, and which of them an import takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "commands/import_check.h"
#include "commands/transfer.h"
#include "support.h"

#define TIMES                                                         \
    ",\"created_at\":\"1970-01-01T00:00:00.000001Z\",\"updated_at\":" \
    "\"1970-01-01T00:00:00.000002Z\"}"
#define APPLICATION(members) "{\"type\":\"application\"," members TIMES
#define CHAT(members) "{\"type\":\"chat\",\"application_token\":\"t\"," members TIMES
#define MESSAGE(members) \
    "{\"type\":\"message\",\"application_token\":\"t\",\"chat_number\":1," members TIMES

static const struct transfer application = {
    .type = TRANSFER_APPLICATION,
    .token = "t",
    .token_length = 1,
    .last = 3,
    .text = "name \"é\"",
    .text_length = sizeof "name \"é\"" - 1,
    .created = 1,
    .updated = 2,
};

static struct transfer chat_of(uint64_t number, uint64_t last)
{
    return (struct transfer){.type = TRANSFER_CHAT,
                             .token = "t",
                             .token_length = 1,
                             .chat = number,
                             .last = last,
                             .text = "",
                             .created = 1,
                             .updated = 2};
}

static struct transfer message_of(uint64_t chat, uint64_t number)
{
    return (struct transfer){.type = TRANSFER_MESSAGE,
                             .token = "t",
                             .token_length = 1,
                             .chat = chat,
                             .message = number,
                             .text = "body\n\x01",
                             .text_length = 6,
                             .created = 1,
                             .updated = 2};
}

/* ---- lines ---- */

static void assert_line(const struct transfer *transfer, const char *expected)
{
    struct buffer line = {0};
    struct transfer back;
    const char *why = NULL;
    transfer_write(&line, transfer);
    assert_string_equal(line.data, expected);
    assert_true(transfer_read(line.data, line.length - 1, &back, &why));
    assert_int_equal(back.type, transfer->type);
    assert_int_equal(back.token_length, transfer->token_length);
    assert_memory_equal(back.token, transfer->token, transfer->token_length);
    assert_int_equal(back.chat, transfer->chat);
    assert_int_equal(back.message, transfer->message);
    assert_int_equal(back.last, transfer->last);
    assert_int_equal(back.text_length, transfer->text_length);
    assert_memory_equal(back.text, transfer->text, transfer->text_length);
    assert_int_equal(back.created, transfer->created);
    assert_int_equal(back.updated, transfer->updated);
    buffer_free(&line);
}

static void a_line_reads_back_as_what_it_was_written_from(void **state)
{
    (void) state;
    const struct transfer chat = chat_of(2, 9), message = message_of(2, 9);
    struct transfer named = chat;
    named.text = " ";
    named.text_length = 1;
    assert_line(
        &application,
        APPLICATION("\"token\":\"t\",\"name\":\"name \\\"é\\\"\",\"last_chat_number\":3") "\n");
    assert_line(&chat, CHAT("\"chat_number\":2,\"name\":null,\"last_message_number\":9") "\n");
    assert_line(&named, CHAT("\"chat_number\":2,\"name\":\" \",\"last_message_number\":9") "\n");
    assert_line(&message, "{\"type\":\"message\",\"application_token\":\"t\",\"chat_number\":2,"
                          "\"message_number\":9,\"message_body\":\"body\\n\\u0001\"" TIMES "\n");
}

static void assert_refused(const char *line, const char *expected)
{
    char *text = text_of("%s", line);
    struct transfer transfer;
    const char *why = "nothing";
    if (transfer_read(text, strlen(text), &transfer, &why))
        fail_msg("read: %s", line);
    if (!strstr(why, expected))
        fail_msg("\"%s\" is not in: %s", expected, why);
}

static void what_is_no_line_of_an_export_is_refused(void **state)
{
    (void) state;
    assert_refused("", "JSON");
    assert_refused("[]", "JSON");
    assert_refused("{\"type\":\"chat\"} {}", "JSON");
    assert_refused("{}", "type");
    assert_refused("{\"type\":1}", "type");
    assert_refused("{\"type\":\"chats\"}", "type");
    assert_refused(APPLICATION("\"name\":\"x\",\"last_chat_number\":1"), "token");
    assert_refused(APPLICATION("\"token\":\"a b\",\"name\":\"x\",\"last_chat_number\":1"), "token");
    assert_refused(APPLICATION("\"token\":\"t\",\"name\":\"x\",\"last_chat_number\":\"1\""),
                   "last_chat_number");
    assert_refused(APPLICATION("\"token\":\"t\",\"name\":\"x\",\"last_chat_number\":4294967296"),
                   "last_chat_number");
    assert_refused(CHAT("\"chat_number\":0,\"last_message_number\":1"), "chat_number");
    assert_refused(CHAT("\"chat_number\":1.0,\"last_message_number\":1"), "chat_number");
    assert_refused(CHAT("\"chat_number\":1"), "last_message_number");
    assert_refused(MESSAGE("\"message_number\":-1,\"message_body\":\"x\""), "message_number");
    assert_refused("{\"type\":\"chat\",\"application_token\":\"t\",\"chat_number\":1,"
                   "\"last_message_number\":1,\"created_at\":\"yesterday\"}",
                   "created_at");
    assert_refused("{\"type\":\"chat\",\"application_token\":\"t\",\"chat_number\":1,"
                   "\"last_message_number\":1,\"created_at\":\"1970-01-01T00:00:00Z\"}",
                   "updated_at");
}

/* A name of so many characters, each of two bytes. */
static const char *name_of(size_t characters)
{
    struct buffer name = {0};
    for (size_t i = 0; i < characters; i++)
        buffer_append_text(&name, "é");
    const char *text = text_of("%s", name.data);
    buffer_free(&name);
    return text;
}

static const char *body_of(size_t bytes)
{
    char *text = text_of("%*s", (int) bytes, "");
    memset(text, 'x', bytes);
    return text;
}

static void texts_have_the_limits_of_the_api(void **state)
{
    (void) state;
    struct transfer transfer;
    const char *why;
    char *good = text_of(APPLICATION("\"token\":\"t\",\"name\":\"%s\",\"last_chat_number\":1"),
                         name_of(255));
    assert_true(transfer_read(good, strlen(good), &transfer, &why));
    good = text_of(MESSAGE("\"message_number\":1,\"message_body\":\"%s\""), body_of(65535));
    assert_true(transfer_read(good, strlen(good), &transfer, &why));

    assert_refused(text_of(APPLICATION("\"token\":\"t\",\"name\":\"%s\",\"last_chat_number\":1"),
                           name_of(256)),
                   "longer");
    assert_refused(
        text_of(CHAT("\"chat_number\":1,\"name\":\"%s\",\"last_message_number\":1"), name_of(256)),
        "longer");
    assert_refused(text_of(MESSAGE("\"message_number\":1,\"message_body\":\"%s\""), body_of(65536)),
                   "longer");
    assert_refused(APPLICATION("\"token\":\"t\",\"name\":\" \",\"last_chat_number\":1"), "name");
    assert_refused(APPLICATION("\"token\":\"t\",\"name\":null,\"last_chat_number\":1"), "name");
    assert_refused(CHAT("\"chat_number\":1,\"name\":5,\"last_message_number\":1"), "string");
    assert_refused(CHAT("\"chat_number\":1,\"name\":\"a\\u0000\",\"last_message_number\":1"),
                   "NUL");
    assert_refused(MESSAGE("\"message_number\":1,\"message_body\":\" \\n\""), "blank");
    assert_refused(MESSAGE("\"message_number\":1,\"message_body\":null"), "string");
    assert_refused(MESSAGE("\"message_number\":1,\"message_body\":\"a\\u0000b\""), "NUL");
}

/* ---- their order ---- */

static void assert_next(import_check_t *check, const struct transfer *transfer)
{
    const char *why = NULL;
    if (!import_check_next(check, transfer, &why))
        fail_msg("refused: %s", why);
}

static void assert_not_next(const struct transfer before[], size_t count,
                            const struct transfer *transfer, const char *expected)
{
    import_check_t *check = import_check_new(/* now */ 1000);
    const char *why = "nothing";
    for (size_t i = 0; i < count; i++)
        assert_next(check, &before[i]);
    assert_false(import_check_next(check, transfer, &why));
    if (!strstr(why, expected))
        fail_msg("\"%s\" is not in: %s", expected, why);
    import_check_destroy(&check);
}

static void children_follow_their_parents_in_ascending_order(void **state)
{
    (void) state;
    import_check_t *check = import_check_new(/* now */ 2);
    struct transfer other = application;
    other.token = "u";
    assert_next(check, &application);
    const struct transfer lines[] = {chat_of(1, 9), message_of(1, 1), message_of(1, 9),
                                     chat_of(3, 2), message_of(3, 2)};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_next(check, &lines[i]);
    assert_next(check, &other);
    assert_int_equal(check->application_count, 2);
    assert_int_equal(check->chats, 2);
    assert_int_equal(check->messages, 3);
    assert_string_equal(import_check_application(check)->token, "u");
    import_check_destroy(&check);
    assert_null(check);
}

static void what_stands_in_the_wrong_place_is_refused(void **state)
{
    (void) state;
    const struct transfer lines[] = {application, chat_of(2, 5), message_of(2, 3)};
    struct transfer stranger = chat_of(3, 1), future = message_of(2, 4);
    stranger.token = "u";
    future.updated = 1001;
    const struct transfer chat = chat_of(2, 1), high_chat = chat_of(4, 1);
    const struct transfer message = message_of(2, 3), high_message = message_of(2, 6);
    const struct transfer elsewhere = message_of(1, 4);
    assert_not_next(lines, 0, &chat, "application");
    assert_not_next(lines, 1, &message, "chat");
    assert_not_next(lines, 3, &application, "before");
    assert_not_next(lines, 3, &stranger, "application");
    assert_not_next(lines, 3, &chat, "not greater");
    assert_not_next(lines, 3, &high_chat, "last_chat_number");
    assert_not_next(lines, 3, &message, "not greater");
    assert_not_next(lines, 3, &high_message, "last_message_number");
    assert_not_next(lines, 3, &elsewhere, "chat");
    assert_not_next(lines, 3, &future, "future");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reads_back_as_what_it_was_written_from),
        cmocka_unit_test(what_is_no_line_of_an_export_is_refused),
        cmocka_unit_test(texts_have_the_limits_of_the_api),
        cmocka_unit_test(children_follow_their_parents_in_ascending_order),
        cmocka_unit_test(what_stands_in_the_wrong_place_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
