/* SPDX-License-Identifier: MIT */
#include "storage/journal.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/text.h"
#include "storage/journal_adapter.h"

enum { ADAPTERS_MAX = 5 };

static const struct journal_adapter *adapters[ADAPTERS_MAX] = {&journal_sqlite, &journal_redis};

/* A failed journal_open() leaves no handle that could keep the words. */
static _Thread_local char open_errmsg[JOURNAL_ERRMSG_SIZE];

/* ---- opening ---- */

void journal_adapter_register(const struct journal_adapter *adapter)
{
    size_t i = 0;
    while (adapters[i] && adapters[i] != adapter)
        i++;
    assert(i < ADAPTERS_MAX - 1);
    adapters[i] = adapter;
}

static const struct journal_adapter *adapter_find(const char *url)
{
    size_t i = 0;
    while (adapters[i] && !text_has_scheme(url, adapters[i]->scheme))
        i++;
    return adapters[i];
}

status_t journal_open(const struct journal_options *options, journal_t **ret_journal)
{
    assert(options && options->url && ret_journal);
    assert(options->read_only || options->run != 0);
    const struct journal_adapter *adapter = adapter_find(options->url);
    if (!adapter) {
        /* Not the URL itself: there may be a password in it. */
        snprintf(open_errmsg, sizeof open_errmsg, "no journal is known by the scheme of this URL");
        return ERR_CONFIG;
    }

    journal_t *journal = NULL;
    status_t status = adapter->open(options, &journal);
    if (status != OK) {
        snprintf(open_errmsg, sizeof open_errmsg, "%s",
                 journal && journal->errmsg[0] ? journal->errmsg : status_text(status));
        journal_close(&journal);
        return status;
    }
    *ret_journal = journal;
    return OK;
}

void journal_close(journal_t **journal_p)
{
    journal_t *journal = *journal_p;
    if (!journal)
        return;
    journal->adapter->close(journal);
    *journal_p = NULL;
}

const char *journal_errmsg(const journal_t *journal)
{
    return journal ? journal->errmsg : open_errmsg;
}

status_t journal_fail(journal_t *journal, status_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(journal->errmsg, sizeof journal->errmsg, format, arguments);
    va_end(arguments);
    return status;
}

unsigned journal_servers(const journal_t *journal)
{
    return journal->adapter->servers ? journal->adapter->servers(journal) : 1;
}

bool journal_server_of(journal_t *journal, unsigned shard, unsigned *ret_server)
{
    assert(shard < SHARDS_MAX && ret_server);
    if (journal->adapter->server_of)
        return journal->adapter->server_of(journal, shard, ret_server);
    *ret_server = 0;
    return true;
}

status_t journal_advice(journal_t *journal, void (*say)(void *context, const char *sentence),
                        void *context)
{
    return journal->adapter->advice ? journal->adapter->advice(journal, say, context) : OK;
}

uint64_t journal_random(void)
{
    uint64_t value;
    do {
        randombytes_buf(&value, sizeof value);
        value &= INT64_MAX;
    } while (value == 0);
    return value;
}

int64_t journal_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- shards ---- */

status_t journal_meta(journal_t *journal, unsigned shard, struct journal_meta *ret_meta,
                      bool *ret_found)
{
    assert(shard < SHARDS_MAX && ret_meta && ret_found);
    return journal->adapter->meta(journal, shard, ret_meta, ret_found);
}

status_t journal_create(journal_t *journal, const struct journal_meta *meta)
{
    assert(meta->shards <= SHARDS_MAX && meta->shard < meta->shards);
    assert(meta->data_set && meta->epoch && meta->last_seq >> SEQ_BITS == 0);
    return journal->adapter->create(journal, meta);
}

status_t journal_checked(journal_t *journal, unsigned shard, uint64_t before, uint64_t run)
{
    assert(shard < SHARDS_MAX && run != 0);
    return journal->adapter->checked(journal, shard, before, run);
}

status_t journal_mark(journal_t *journal, unsigned shard, uint64_t mark, bool replace)
{
    assert(shard < SHARDS_MAX && mark != 0);
    return journal->adapter->mark(journal, shard, mark, replace);
}

/* ---- append ---- */

static bool type_is_creation(enum record_type type)
{
    return type <= RECORD_MESSAGE_CREATED;
}

