/* SPDX-License-Identifier: MIT */
/* store_dead_retry.c - dead records again: listed, applied after all, or dropped.
 *
 * In one transaction with what joined them, and with the lock of persistence, whose
 * batch might be about the same thing.
 */
#include <string.h>

#include "storage/store_internal.h"

/* ---- reading back ---- */

#define DEAD_COLUMNS                                                                              \
    "seq, type, application_id, token, chat, number, time, created, updated, text, root, shard, " \
    "reason, joined"

/* Its strings live until the next row. */
static struct record dead_read(sql_rows_t *rows)
{
    struct record record = {
        .seq = sql_column_number(rows, 0),
        .type = (enum record_type) sql_column_integer(rows, 1),
        .application_id = sql_column_number(rows, 2),
        .chat = sql_column_number(rows, 4),
        .number = sql_column_number(rows, 5),
        .time = sql_column_integer(rows, 6),
        .created = sql_column_integer(rows, 7),
        .updated = sql_column_integer(rows, 8),
    };
    record.token = sql_column_bytes(rows, 3, &record.token_length);
    record.text = sql_column_bytes(rows, 9, &record.text_length);
    return record;
}

/* A walk over all of them. */
struct dead_walk {
    void (*each)(void *context, const struct dead_record *dead);
    void *context;
    int64_t shard; /* of the last one */
    uint64_t seq;
    size_t count; /* of this page */
    struct buffer reason;
};

static status_t dead_deliver(struct dead_walk *walk, status_t status, sql_rows_t *rows)
{
    walk->count = 0;
    if (status != OK)
        return status;
    for (; sql_next(rows); walk->count++) {
        size_t length;
        const char *bytes = sql_column_bytes(rows, 12, &length);
        buffer_clear(&walk->reason);
        buffer_append(&walk->reason, bytes, length);
        walk->shard = sql_column_integer(rows, 11);
        struct dead_record dead = {
            .shard = (unsigned) walk->shard,
            .record = dead_read(rows),
            .reason = walk->reason.data,
            .root = sql_column_integer(rows, 10) == DEAD_ROOT,
        };
        walk->seq = dead.record.seq;
        walk->each(walk->context, &dead);
    }
    return sql_end(&rows);
}

/* By pages: a lost history may have left very many. */
status_t store_dead_each(store_t *store,
                         void (*each)(void *context, const struct dead_record *dead), void *context)
{
    struct dead_walk walk = {.each = each, .context = context, .shard = -1};
    status_t status;
    do {
        sql_rows_t *rows = NULL;
        status = sql_query(store->sql,
                           "SELECT " DEAD_COLUMNS " FROM dead_records WHERE dropped = 0 "
                           "AND shard = ? AND seq > ? ORDER BY seq LIMIT 100",
                           SQL_VALUES(sql_integer(walk.shard), sql_number(walk.seq)), &rows);
        status = dead_deliver(&walk, status, rows);
        if (status != OK || walk.count > 0)
            continue;
        status = sql_query(store->sql,
                           "SELECT " DEAD_COLUMNS " FROM dead_records WHERE dropped = 0 "
                           "AND shard > ? ORDER BY shard, seq LIMIT 100",
                           SQL_VALUES(sql_integer(walk.shard)), &rows);
        status = dead_deliver(&walk, status, rows);
    } while (status == OK && walk.count > 0);
    buffer_free(&walk.reason);
    return store_status(status);
}

/* A dead record taken out of the table, with its strings. */
struct dead_copy {
    struct record record;
    struct buffer strings;
    enum dead_kind root, joined;
};

static void dead_copy_read(struct dead_copy *copy, sql_rows_t *rows)
{
    buffer_clear(&copy->strings);
    copy->record = dead_read(rows);
    copy->root = (enum dead_kind) sql_column_integer(rows, 10);
    copy->joined = (enum dead_kind) sql_column_integer(rows, 13);
    buffer_append(&copy->strings, copy->record.token, copy->record.token_length);
    buffer_append(&copy->strings, copy->record.text, copy->record.text_length);
    copy->record.token = copy->strings.data;
    copy->record.text = copy->strings.data + copy->record.token_length;
}

/* ERR_CONFLICT: there is no such dead record. */
static status_t dead_find(store_t *store, unsigned shard, uint64_t seq, struct dead_copy *copy)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store,
                                      "SELECT " DEAD_COLUMNS " FROM dead_records "
                                      "WHERE shard = ? AND seq = ? AND dropped = 0",
                                      SQL_VALUES(sql_integer(shard), sql_number(seq)), &rows);
    if (status != OK)
        return status;
    if (!rows)
        return ERR_CONFLICT;
    dead_copy_read(copy, rows);
    return sql_end(&rows);
}

