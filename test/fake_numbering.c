/* SPDX-License-Identifier: MIT */
#include "fake_numbering.h"

#include <assert.h>
#include <string.h>

void fake_numbering_start(struct fake_numbering *fake, journal_t *journal, unsigned shard,
                          uint64_t epoch)
{
    *fake = (struct fake_numbering){.journal = journal};
    fake->batch = (struct batch){
        .shard = shard, .epoch = epoch, .producer = journal_random(), .groups = fake->groups};
}

void fake_numbering_stop(struct fake_numbering *fake)
{
    for (size_t i = 0; i < FAKE_GROUPS_MAX; i++)
        buffer_free(&fake->bytes[i]);
}

static struct record_group *group_add(struct fake_numbering *fake, enum record_type type,
                                      const char *token, uint64_t chat,
                                      const struct group_record records[], size_t count)
{
    if (fake->sent)
        fake->batch.count = 0;
    fake->sent = false;
    assert(fake->batch.count < FAKE_GROUPS_MAX);
    size_t i = fake->batch.count++;
    struct buffer *bytes = &fake->bytes[i];
    buffer_clear(bytes);
    group_encode(bytes, type, token, strlen(token), chat, records, count);
    fake->groups[i] = (struct record_group){
        .type = type,
        .token = token,
        .token_length = strlen(token),
        .chat = chat,
        .number = records[0].number,
        .number_last = records[count - 1].number,
        .count = (uint32_t) count,
        .bytes = bytes->data,
        .length = bytes->length,
    };
    return &fake->groups[i];
}

struct record_group *fake_group(struct fake_numbering *fake, enum record_type type,
                                const char *token, uint64_t chat, uint64_t number, const char *text)
{
    struct group_record record = {
        .text = text ? text : "",
        .text_length = text ? strlen(text) : 0,
        .number = number,
        .created = 1000000,
        .updated = 1000000,
    };
    return group_add(fake, type, token, chat, &record, 1);
}

static struct record_group *group_of_messages(struct fake_numbering *fake, enum record_type type,
                                              const char *token, uint64_t chat,
                                              const uint64_t numbers[], uint32_t count,
                                              const char *text)
{
    struct group_record records[BATCH_RECORDS_MAX / 8];
    assert(count <= sizeof records / sizeof *records);
    for (uint32_t i = 0; i < count; i++)
        records[i] = (struct group_record){
            .text = text,
            .text_length = strlen(text),
            .number = numbers ? numbers[i] : 0,
            .created = 1000000,
            .updated = 1000000,
        };
    return group_add(fake, type, token, chat, records, count);
}

struct record_group *fake_messages(struct fake_numbering *fake, const char *token, uint64_t chat,
                                   uint32_t count, const char *text)
{
    return group_of_messages(fake, RECORD_MESSAGE_CREATED, token, chat, NULL, count, text);
}

struct record_group *fake_imported(struct fake_numbering *fake, const char *token, uint64_t chat,
                                   const uint64_t numbers[], uint32_t count)
{
    return group_of_messages(fake, RECORD_MESSAGE_IMPORTED, token, chat, numbers, count,
                             "imported");
}

void fake_key(struct record_group *group, uint8_t key, uint8_t request)
{
    group->keyed = true;
    memset(group->key, key, HASH_LENGTH);
    memset(group->request_hash, request, HASH_LENGTH);
}

status_t fake_send(struct fake_numbering *fake)
{
    fake->batch.sequence++;
    return fake_resend(fake);
}

status_t fake_resend(struct fake_numbering *fake)
{
    fake->sent = true;
    return journal_append(fake->journal, &fake->batch, 1);
}

status_t fake_one(struct fake_numbering *fake, enum record_type type, const char *token,
                  uint64_t chat, uint64_t number, const char *text)
{
    struct record_group *group = fake_group(fake, type, token, chat, number, text);
    status_t status = fake_send(fake);
    return status == OK ? group->status : status;
}

uint64_t fake_chat(struct fake_numbering *fake, const char *token)
{
    status_t status = fake_one(fake, RECORD_CHAT_CREATED, token, 0, 0, "a chat");
    return status == OK ? fake->groups[0].first_number : 0;
}

uint64_t fake_message(struct fake_numbering *fake, const char *token, uint64_t chat,
                      const char *text)
{
    status_t status = fake_one(fake, RECORD_MESSAGE_CREATED, token, chat, 0, text);
    return status == OK ? fake->groups[0].first_number : 0;
}
