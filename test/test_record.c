/* SPDX-License-Identifier: MIT */
/* test_record.c - what is in the log comes back as it was, or is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "common/record.h"

static const char token[] = "Pe4fGzGqZdVv8B1fCsUeWcXw";
static const struct position start = {.epoch = 7, .seq = 41, .name = {9, 3}};
static const struct entry_name name = {9, 4};

/* What an entry holds, in a place of exact size, so that reading past it is seen. */
struct sample {
    struct entry entry;
    char *bytes;
};

static struct sample sample_of(const struct buffer *groups, uint32_t count)
{
    struct sample sample = {.bytes = malloc(groups->length ? groups->length : 1)};
    assert_non_null(sample.bytes);
    memcpy(sample.bytes, groups->data, groups->length);
    sample.entry = (struct entry){
        .epoch = start.epoch,
        .seq = start.seq + 1,
        .count = count,
        .time = 1234567,
        .name = name,
        .predecessor = start.name,
        .groups = sample.bytes,
        .groups_length = groups->length,
    };
    return sample;
}

/* An application, its chats, messages of two chats, and one of each change. */
static struct sample sample_make(void)
{
    static const struct group_record named = {.text = "name", .text_length = 4};
    static const struct group_record bodies[] = {{.text = "one", .text_length = 3},
                                                 {.text = "", .text_length = 0},
                                                 {.text = "\0\xFF", .text_length = 2}};
    static const struct group_record edited = {.text = "new", .text_length = 3, .number = 2};
    static const struct group_record removed = {.text = "", .number = UINT64_C(4294967295)};
    static const struct group_record imported = {
        .text = "old", .text_length = 3, .number = 12, .created = -5, .updated = INT64_MAX};
    static const struct {
        enum record_type type;
        uint64_t chat, first;
        const struct group_record *records;
        size_t count;
    } groups[] = {
        {RECORD_APPLICATION_CREATED, 0, 0, &named, 1},
        {RECORD_CHAT_CREATED, 0, 6, bodies, 3},
        {RECORD_MESSAGE_CREATED, 6, 100, bodies, 3},
        {RECORD_MESSAGE_CREATED, 7, 1, bodies, 1},
        {RECORD_APPLICATION_RENAMED, 0, 0, &named, 1},
        {RECORD_CHAT_RENAMED, 6, 0, &named, 1},
        {RECORD_MESSAGE_EDITED, 6, 0, &edited, 1},
        {RECORD_APPLICATION_DELETED, 0, 0, bodies + 1, 1},
        {RECORD_CHAT_DELETED, 7, 0, bodies + 1, 1},
        {RECORD_MESSAGE_DELETED, 6, 0, &removed, 1},
        {RECORD_APPLICATION_IMPORTED, 0, 0, &imported, 1},
        {RECORD_CHAT_IMPORTED, 3, 0, &imported, 1},
        {RECORD_MESSAGE_IMPORTED, 3, 0, &imported, 1},
        {RECORD_IMPORT_ENDED, 0, 0, &imported, 1},
    };
    struct buffer all = {0}, group = {0};
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        buffer_clear(&group);
        group_encode(&group, groups[i].type, token, strlen(token), groups[i].chat,
                     groups[i].records, groups[i].count);
        entry_add_group(&all, 88, groups[i].first, group.data, group.length);
        count += (uint32_t) groups[i].count;
    }
    struct sample sample = sample_of(&all, count);
    buffer_free(&group);
    buffer_free(&all);
    return sample;
}

/* An entry of one group whose bytes are given, under a right checksum. */
static struct sample sample_of_group(const struct buffer *content, uint32_t count)
{
    struct buffer group = {0}, all = {0};
    buffer_append(&group, content->data, content->length);
    bytes_put(&group, crc32(0, (const Bytef *) group.data, (uInt) group.length), 4);
    entry_add_group(&all, 1, 1, group.data, group.length);
    struct sample sample = sample_of(&all, count);
    buffer_free(&group);
    buffer_free(&all);
    return sample;
}

static void sample_free(struct sample *sample)
{
    free(sample->bytes);
}

/* ---- round trips ---- */

static void assert_record(struct entry_walk *walk, enum record_type type, uint64_t chat,
                          uint64_t number, const char *text, size_t length)
{
    struct record record;
    bool more = false;
    static uint64_t seq;
    assert_int_equal(entry_next(walk, &record, &more), OK);
    assert_true(more);
    if (type == RECORD_APPLICATION_CREATED)
        seq = start.seq;
    assert_int_equal(record.seq, ++seq);
    assert_int_equal(record.type, type);
    assert_int_equal(record.application_id, 88);
    assert_int_equal(record.token_length, strlen(token));
    assert_memory_equal(record.token, token, strlen(token));
    assert_int_equal(record.chat, chat);
    assert_int_equal(record.number, number);
    assert_int_equal(record.time, 1234567);
    assert_int_equal(record.text_length, length);
    if (length)
        assert_memory_equal(record.text, text, length);
    bool imported = type >= RECORD_APPLICATION_IMPORTED;
    assert_true(record.created == (imported ? -5 : 0));
    assert_true(record.updated == (imported ? INT64_MAX : 0));
}

