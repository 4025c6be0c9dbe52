/* SPDX-License-Identifier: MIT */
#include "http/objects.h"

#include "http/json_writer.h"

/* Member names are literals with all that stands around them. */
#define APPEND(buffer, text) buffer_append(buffer, text, sizeof text - 1)

static void write_times(struct buffer *buffer, const struct item *item)
{
    APPEND(buffer, ",\"created_at\":");
    json_write_time(buffer, item->created);
    APPEND(buffer, ",\"updated_at\":");
    json_write_time(buffer, item->updated);
}

void object_write_application(struct buffer *buffer, const struct item *item)
{
    APPEND(buffer, "{\"token\":");
    json_write_string(buffer, item->token, item->token_length);
    APPEND(buffer, ",\"name\":");
    json_write_string(buffer, item->text, item->text_length);
    APPEND(buffer, ",\"chats_count\":");
    json_write_number(buffer, item->count);
    APPEND(buffer, ",\"last_chat_number\":");
    json_write_number(buffer, item->last);
    write_times(buffer, item);
    APPEND(buffer, "}");
}

void object_write_chat(struct buffer *buffer, const struct item *item)
{
    APPEND(buffer, "{\"application_token\":");
    json_write_string(buffer, item->token, item->token_length);
    APPEND(buffer, ",\"chat_number\":");
    json_write_number(buffer, item->number);
    APPEND(buffer, ",\"name\":");
    if (item->text_length)
        json_write_string(buffer, item->text, item->text_length);
    else
        APPEND(buffer, "null");
    APPEND(buffer, ",\"messages_count\":");
    json_write_number(buffer, item->count);
    APPEND(buffer, ",\"last_message_number\":");
    json_write_number(buffer, item->last);
    write_times(buffer, item);
    APPEND(buffer, "}");
}

static void write_message_members(struct buffer *buffer, const struct item *item)
{
    APPEND(buffer, "{\"message_number\":");
    json_write_number(buffer, item->number);
    APPEND(buffer, ",\"message_body\":");
    json_write_string(buffer, item->text, item->text_length);
    write_times(buffer, item);
}

void object_write_message(struct buffer *buffer, const struct item *item)
{
    write_message_members(buffer, item);
    APPEND(buffer, "}");
}

void object_write_hit(struct buffer *buffer, const struct item *item)
{
    write_message_members(buffer, item);
    APPEND(buffer, ",\"highlights\":[");
    for (size_t i = 0; i < item->span_count; i++) {
        if (i)
            APPEND(buffer, ",");
        APPEND(buffer, "[");
        json_write_number(buffer, item->spans[i].start);
        APPEND(buffer, ",");
        json_write_number(buffer, item->spans[i].end);
        APPEND(buffer, "]");
    }
    APPEND(buffer, "]}");
}

static status_t read_item(struct bytes_reader *items, const struct request *request,
                          struct item *ret_item)
{
    status_t status = item_decode(items, ret_item);
    if (status == OK && ret_item->token_length == 0) {
        ret_item->token = request->token;
        ret_item->token_length = request->token_length;
    }
    return status;
}

status_t object_write_list(struct buffer *buffer, const struct request *request,
                           const struct reply *reply, object_writer *writer, struct item *ret_last)
{
    struct bytes_reader items = bytes_reader(reply->items, reply->items_length);
    struct item item = {0};
    APPEND(buffer, "[");
    for (uint32_t i = 0; i < reply->item_count; i++) {
        status_t status = read_item(&items, request, &item);
        if (status != OK)
            return status;
        if (i)
            APPEND(buffer, ",");
        writer(buffer, &item);
    }
    APPEND(buffer, "]");
    *ret_last = item;
    return bytes_finished(&items) ? OK : ERR_MALFORMED;
}

status_t object_write_one(struct buffer *buffer, const struct request *request,
                          const struct reply *reply, object_writer *writer)
{
    struct bytes_reader items = bytes_reader(reply->items, reply->items_length);
    struct item item;
    status_t status = read_item(&items, request, &item);
    if (status == OK)
        writer(buffer, &item);
    return status;
}
