/* SPDX-License-Identifier: MIT */
/* journal_redis_read.c - entries out of the shard's stream.
 *
 * How many bytes an entry has is not known before it is read, so a page is as many
 * entries as the bytes of those before let expect.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "storage/journal_redis.h"

enum {
    ENTRY_BYTES = 64 << 10, /* taken for granted before any was read */
    PAGE_MAX = 1024,
    HEAD_LENGTH = 60,  /* before what there is for each group */
    GROUP_LENGTH = 16, /* that */
    TRIES = 3,
};

/* ---- an entry ---- */

/* Puts the groups together as an entry has them; false: they do not fit together. */
static bool groups_join(const redisReply *head, const redisReply *body, struct buffer *groups)
{
    size_t count = (head->len - HEAD_LENGTH) / GROUP_LENGTH;
    if (count * GROUP_LENGTH + HEAD_LENGTH != head->len)
        return false;
    struct bytes_reader ids = bytes_reader(head->str + HEAD_LENGTH, 8 * count);
    struct bytes_reader numbers = bytes_reader(head->str + HEAD_LENGTH + 8 * count, 4 * count);
    struct bytes_reader lengths = bytes_reader(head->str + HEAD_LENGTH + 12 * count, 4 * count);
    struct bytes_reader bodies = bytes_reader(body->str, body->len);
    for (size_t i = 0; i < count; i++) {
        uint64_t id = bytes_get(&ids, 8), number = bytes_get(&numbers, 4);
        size_t length = (size_t) bytes_get(&lengths, 4);
        const uint8_t *group = bytes_take(&bodies, length);
        if (!group)
            return false;
        entry_add_group(groups, id, number, group, length);
    }
    return bytes_finished(&bodies);
}

/* An entry that does not have this shape becomes one without groups, which the check
 * of entries finds. */
static void entry_take(const redisReply *reply, struct buffer *groups, struct entries *entries)
{
    struct entry entry = {.groups = ""};
    const redisReply *fields = reply->elements == 2 ? reply->element[1] : NULL;
    buffer_clear(groups);
    if (fields && fields->elements == 4 && fields->element[1]->len >= HEAD_LENGTH) {
        const redisReply *head = fields->element[1];
        struct bytes_reader reader = bytes_reader(head->str, HEAD_LENGTH);
        entry.epoch = bytes_get(&reader, 8);
        entry.name.producer = bytes_get(&reader, 8);
        entry.name.sequence = bytes_get(&reader, 8);
        entry.predecessor.producer = bytes_get(&reader, 8);
        entry.predecessor.sequence = bytes_get(&reader, 8);
        entry.time = (int64_t) bytes_get(&reader, 8);
        bytes_get(&reader, 8);
        entry.count = (uint32_t) bytes_get(&reader, 4);
        if (!groups_join(head, fields->element[3], groups))
            buffer_clear(groups);
    }
    if (reply->elements > 0 && reply->element[0]->str)
        entry.seq = strtoull(reply->element[0]->str, NULL, 10) + 1 - entry.count;
    if (groups->length) {
        entry.groups = groups->data;
        entry.groups_length = groups->length;
    } else if (entry.count == 0) {
        entry.count = 1; /* so that it is not taken for an empty one, which would be right */
    }
    entries_add(entries, &entry);
}

/* ---- pages ---- */

struct page {
    uint32_t name; /* of the log */
    uint64_t seq;  /* of the next entry at least */
    size_t records, records_max, bytes_max;
    bool full, last;
};

static size_t page_count(const journal_redis_t *self, unsigned shard, const struct page *page,
                         const struct entries *entries)
{
    size_t each = self->entry_bytes[shard] ? self->entry_bytes[shard] : ENTRY_BYTES;
    size_t bytes = page->bytes_max > entries->bytes.length
                       ? (page->bytes_max - entries->bytes.length) / each + 1
                       : 1;
    size_t records = page->records_max > page->records ? page->records_max - page->records : 1;
    size_t count = bytes < records ? bytes : records;
    return count < PAGE_MAX ? count : PAGE_MAX;
}

static void page_words(journal_redis_t *self, unsigned shard, const struct page *page, size_t count)
{
    struct words *words = &self->words;
    words_clear(words);
    words_text(words, "XRANGE");
    words_printf(words, "{s%u}log:%08x", shard, page->name);
    words_printf(words, "%" PRIu64 "-0", page->seq);
    words_text(words, "+");
    words_text(words, "COUNT");
    words_printf(words, "%zu", count);
}