static void records_come_back_as_they_were(void **state)
{
    (void) state;
    struct sample sample = sample_make();
    struct entry_walk walk;
    struct record record;
    bool more = true;
    entry_walk_start(&walk, &sample.entry);
    assert_record(&walk, RECORD_APPLICATION_CREATED, 0, 0, "name", 4);
    assert_record(&walk, RECORD_CHAT_CREATED, 6, 0, "one", 3);
    assert_record(&walk, RECORD_CHAT_CREATED, 7, 0, "", 0);
    assert_record(&walk, RECORD_CHAT_CREATED, 8, 0, "\0\xFF", 2);
    assert_record(&walk, RECORD_MESSAGE_CREATED, 6, 100, "one", 3);
    assert_record(&walk, RECORD_MESSAGE_CREATED, 6, 101, "", 0);
    assert_record(&walk, RECORD_MESSAGE_CREATED, 6, 102, "\0\xFF", 2);
    assert_record(&walk, RECORD_MESSAGE_CREATED, 7, 1, "one", 3);
    assert_record(&walk, RECORD_APPLICATION_RENAMED, 0, 0, "name", 4);
    assert_record(&walk, RECORD_CHAT_RENAMED, 6, 0, "name", 4);
    assert_record(&walk, RECORD_MESSAGE_EDITED, 6, 2, "new", 3);
    assert_record(&walk, RECORD_APPLICATION_DELETED, 0, 0, "", 0);
    assert_record(&walk, RECORD_CHAT_DELETED, 7, 0, "", 0);
    assert_record(&walk, RECORD_MESSAGE_DELETED, 6, UINT64_C(4294967295), "", 0);
    assert_record(&walk, RECORD_APPLICATION_IMPORTED, 0, 12, "old", 3);
    assert_record(&walk, RECORD_CHAT_IMPORTED, 3, 12, "old", 3);
    assert_record(&walk, RECORD_MESSAGE_IMPORTED, 3, 12, "old", 3);
    assert_record(&walk, RECORD_IMPORT_ENDED, 0, 12, "old", 3);
    for (int times = 0; times < 2; times++) {
        assert_int_equal(entry_next(&walk, &record, &more), OK);
        assert_false(more);
    }
    assert_int_equal(entry_check(&sample.entry), OK);
    sample_free(&sample);
}

/* What is on disks today must be readable by every later build. */
static void the_layout_is_frozen(void **state)
{
    (void) state;
    static const uint8_t expected[] = {
        0x58, 0, 0, 0, 0, 0, 0, 0, 0x64, 0,   0,   0, 0, 0, 0, 0,   0x24, 0,
        0,    0, 1, 3, 3, 0, 0, 0, 'a',  '-', '_', 6, 0, 0, 0, 0,   0,    0,
        0,    2, 0, 0, 0, 2, 0, 0, 0,    'h', 'i', 1, 0, 0, 0, '!',
    };
    static const struct group_record records[] = {{.text = "hi", .text_length = 2},
                                                  {.text = "!", .text_length = 1}};
    struct buffer group = {0}, all = {0};
    group_encode(&group, RECORD_MESSAGE_CREATED, "a-_", 3, 6, records, 2);
    entry_add_group(&all, 88, 100, group.data, group.length);
    assert_int_equal(all.length, sizeof expected + 4);
    assert_int_equal(expected[16], group.length);
    assert_memory_equal(all.data, expected, sizeof expected);
    uint32_t checksum;
    memcpy(&checksum, all.data + sizeof expected, 4);
    assert_int_equal(checksum, crc32(0, (const Bytef *) group.data, (uInt) group.length - 4));
    buffer_free(&group);
    buffer_free(&all);
}

/* ---- what does not fit ---- */

/* Walks to the end or to the first fault; all strings must lie in the entry. */
static status_t walk_all(const struct sample *sample, size_t *ret_records)
{
    struct entry_walk walk;
    bool more = true;
    *ret_records = 0;
    entry_walk_start(&walk, &sample->entry);
    while (more) {
        struct record record;
        status_t status = entry_next(&walk, &record, &more);
        if (status != OK)
            return status;
        if (more) {
            const char *end = sample->bytes + sample->entry.groups_length;
            assert_true(record.token >= sample->bytes && record.token + record.token_length <= end);
            assert_true(record.text >= sample->bytes && record.text + record.text_length <= end);
            ++*ret_records;
        }
    }
    return OK;
}

static void every_truncation_is_refused(void **state)
{
    (void) state;
    struct sample whole = sample_make();
    for (size_t length = 0; length < whole.entry.groups_length; length++) {
        struct buffer cut = {0};
        buffer_append(&cut, whole.bytes, length);
        struct sample sample = sample_of(&cut, whole.entry.count);
        size_t records;
        assert_int_equal(walk_all(&sample, &records), ERR_CORRUPT);
        assert_int_equal(entry_check(&sample.entry), ERR_CORRUPT);
        assert_true(records < whole.entry.count);
        sample_free(&sample);
        buffer_free(&cut);
    }
    sample_free(&whole);
}