/* What only the actor could have got wrong. */
static void group_assert(const struct record_group *group)
{
    assert(group->type >= RECORD_APPLICATION_CREATED && group->type <= RECORD_IMPORT_ENDED);
    assert(token_valid(group->token, group->token_length));
    assert(group->count > 0 && group->bytes && group->length > 0);
    assert(group->count == 1 || (group->type == RECORD_MESSAGE_CREATED && !group->keyed) ||
           group->type == RECORD_MESSAGE_IMPORTED);
    assert(!group->keyed || type_is_creation(group->type));
}

static void batch_assert(const struct batch *batch)
{
    assert(batch->shard < SHARDS_MAX && batch->count > 0);
    assert(batch->producer != 0 && batch->producer <= INT64_MAX && batch->sequence != 0);
    size_t records = 0, bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct record_group *group = &batch->groups[i];
        group_assert(group);
        assert(i == 0 || batch->groups[i - 1].type <= group->type);
        assert(record_is_import(batch->groups[0].type) == record_is_import(group->type));
        records += group->count;
        bytes += group->length;
    }
    assert(batch->count == 1 || (records <= BATCH_RECORDS_MAX && bytes <= BATCH_BYTES_MAX));
}

static void batch_clear(struct batch *batch)
{
    batch->status = ERR_JOURNAL;
    for (size_t i = 0; i < batch->count; i++) {
        struct record_group *group = &batch->groups[i];
        group->status = ERR_JOURNAL;
        group->replayed = false;
        group->first_number = 0;
        group->time = 0;
        group->result_token_length = 0;
    }
}

/* What only an adapter could have got wrong. */
static void answers_assert(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct record_group *group = &batch->groups[i];
        assert(group->status != ERR_JOURNAL);
        assert((group->type != RECORD_CHAT_CREATED && group->type != RECORD_MESSAGE_CREATED) ||
               (group->status == OK) == (group->first_number > 0));
    }
}

status_t journal_append(journal_t *journal, struct batch batches[], size_t count)
{
    status_t status = OK;
    for (size_t i = 0; i < count; i++) {
        batch_assert(&batches[i]);
        batch_clear(&batches[i]);
    }
    journal->adapter->append(journal, batches, count);
    for (size_t i = 0; i < count; i++) {
        if (batches[i].status == OK)
            answers_assert(&batches[i]);
        else if (status == OK)
            status = batches[i].status;
    }
    return status;
}

/* ---- look ---- */

status_t journal_look(journal_t *journal, struct look looks[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert(token_valid(looks[i].token, looks[i].token_length));
    return count == 0 ? OK : journal->adapter->look(journal, looks, count, NULL);
}

status_t journal_rebuild_look(journal_t *journal, unsigned shard, struct look looks[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert(token_valid(looks[i].token, looks[i].token_length));
    return count == 0 ? OK : journal->adapter->look(journal, looks, count, &shard);
}

/* ---- follow ---- */

void entries_free(struct entries *entries)
{
    free(entries->entry);
    buffer_free(&entries->bytes);
    *entries = (struct entries){0};
}

static void entries_clear(struct entries *entries)
{
    entries->count = 0;
    buffer_clear(&entries->bytes);
}

void entries_add(struct entries *entries, const struct entry *entry)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity ? entries->capacity * 2 : 64;
        entries->entry = realloc(entries->entry, entries->capacity * sizeof *entries->entry);
        if (!entries->entry)
            abort();
    }
    entries->entry[entries->count++] = *entry;
    buffer_append(&entries->bytes, (const char *) entry->groups, entry->groups_length);
}

void entries_settle(struct entries *entries)
{
    const char *at = entries->bytes.data;
    for (size_t i = 0; i < entries->count; i++) {
        entries->entry[i].groups = at;
        at += entries->entry[i].groups_length;
    }
}

/* They came from a disk: refused, not asserted. */
static status_t entries_check(journal_t *journal, const struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        if (entry_check(&entries->entry[i]) != OK)
            return journal_fail(journal, ERR_CORRUPT,
                                "the entry at seq %llu has a wrong checksum, version or shape",
                                (unsigned long long) entries->entry[i].seq);
    return OK;
}

/* True if the position is in the log: `entry` is the first that ends at its seq
 * or later, NULL if there is none; `meta` is of the same moment. */
