/* SPDX-License-Identifier: MIT */
#include "common/record.h"

#include <assert.h>
#include <zlib.h>

enum { GROUP_VERSION = 1, CRC_LENGTH = 4 };

/* Types whose records carry a number of their own; the others get theirs from
 * the journal, counting up, or need none. */
static bool type_has_number(enum record_type type)
{
    return type == RECORD_MESSAGE_EDITED || type == RECORD_MESSAGE_DELETED ||
           record_is_import(type);
}

static bool type_is_numbered_by_journal(enum record_type type)
{
    return type == RECORD_CHAT_CREATED || type == RECORD_MESSAGE_CREATED;
}

static uint32_t checksum(const void *data, size_t length)
{
    return (uint32_t) crc32_z(0, (const Bytef *) data, length);
}

void group_encode(struct buffer *buffer, enum record_type type, const char *token,
                  size_t token_length, uint64_t chat, const struct group_record records[],
                  size_t count)
{
    assert(token_valid(token, token_length) && count > 0 && count <= UINT32_MAX);
    size_t start = buffer->length;
    bytes_put(buffer, GROUP_VERSION, 1);
    bytes_put(buffer, type, 1);
    bytes_put_string(buffer, token, token_length);
    bytes_put(buffer, chat, 8);
    bytes_put(buffer, count, 4);
    for (size_t i = 0; i < count; i++) {
        if (type_has_number(type))
            bytes_put(buffer, records[i].number, 8);
        if (record_is_import(type)) {
            bytes_put(buffer, (uint64_t) records[i].created, 8);
            bytes_put(buffer, (uint64_t) records[i].updated, 8);
        }
        bytes_put_string(buffer, records[i].text, records[i].text_length);
    }
    bytes_put(buffer, checksum(buffer->data + start, buffer->length - start), CRC_LENGTH);
}

void entry_add_group(struct buffer *buffer, uint64_t application_id, uint64_t first_number,
                     const void *group, size_t group_length)
{
    bytes_put(buffer, application_id, 8);
    bytes_put(buffer, first_number, 8);
    bytes_put_string(buffer, group, group_length);
}

void entry_walk_start(struct entry_walk *walk, const struct entry *entry)
{
    *walk = (struct entry_walk){
        .entry = entry,
        .groups = bytes_reader(entry->groups, entry->groups_length),
        .next_seq = entry->seq,
    };
}

/* Steps into the next group: its checksum first, then its head. */
static bool walk_group(struct entry_walk *walk)
{
    struct record *record = &walk->record;
    *record = (struct record){.time = walk->entry->time};
    record->application_id = bytes_get(&walk->groups, 8);
    walk->next_number = bytes_get(&walk->groups, 8);
    size_t length;
    const char *group = bytes_get_string(&walk->groups, &length);
    if (walk->groups.bad || length < CRC_LENGTH)
        return false;

    length -= CRC_LENGTH;
    struct bytes_reader crc = bytes_reader(group + length, CRC_LENGTH);
    if (bytes_get(&crc, CRC_LENGTH) != checksum(group, length))
        return false;

    walk->group = bytes_reader(group, length);
    if (bytes_get(&walk->group, 1) != GROUP_VERSION)
        return false;
    record->type = (enum record_type) bytes_get(&walk->group, 1);
    record->token = bytes_get_string(&walk->group, &record->token_length);
    record->chat = bytes_get(&walk->group, 8);
    walk->left = (uint32_t) bytes_get(&walk->group, 4);
    return !walk->group.bad && walk->left > 0 && record->type >= RECORD_APPLICATION_CREATED &&
           record->type <= RECORD_IMPORT_ENDED && token_valid(record->token, record->token_length);
}

status_t entry_next(struct entry_walk *walk, struct record *ret_record, bool *ret_more)
{
    if (walk->left == 0) {
        if (walk->groups.at == walk->groups.end) {
            *ret_more = false;
            return walk->next_seq == walk->entry->seq + walk->entry->count ? OK : ERR_CORRUPT;
        }
        if (!walk_group(walk))
            return ERR_CORRUPT;
    }

    struct record record = walk->record;
    record.seq = walk->next_seq++;
    if (type_has_number(record.type))
        record.number = bytes_get(&walk->group, 8);
    if (record_is_import(record.type)) {
        record.created = (int64_t) bytes_get(&walk->group, 8);
        record.updated = (int64_t) bytes_get(&walk->group, 8);
    }
    record.text = bytes_get_string(&walk->group, &record.text_length);
    if (type_is_numbered_by_journal(record.type)) {
        uint64_t number = walk->next_number++;
        if (record.type == RECORD_CHAT_CREATED)
            record.chat = number;
        else
            record.number = number;
    }
    walk->left--;
    if (walk->group.bad || (walk->left == 0 && !bytes_finished(&walk->group)))
        return ERR_CORRUPT;
    *ret_record = record;
    *ret_more = true;
    return OK;
}

status_t entry_check(const struct entry *entry)
{
    struct entry_walk walk;
    struct record record;
    bool more = true;
    entry_walk_start(&walk, entry);
    while (more) {
        status_t status = entry_next(&walk, &record, &more);
        if (status != OK)
            return status;
    }
    return OK;
}

struct position entry_position(const struct entry *entry, uint64_t run)
{
    return (struct position){
        .epoch = entry->epoch,
        .seq = entry_last_seq(entry),
        .name = entry->name,
        .time = entry->time,
        .run = run,
    };
}

bool entry_follows(const struct entry *entry, const struct position *position)
{
    return entry->epoch == position->epoch && entry->seq == position->seq + 1 && entry->count > 0 &&
           entry_name_equal(entry->predecessor, position->name);
}

unsigned token_shard(const char *token, size_t token_length, unsigned shards)
{
    assert(shards > 0);
    return shards == 1 ? 0 : checksum(token, token_length) % shards;
}

bool token_valid(const char *token, size_t token_length)
{
    if (token_length == 0 || token_length > TOKEN_MAX)
        return false;
    for (size_t i = 0; i < token_length; i++) {
        unsigned char c = (unsigned char) token[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}
