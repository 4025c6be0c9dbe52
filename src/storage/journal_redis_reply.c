/* SPDX-License-Identifier: MIT */
/* journal_redis_reply.c - the reply to a batch, as the script answers and stores it:
 * last seq 8 (not stored); time 8, groups 4, a status each 1 (128: replayed), a first
 * number each 4; then for each that is replayed its time 8, and its token. */
#include <string.h>

#include "common/bytes.h"
#include "storage/journal_redis.h"

enum { REPLAYED = 128 };

static void token_set(struct record_group *group, const char *token, size_t length)
{
    group->result_token_length = length < TOKEN_MAX ? length : TOKEN_MAX;
    memcpy(group->result_token, token, group->result_token_length);
}

/* It comes from a network. */
static bool group_possible(const struct record_group *group)
{
    bool numbered = group->type == RECORD_CHAT_CREATED || group->type == RECORD_MESSAGE_CREATED;
    if (group->status == OK)
        return !numbered || group->first_number > 0;
    return group->status < ERR_STOPPED && group->status != ERR_JOURNAL && group->first_number == 0;
}

bool batch_answer_decode(const char *bytes, size_t length, struct batch *batch)
{
    struct bytes_reader reader = bytes_reader(bytes, length);
    uint64_t last_seq = bytes_get(&reader, 8);
    int64_t time = (int64_t) bytes_get(&reader, 8);
    if (bytes_get(&reader, 4) != batch->count)
        return false;
    const uint8_t *codes = bytes_take(&reader, batch->count);
    for (size_t i = 0; !reader.bad && i < batch->count; i++)
        batch->groups[i].first_number = bytes_get(&reader, 4);
    for (size_t i = 0; !reader.bad && i < batch->count; i++) {
        struct record_group *group = &batch->groups[i];
        group->status = (status_t) (codes[i] & ~(unsigned) REPLAYED);
        group->replayed = codes[i] & REPLAYED;
        group->time = group->status == OK ? time : 0;
        if (group->replayed) {
            group->time = (int64_t) bytes_get(&reader, 8);
            size_t token_length;
            const char *token = bytes_get_string(&reader, &token_length);
            token_set(group, token, token_length);
        } else if (group->status == OK && group->type == RECORD_APPLICATION_CREATED) {
            token_set(group, group->token, group->token_length);
        }
        if (!group_possible(group))
            return false;
    }
    batch->last_seq = last_seq;
    return bytes_finished(&reader);
}
