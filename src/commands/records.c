/* SPDX-License-Identifier: MIT */
#include "commands/records.h"

#include "common/timestamp.h"
#include "http/json_writer.h"

const char *record_type_name(enum record_type type)
{
    switch (type) {
    case RECORD_APPLICATION_CREATED:
        return "application_created";
    case RECORD_CHAT_CREATED:
        return "chat_created";
    case RECORD_MESSAGE_CREATED:
        return "message_created";
    case RECORD_APPLICATION_RENAMED:
        return "application_renamed";
    case RECORD_CHAT_RENAMED:
        return "chat_renamed";
    case RECORD_MESSAGE_EDITED:
        return "message_edited";
    case RECORD_APPLICATION_DELETED:
        return "application_deleted";
    case RECORD_CHAT_DELETED:
        return "chat_deleted";
    case RECORD_MESSAGE_DELETED:
        return "message_deleted";
    case RECORD_APPLICATION_IMPORTED:
        return "application_imported";
    case RECORD_CHAT_IMPORTED:
        return "chat_imported";
    case RECORD_MESSAGE_IMPORTED:
        return "message_imported";
    case RECORD_IMPORT_ENDED:
        return "import_ended";
    }
    return "unknown"; /* a dead record of a newer version */
}

void record_print(FILE *file, const struct record *record, bool texts)
{
    char time[TIMESTAMP_SIZE];
    int shown = (int) (record->token_length < 8 ? record->token_length : 8);
    bool imported = record_is_import(record->type) && record->type != RECORD_IMPORT_ENDED;
    fprintf(file, "%llu  %s  %-20s  %.*s", (unsigned long long) record->seq,
            timestamp_write(imported ? record->created : record->time, time),
            record_type_name(record->type), shown, record->token);
    if (record->chat)
        fprintf(file, "  chat %llu", (unsigned long long) record->chat);
    if (record->number)
        fprintf(file, "  number %llu", (unsigned long long) record->number);
    if (!record->text_length)
        return;
    fprintf(file, "  %zu bytes", record->text_length);
    if (!texts)
        return;
    struct buffer text = {0};
    json_write_string(&text, record->text, record->text_length);
    fprintf(file, "  %s", text.data);
    buffer_free(&text);
}
