/* SPDX-License-Identifier: MIT */
#include "commands/transfer.h"

#include <string.h>

#include "common/record.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "http/json.h"
#include "http/json_writer.h"

/* ---- writing ---- */

static void member_start(struct buffer *line, const char *name)
{
    buffer_append_text(line, ",\"");
    buffer_append_text(line, name);
    buffer_append_text(line, "\":");
}

static void number_write(struct buffer *line, const char *name, uint64_t number)
{
    member_start(line, name);
    json_write_number(line, number);
}

static void string_write(struct buffer *line, const char *name, const char *text, size_t length)
{
    member_start(line, name);
    json_write_string(line, text, length);
}

static void time_write(struct buffer *line, const char *name, int64_t time_us)
{
    char text[TIMESTAMP_SIZE];
    string_write(line, name, timestamp_write(time_us, text), TIMESTAMP_SIZE - 1);
}

void transfer_write(struct buffer *lines, const struct transfer *transfer)
{
    const char *token = transfer->token, *text = transfer->text;
    size_t token_length = transfer->token_length, text_length = transfer->text_length;
    switch (transfer->type) {
    case TRANSFER_APPLICATION:
        buffer_append_text(lines, "{\"type\":\"application\"");
        string_write(lines, "token", token, token_length);
        string_write(lines, "name", text, text_length);
        number_write(lines, "last_chat_number", transfer->last);
        break;
    case TRANSFER_CHAT:
        buffer_append_text(lines, "{\"type\":\"chat\"");
        string_write(lines, "application_token", token, token_length);
        number_write(lines, "chat_number", transfer->chat);
        if (text_length == 0)
            buffer_append_text(lines, ",\"name\":null");
        else
            string_write(lines, "name", text, text_length);
        number_write(lines, "last_message_number", transfer->last);
        break;
    case TRANSFER_MESSAGE:
        buffer_append_text(lines, "{\"type\":\"message\"");
        string_write(lines, "application_token", token, token_length);
        number_write(lines, "chat_number", transfer->chat);
        number_write(lines, "message_number", transfer->message);
        string_write(lines, "message_body", text, text_length);
        break;
    }
    time_write(lines, "created_at", transfer->created);
    time_write(lines, "updated_at", transfer->updated);
    buffer_append_text(lines, "}\n");
}

/* ---- reading ---- */

enum member {
    MEMBER_TYPE,
    MEMBER_TOKEN,
    MEMBER_NAME,
    MEMBER_LAST_CHAT,
    MEMBER_CREATED,
    MEMBER_UPDATED,
    MEMBER_APPLICATION_TOKEN,
    MEMBER_CHAT,
    MEMBER_LAST_MESSAGE,
    MEMBER_MESSAGE,
    MEMBER_BODY,
    MEMBER_COUNT,
};

static const char *const member_names[MEMBER_COUNT] = {
    "type",
    "token",
    "name",
    "last_chat_number",
    "created_at",
    "updated_at",
    "application_token",
    "chat_number",
    "last_message_number",
    "message_number",
    "message_body",
};

/* Fills in `to`, one member after the other; each returns what is wrong, or NULL. */
struct reading {
    struct param params[MEMBER_COUNT];
    struct transfer to;
};

static const char *token_read(struct reading *reading, enum member member)
{
    const struct param *param = &reading->params[member];
    reading->to.token = param->text;
    reading->to.token_length = param->length;
    if (param->type == PARAM_TEXT && token_valid(param->text, param->length))
        return NULL;
    return member == MEMBER_TOKEN ? "its token is not 1 to 64 characters of A-Z a-z 0-9 _ -"
                                  : "its application_token is not 1 to 64 characters of A-Z a-z "
                                    "0-9 _ -";
}

/* Chats and messages have 32 bits for their numbers. */
static bool number_read(const struct param *param, uint64_t least, uint64_t *ret_number)
{
    return param->type == PARAM_OTHER && text_read_number(param->text, param->length, ret_number) &&
           *ret_number >= least && *ret_number <= UINT32_MAX;
}