static void page_take(journal_redis_t *self, unsigned shard, const redisReply *reply, size_t count,
                      struct page *page, struct entries *entries)
{
    struct buffer groups = {0};
    page->last = reply->elements < count;
    for (size_t i = 0; i < reply->elements && !page->full; i++) {
        entry_take(reply->element[i], &groups, entries);
        const struct entry *entry = &entries->entry[entries->count - 1];
        page->records += entry->count;
        page->seq = entry_last_seq(entry) + 1;
        page->full = page->records >= page->records_max || entries->bytes.length >= page->bytes_max;
    }
    if (entries->count)
        self->entry_bytes[shard] = entries->bytes.length / entries->count + 1;
    buffer_free(&groups);
}

/* Sends the two commands of the first page. The meta comes first: what is appended or
 * trimmed between the two is as if it had been so when the meta was read, or after. */
static status_t first_ask(journal_redis_t *self, struct node *node, unsigned shard,
                          const struct page *page, size_t count, redisReply *replies[2])
{
    status_t status = node_ready(self, node);
    if (status != OK)
        return status;
    words_clear(&self->words);
    words_text(&self->words, "GET");
    words_printf(&self->words, "{s%u}meta", shard);
    node_send(node, &self->words);
    page_words(self, shard, page, count);
    node_send(node, &self->words);
    status = node_flush(self, node);
    for (int i = 0; status == OK && i < 2; i++)
        status = node_answer(self, node, &replies[i]);
    for (int i = 0; status == OK && i < 2; i++)
        if (replies[i]->type == REDIS_REPLY_ERROR)
            status = node_error(self, node, replies[i]);
    if (status == OK && replies[1]->type != REDIS_REPLY_ARRAY)
        status = node_surprised(self, node);
    return status == OK ? OK : ERR_JOURNAL;
}

/* *ret_again: the log has another name by now. */
static status_t first_page(journal_redis_t *self, struct node *node, unsigned shard,
                           struct page *page, struct entries *entries,
                           struct journal_meta *ret_meta, bool *ret_found, bool *ret_again)
{
    redisReply *replies[2] = {NULL, NULL};
    uint32_t name = 0;
    size_t count = page_count(self, shard, page, entries);
    status_t status = first_ask(self, node, shard, page, count, replies);
    *ret_found = status == OK && replies[0]->type != REDIS_REPLY_NIL;
    if (status == OK && !*ret_found)
        page->last = true;
    if (*ret_found && !meta_decode(self, node, replies[0], ret_meta, &name))
        status = node_fail(self, node, ERR_JOURNAL,
                           "the shard's meta is not one of this version of confab");
    if (status == OK && *ret_found) {
        *ret_again = name != page->name;
        meta_note(self, node, shard, replies[0]);
        if (!*ret_again)
            page_take(self, shard, replies[1], count, page, entries);
    }
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    return status;
}

static status_t next_page(journal_redis_t *self, struct node *node, unsigned shard,
                          struct page *page, struct entries *entries)
{
    redisReply *reply = NULL;
    size_t count = page_count(self, shard, page, entries);
    page_words(self, shard, page, count);
    status_t status = node_get(self, node, &self->words, &reply);
    if (status == OK && reply->type != REDIS_REPLY_ARRAY)
        status = node_surprised(self, node);
    if (status == OK)
        page_take(self, shard, reply, count, page, entries);
    freeReplyObject(reply);
    return status;
}

status_t journal_redis_read(journal_t *journal, unsigned shard, uint64_t seq, size_t records_max,
                            size_t bytes_max, struct entries *entries,
                            struct journal_meta *ret_meta, bool *ret_found)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct page page = {.seq = seq, .records_max = records_max, .bytes_max = bytes_max};
    struct node *node;
    bool again = true;
    status_t status = shard_node(self, shard, &node);
    for (int tries = 0; status == OK && again; tries++) {
        again = false;
        if (node_ready(self, node) == OK) /* which learns the names when it connects */
            page.name = self->known[shard].name;
        status = first_page(self, node, shard, &page, entries, ret_meta, ret_found, &again);
        if (tries == TRIES)
            return journal_fail(journal, ERR_JOURNAL, "shard %u is rebuilt just now", shard);
    }
    uint64_t connection = status == OK ? node->connection : 0;
    while (status == OK && !page.full && !page.last) {
        status = next_page(self, node, shard, &page, entries);
        /* Pages of different lives of Redis are not one log. */
        if (status == OK && connection != node->connection)
            status = node_fail(self, node, ERR_JOURNAL, "it was connected to anew");
    }
    if (status == OK)
        entries_settle(entries);
    return status;
}