/* The checksum covers all but what the journal adds before each group. */
static bool is_added_by_journal(const struct sample *sample, size_t at)
{
    for (size_t group = 0; group < sample->entry.groups_length;) {
        uint32_t length;
        memcpy(&length, sample->bytes + group + 16, 4);
        if (at < group + 20 + length)
            return at < group + 16;
        group += 20 + length;
    }
    return false;
}

static void every_changed_byte_is_refused_or_harmless(void **state)
{
    (void) state;
    struct sample sample = sample_make();
    for (size_t at = 0; at < sample.entry.groups_length; at++) {
        char before = sample.bytes[at];
        for (int change = 1; change < 256; change++) {
            size_t records;
            sample.bytes[at] = (char) (before ^ change);
            assert_int_equal(walk_all(&sample, &records),
                             is_added_by_journal(&sample, at) ? OK : ERR_CORRUPT);
            sample.bytes[at] = before; /* also for is_added_by_journal() */
        }
    }
    assert_int_equal(entry_check(&sample.entry), OK);
    sample_free(&sample);
}

static void a_wrong_number_of_records_is_refused(void **state)
{
    (void) state;
    struct sample sample = sample_make();
    uint32_t right = sample.entry.count;
    static const uint32_t wrong[] = {0, 1, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        sample.entry.count = wrong[i];
        assert_int_equal(entry_check(&sample.entry), ERR_CORRUPT);
    }
    sample.entry.count = right - 1;
    assert_int_equal(entry_check(&sample.entry), ERR_CORRUPT);
    sample.entry.count = right + 1;
    assert_int_equal(entry_check(&sample.entry), ERR_CORRUPT);
    sample.entry.count = right;
    assert_int_equal(entry_check(&sample.entry), OK);
    sample_free(&sample);
}

/* A group as a broken or a later build would write it, checksum and all. */
static void assert_group(status_t expected, uint64_t version, uint64_t type, const char *its_token,
                         size_t its_token_length, uint64_t records, const char *rest,
                         size_t rest_length)
{
    struct buffer group = {0};
    bytes_put(&group, version, 1);
    bytes_put(&group, type, 1);
    bytes_put_string(&group, its_token, its_token_length);
    bytes_put(&group, 1, 8);
    bytes_put(&group, records, 4);
    buffer_append(&group, rest, rest_length);
    struct sample sample = sample_of_group(&group, (uint32_t) records);
    assert_int_equal(entry_check(&sample.entry), expected);
    sample_free(&sample);
    buffer_free(&group);
}

static void what_a_right_checksum_covers_is_checked_as_well(void **state)
{
    (void) state;
    static const char text[] = "\2\0\0\0hi", numbered[] = "\1\0\0\0\0\0\0\0\2\0\0\0hi";
    static char long_token[TOKEN_MAX + 1];
    memset(long_token, 'x', sizeof long_token);
    assert_group(OK, 1, RECORD_MESSAGE_CREATED, "t", 1, 1, text, 6);
    assert_group(OK, 1, RECORD_MESSAGE_EDITED, "t", 1, 1, numbered, 14);
    assert_group(OK, 1, RECORD_MESSAGE_CREATED, long_token, TOKEN_MAX, 1, text, 6);
    assert_group(ERR_CORRUPT, 0, RECORD_MESSAGE_CREATED, "t", 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 2, RECORD_MESSAGE_CREATED, "t", 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, 0, "t", 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_IMPORT_ENDED + 1, "t", 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, 255, "t", 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "", 0, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t t", 3, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, long_token, TOKEN_MAX + 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t", 1, 0, text, 0);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t", 1, 2, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t", 1, UINT32_MAX, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t", 1, 1, text, 5);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t", 1, 1, numbered, 14);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_EDITED, "t", 1, 1, text, 6);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_IMPORTED, "t", 1, 1, numbered, 14);
    assert_group(ERR_CORRUPT, 1, RECORD_MESSAGE_CREATED, "t", 1, 1, "\xFF\xFF\xFF\xFF", 4);
}

static void a_group_without_room_for_a_checksum_is_refused(void **state)
{
    (void) state;
    for (size_t length = 0; length < 4; length++) {
        struct buffer all = {0};
        entry_add_group(&all, 1, 1, "\0\0\0", length);
        struct sample sample = sample_of(&all, 1);
        assert_int_equal(entry_check(&sample.entry), ERR_CORRUPT);
        sample_free(&sample);
        buffer_free(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_were),
        cmocka_unit_test(the_layout_is_frozen),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_refused_or_harmless),
        cmocka_unit_test(a_wrong_number_of_records_is_refused),
        cmocka_unit_test(what_a_right_checksum_covers_is_checked_as_well),
        cmocka_unit_test(a_group_without_room_for_a_checksum_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