/* The first record after `seq` that joined `first`; *ret_found false: no more. */
static status_t dead_next_joined(store_t *store, unsigned shard, const struct dead_copy *first,
                                 uint64_t seq, struct dead_copy *copy, bool *ret_found)
{
    sql_rows_t *rows;
    const struct record *root = &first->record;
    struct sql_value chat = sql_number(root->chat), target = sql_number(record_target(root));
    status_t status = store_query_one(
        store,
        "SELECT " DEAD_COLUMNS " FROM dead_records WHERE shard = ? "
        "AND seq > ? AND joined = ? AND application_id = ? "
        "AND token = ? AND (? = 0 OR chat = ?) "
        "AND (? = 0 OR target = ?) ORDER BY seq LIMIT 1",
        SQL_VALUES(sql_integer(shard), sql_number(seq), sql_integer(first->root),
                   sql_number(root->application_id), sql_text(root->token, root->token_length),
                   chat, chat, target, target),
        &rows);
    if (status != OK)
        return status;
    *ret_found = rows != NULL;
    if (rows)
        dead_copy_read(copy, rows);
    return sql_end(&rows);
}

static status_t dead_delete(store_t *store, unsigned shard, uint64_t seq)
{
    return sql_run(store->sql, "DELETE FROM dead_records WHERE shard = ? AND seq = ?",
                   SQL_VALUES(sql_integer(shard), sql_number(seq)), NULL);
}

/* ---- retry and drop ---- */

/* What belongs to a dead creation would only be put aside again, or dropped. */
static status_t dead_covered(store_t *store, const struct dead_copy *dead, bool *ret_covered)
{
    enum dead_cover cover = COVER_NONE;
    status_t status = dead_cover(store, &dead->record, &cover);
    if (status == OK && cover == COVER_NONE && dead->joined == DEAD_RIVAL)
        status = dead_cover_of(store, &dead->record, DEAD_RIVAL, &cover);
    *ret_covered = cover != COVER_NONE;
    return status;
}

/* Of what was deleted meanwhile the record is only forgotten. */
static status_t dead_run(store_t *store, unsigned shard, const struct dead_copy *dead)
{
    bool covered = false;
    enum dead_parents parents = PARENTS_GONE;
    status_t status = dead_delete(store, shard, dead->record.seq);
    if (status == OK)
        status = dead_covered(store, dead, &covered);
    if (status == OK && !covered)
        status = dead_parents(store, &dead->record, &parents);
    if (status != OK || parents == PARENTS_DELETED)
        return status;
    if (parents != PARENTS_LIVE)
        return ERR_DATA;
    return records_apply(store, shard, &dead->record, 1, NULL, NULL);
}

/* The record, and what joined it, may have changed any number below itself. */
static status_t dead_recount(store_t *store, const struct record *record)
{
    status_t status = record->chat ? recount_chat(store, record->application_id, record->chat)
                                   : recount_chats(store, record->application_id);
    return status == OK ? recount_application(store, record->application_id) : status;
}

static status_t dead_retry(store_t *store, unsigned shard, const struct dead_copy *first,
                           struct dead_copy *joined)
{
    status_t status = dead_run(store, shard, first);
    bool found = first->root != DEAD_NONE;
    uint64_t seq = first->record.seq;
    while (status == OK && found) {
        status = dead_next_joined(store, shard, first, seq, joined, &found);
        if (status != OK || !found)
            break;
        seq = joined->record.seq;
        status = dead_run(store, shard, joined);
    }
    return status == OK ? dead_recount(store, &first->record) : status;
}

/* A dropped root stays as a stub: what comes later for it must not become rows
 * that belong to nothing. After a rival comes nothing. */
static status_t dead_forget(store_t *store, unsigned shard, const struct dead_copy *first)
{
    if (first->root != DEAD_ROOT)
        return dead_delete(store, shard, first->record.seq);
    return sql_run(store->sql,
                   "UPDATE dead_records SET dropped = 1, text = ? "
                   "WHERE shard = ? AND seq = ?",
                   SQL_VALUES(sql_blob("", 0), sql_integer(shard), sql_number(first->record.seq)),
                   NULL);
}

static status_t dead_drop(store_t *store, unsigned shard, const struct dead_copy *first,
                          struct dead_copy *joined)
{
    status_t status = dead_forget(store, shard, first);
    bool found = first->root != DEAD_NONE;
    while (status == OK && found) {
        status = dead_next_joined(store, shard, first, first->record.seq, joined, &found);
        if (status == OK && found)
            status = dead_delete(store, shard, joined->record.seq);
    }
    return status;
}

typedef status_t dead_action(store_t *store, unsigned shard, const struct dead_copy *first,
                             struct dead_copy *joined);

static status_t dead_transaction(store_t *store, unsigned shard, uint64_t seq, dead_action *action)
{
    struct dead_copy first = {0}, joined = {0};
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = persistence_lock(store, shard);
    if (status == OK)
        status = dead_find(store, shard, seq, &first);
    if (status == OK)
        status = action(store, shard, &first, &joined);
    status = store_finish(store, status);
    buffer_free(&first.strings);
    buffer_free(&joined.strings);
    return store_status(status);
}

status_t store_dead_retry(store_t *store, unsigned shard, uint64_t seq)
{
    return dead_transaction(store, shard, seq, dead_retry);
}

status_t store_dead_drop(store_t *store, unsigned shard, uint64_t seq)
{
    return dead_transaction(store, shard, seq, dead_drop);
}