static const char *times_read(struct reading *reading)
{
    const struct param *created = &reading->params[MEMBER_CREATED];
    const struct param *updated = &reading->params[MEMBER_UPDATED];
    if (created->type != PARAM_TEXT ||
        !timestamp_read(created->text, created->length, &reading->to.created))
        return "its created_at is not a time such as \"2026-11-24T04:09:53.123456Z\"";
    if (updated->type != PARAM_TEXT ||
        !timestamp_read(updated->text, updated->length, &reading->to.updated))
        return "its updated_at is not a time such as \"2026-11-24T04:09:53.123456Z\"";
    return NULL;
}

static const char *name_read(struct reading *reading, bool needed)
{
    const struct param *name = &reading->params[MEMBER_NAME];
    if (name->type == PARAM_OTHER)
        return "its name is not a string";
    reading->to.text = name->type == PARAM_TEXT ? name->text : "";
    reading->to.text_length = name->type == PARAM_TEXT ? name->length : 0;
    if (memchr(reading->to.text, 0, reading->to.text_length))
        return "its name holds a NUL character";
    if (needed && text_blank(reading->to.text, reading->to.text_length))
        return "it has no name";
    if (text_code_points(reading->to.text, reading->to.text_length) > NAME_CHARACTERS_MAX)
        return "its name is longer than 255 characters";
    return NULL;
}

static const char *body_read(struct reading *reading)
{
    const struct param *body = &reading->params[MEMBER_BODY];
    if (body->type != PARAM_TEXT)
        return "its message_body is not a string";
    if (memchr(body->text, 0, body->length))
        return "its message_body holds a NUL character";
    if (text_blank(body->text, body->length))
        return "its message_body is empty or blank";
    if (body->length > BODY_BYTES_MAX)
        return "its message_body is longer than 65535 bytes";
    reading->to.text = body->text;
    reading->to.text_length = body->length;
    return NULL;
}

static const char *application_read(struct reading *reading)
{
    reading->to.type = TRANSFER_APPLICATION;
    const char *why = token_read(reading, MEMBER_TOKEN);
    if (!why)
        why = name_read(reading, true);
    if (!why && !number_read(&reading->params[MEMBER_LAST_CHAT], 0, &reading->to.last))
        why = "its last_chat_number is not a number from 0 to 4294967295";
    return why;
}

static const char *chat_number_read(struct reading *reading)
{
    const char *why = token_read(reading, MEMBER_APPLICATION_TOKEN);
    if (!why && !number_read(&reading->params[MEMBER_CHAT], 1, &reading->to.chat))
        why = "its chat_number is not a number from 1 to 4294967295";
    return why;
}

static const char *chat_read(struct reading *reading)
{
    reading->to.type = TRANSFER_CHAT;
    const char *why = chat_number_read(reading);
    if (!why)
        why = name_read(reading, false);
    if (!why && !number_read(&reading->params[MEMBER_LAST_MESSAGE], 0, &reading->to.last))
        why = "its last_message_number is not a number from 0 to 4294967295";
    return why;
}

static const char *message_read(struct reading *reading)
{
    reading->to.type = TRANSFER_MESSAGE;
    const char *why = chat_number_read(reading);
    if (!why && !number_read(&reading->params[MEMBER_MESSAGE], 1, &reading->to.message))
        why = "its message_number is not a number from 1 to 4294967295";
    return why ? why : body_read(reading);
}

static bool param_is(const struct param *param, const char *text)
{
    return param->type == PARAM_TEXT && param->length == strlen(text) &&
           memcmp(param->text, text, param->length) == 0;
}

bool transfer_read(char *text, size_t length, struct transfer *ret_transfer, const char **ret_why)
{
    struct reading reading = {.to = {.text = ""}};
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        reading.params[i].name = member_names[i];
    if (json_read_object(text, length, reading.params, MEMBER_COUNT) != JSON_OK) {
        *ret_why = "it is not a JSON object";
        return false;
    }
    const struct param *type = &reading.params[MEMBER_TYPE];
    const char *why = "its type is none of application, chat and message";
    if (param_is(type, "application"))
        why = application_read(&reading);
    else if (param_is(type, "chat"))
        why = chat_read(&reading);
    else if (param_is(type, "message"))
        why = message_read(&reading);
    if (!why)
        why = times_read(&reading);
    if (why) {
        *ret_why = why;
        return false;
    }
    *ret_transfer = reading.to;
    return true;
}