static bool position_holds(const struct position *position, const struct entry *entry,
                           const struct journal_meta *meta)
{
    if (position->epoch != meta->epoch)
        return false;
    if (!entry)
        return position->seq == meta->last_seq && entry_name_equal(position->name, meta->last_name);
    if (entry->epoch != position->epoch)
        return false;
    if (entry_last_seq(entry) == position->seq)
        return entry_name_equal(entry->name, position->name);
    return entry_follows(entry, position);
}

status_t journal_read(journal_t *journal, unsigned shard, const struct position *after,
                      size_t records_max, size_t bytes_max, struct entries *entries)
{
    assert(shard < SHARDS_MAX && after && entries);
    struct journal_meta meta;
    bool found = false;
    entries_clear(entries);
    status_t status = journal->adapter->read(journal, shard, after->seq + 1, records_max, bytes_max,
                                             entries, &meta, &found);
    if (status != OK)
        return status;
    if (!found || !position_holds(after, entries->count ? &entries->entry[0] : NULL, &meta))
        status = ERR_DIVERGED;
    for (size_t i = 1; status == OK && i < entries->count; i++) {
        struct position before = entry_position(&entries->entry[i - 1], 0);
        if (!entry_follows(&entries->entry[i], &before))
            status = ERR_DIVERGED;
    }
    if (status == OK)
        status = entries_check(journal, entries);
    else
        journal_fail(journal, status, "the log does not continue after seq %llu",
                     (unsigned long long) after->seq);
    if (status != OK)
        entries_clear(entries);
    return status;
}

status_t journal_read_from(journal_t *journal, unsigned shard, uint64_t seq, size_t records_max,
                           size_t bytes_max, struct entries *entries)
{
    assert(shard < SHARDS_MAX && entries);
    struct journal_meta meta;
    bool found = false;
    entries_clear(entries);
    status_t status = journal->adapter->read(journal, shard, seq, records_max, bytes_max, entries,
                                             &meta, &found);
    if (status == OK)
        status = entries_check(journal, entries);
    if (status != OK)
        entries_clear(entries);
    return status;
}

status_t journal_holds(journal_t *journal, unsigned shard, const struct position *position,
                       bool *ret_holds)
{
    assert(shard < SHARDS_MAX && position && ret_holds);
    struct entries entries = {0};
    struct journal_meta meta;
    bool found = false;
    status_t status = journal->adapter->read(journal, shard, position->seq, 1, 1, &entries, &meta,
                                             &found);
    if (status == OK)
        *ret_holds = found &&
                     position_holds(position, entries.count ? &entries.entry[0] : NULL, &meta);
    entries_free(&entries);
    return status;
}

status_t journal_trim(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more)
{
    assert(shard < SHARDS_MAX && seq >> SEQ_BITS == 0 && ret_more);
    return journal->adapter->trim(journal, shard, seq, ret_more);
}

/* ---- rebuild, backup ---- */

status_t journal_rebuild_begin(journal_t *journal, unsigned shard, uint64_t base)
{
    assert(shard < SHARDS_MAX && base >> SEQ_BITS == 0);
    return journal->adapter->rebuild_begin(journal, shard, base);
}

status_t journal_rebuild_application(journal_t *journal, const char *token, size_t token_length,
                                     uint64_t application_id, enum existence existence,
                                     uint64_t last_chat)
{
    assert(token_valid(token, token_length) && application_id != 0);
    return journal->adapter->rebuild_application(journal, token, token_length, application_id,
                                                 existence, last_chat);
}

status_t journal_rebuild_chat(journal_t *journal, const char *token, size_t token_length,
                              uint64_t chat, uint64_t last_message)
{
    assert(token_valid(token, token_length) && chat != 0);
    return journal->adapter->rebuild_chat(journal, token, token_length, chat, last_message);
}

status_t journal_rebuild_end(journal_t *journal, uint64_t mark, const struct journal_meta *meta)
{
    assert(mark != 0 && meta->mark == 0 && meta->data_set && meta->epoch);
    assert(meta->shards <= SHARDS_MAX && meta->shard < meta->shards);
    return journal->adapter->rebuild_end(journal, mark, meta);
}

status_t journal_backup(journal_t *journal, const char *path)
{
    return journal->adapter->backup(journal, path);
}
