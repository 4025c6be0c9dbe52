/* SPDX-License-Identifier: MIT */
/* fuzz_record.c - entries of the log, from a disk that may hold anything.
 *
 * The first byte says what follows: even, the groups of an entry as they are;
 * odd, one group without its checksum, which is added, as mutations seldom
 * guess one. The second byte is the number of records that the entry claims.
 *
 * What decodes must encode to the same bytes, and its strings lie within them.
 */
#include <zlib.h>

#include "common/record.h"
#include "fuzz.h"

static void check_within(const char *text, size_t length, const struct entry *entry)
{
    const char *start = entry->groups;
    FUZZ_CHECK(text >= start && length <= entry->groups_length);
    FUZZ_CHECK(text + length <= start + entry->groups_length);
}

/* Encodes the records of a group that the walk has just come to the end of. */
static void encode_again(struct buffer *again, const struct entry_walk *walk,
                         const struct group_record records[], size_t count)
{
    const struct record *shared = &walk->record;
    struct buffer group = {0};
    bool numbered = shared->type == RECORD_CHAT_CREATED || shared->type == RECORD_MESSAGE_CREATED;
    group_encode(&group, shared->type, shared->token, shared->token_length, shared->chat, records,
                 count);
    entry_add_group(again, shared->application_id, walk->next_number - (numbered ? count : 0),
                    group.data, group.length);
    buffer_free(&group);
}

static void check_entry(const struct entry *entry)
{
    struct buffer again = {0};
    struct group_record *records = calloc(entry->groups_length / 4 + 1, sizeof *records);
    size_t count = 0, total = 0;
    struct entry_walk walk;
    struct record record;
    bool more = true;
    status_t status = OK;
    FUZZ_CHECK(records);
    entry_walk_start(&walk, entry);
    while (more) {
        status = entry_next(&walk, &record, &more);
        if (status != OK || !more)
            break;
        FUZZ_CHECK(record.seq == entry->seq + total++ && record.time == entry->time);
        FUZZ_CHECK(token_valid(record.token, record.token_length));
        check_within(record.token, record.token_length, entry);
        check_within(record.text, record.text_length, entry);
        FUZZ_CHECK(count <= entry->groups_length / 4);
        records[count++] = (struct group_record){record.text, record.text_length, record.number,
                                                 record.created, record.updated};
        if (walk.left == 0) {
            encode_again(&again, &walk, records, count);
            count = 0;
        }
    }
    FUZZ_CHECK(status == OK || status == ERR_CORRUPT);
    FUZZ_CHECK(entry_check(entry) == status);
    if (status == OK) {
        FUZZ_CHECK(total == entry->count && again.length == entry->groups_length);
        FUZZ_CHECK(total == 0 || memcmp(again.data, entry->groups, again.length) == 0);
    }
    free(records);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buffer groups = {0};
    if (data[0] % 2 == 0) {
        buffer_append(&groups, (const char *) data + 2, size - 2);
    } else {
        struct buffer group = {0};
        buffer_append(&group, (const char *) data + 2, size - 2);
        bytes_put(&group, crc32(0, data + 2, (uInt) size - 2), 4);
        entry_add_group(&groups, 1, 1, group.data, group.length);
        buffer_free(&group);
    }
    char *copy = fuzz_copy(groups.data, groups.length);
    const struct entry entry = {
        .epoch = 1,
        .seq = 1000,
        .count = data[1],
        .time = 5,
        .groups = copy,
        .groups_length = groups.length,
    };
    check_entry(&entry);
    free(copy);
    buffer_free(&groups);
    return 0;
}
