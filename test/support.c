/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <assert.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- folders and texts ---- */

char *folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = NULL;
    int length = asprintf(&folder, "%s/confab-test-XXXXXX", parent && *parent ? parent : "/tmp");
    assert(length > 0);
    char *made = mkdtemp(folder);
    assert(made);
    return made;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void) status, (void) type, (void) walk;
    return remove(path);
}

void folder_remove(char **folder_p)
{
    if (!*folder_p)
        return;
    nftw(*folder_p, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*folder_p);
    *folder_p = NULL;
}

/* Never freed: any thread may still use one. The leak checker finds them here. */
static char **texts;
static size_t texts_count;

char *text_of(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    texts = realloc(texts, (texts_count + 1) * sizeof *texts);
    assert(texts);
    texts[texts_count++] = text;
    return text;
}

char *file_read(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return NULL;
    struct buffer content = {0};
    size_t length;
    do {
        char *place = buffer_reserve(&content, 65536);
        length = fread(place, 1, 65536, file);
        content.length += length;
    } while (length > 0);
    fclose(file);
    buffer_append(&content, "", 0);
    if (ret_length)
        *ret_length = content.length;
    return content.data;
}

/* ---- records ---- */

struct record record_of(enum record_type type, const char *token, uint64_t application_id,
                        uint64_t chat, uint64_t number, const char *text)
{
    return (struct record){
        .type = type,
        .application_id = application_id,
        .token = token,
        .token_length = strlen(token),
        .chat = chat,
        .number = number,
        .text = text ? text : "",
        .text_length = text ? strlen(text) : 0,
    };
}

struct record record_application_created(const char *token, uint64_t application_id,
                                         const char *name)
{
    return record_of(RECORD_APPLICATION_CREATED, token, application_id, 0, 0, name);
}

struct record record_chat_created(const char *token, uint64_t application_id, uint64_t chat,
                                  const char *name)
{
    return record_of(RECORD_CHAT_CREATED, token, application_id, chat, 0, name);
}

struct record record_message_created(const char *token, uint64_t application_id, uint64_t chat,
                                     uint64_t number, const char *body)
{
    return record_of(RECORD_MESSAGE_CREATED, token, application_id, chat, number, body);
}

struct record record_imported(enum record_type type, const char *token, uint64_t application_id,
                              uint64_t chat, uint64_t number, const char *text, int64_t created,
                              int64_t updated)
{
    struct record record = record_of(type, token, application_id, chat, number, text);
    record.created = created;
    record.updated = updated;
    return record;
}

void records_number(struct record records[], size_t count, uint64_t seq, int64_t time)
{
    for (size_t i = 0; i < count; i++) {
        records[i].seq = seq + 1 + i;
        records[i].time = time;
    }
}

struct position position_after(const struct position *from, size_t count, uint64_t producer,
                               uint64_t sequence, int64_t time)
{
    struct position position = *from;
    position.seq += count;
    position.name = (struct entry_name){.producer = producer, .sequence = sequence};
    position.time = time;
    return position;
}

/* ---- entries ---- */

struct entry entry_of(struct buffer *buffer, const struct position *from, struct entry_name name,
                      int64_t time, const struct record records[], size_t count)
{
    struct buffer group = {0};
    buffer_clear(buffer);
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &records[i];
        bool chat_created = record->type == RECORD_CHAT_CREATED;
        struct group_record one = {
            .text = record->text,
            .text_length = record->text_length,
            .number = record->number,
            .created = record->created,
            .updated = record->updated,
        };
        buffer_clear(&group);
        group_encode(&group, record->type, record->token, record->token_length,
                     chat_created ? 0 : record->chat, &one, 1);
        entry_add_group(buffer, record->application_id,
                        chat_created ? record->chat : record->number, group.data, group.length);
    }
    buffer_free(&group);
    return (struct entry){
        .epoch = from->epoch,
        .seq = from->seq + 1,
        .count = (uint32_t) count,
        .time = time,
        .name = name,
        .predecessor = from->name,
        .groups = buffer->data,
        .groups_length = buffer->length,
    };
}
