/* SPDX-License-Identifier: MIT */
/* journal_sqlite.c - the journal in one SQLite file: shards, looking, reading.
 *
 * A writer holds SQLite's one lock for the length of its transaction, so whatever
 * an append reads stays true until it commits, however many handles there are.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/journal_sqlite.h"

static journal_sqlite_t *cast(journal_t *journal)
{
    return (journal_sqlite_t *) journal;
}

status_t journal_sqlite_failed(journal_sqlite_t *self, const sql_t *sql, status_t status)
{
    if (status == OK)
        return OK;
    return journal_fail(&self->journal, status == ERR_SCHEMA ? ERR_SCHEMA : ERR_JOURNAL, "%s",
                        sql_errmsg(sql));
}

static status_t failed(journal_sqlite_t *self, status_t status)
{
    return journal_sqlite_failed(self, self->sql, status);
}

/* ---- opening ---- */

static status_t journal_sqlite_open(const struct journal_options *options, journal_t **ret_journal)
{
    journal_sqlite_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->journal.adapter = &journal_sqlite;
    *ret_journal = &self->journal;
    self->url = strdup(options->url);
    self->shards = calloc(SHARDS_MAX, sizeof *self->shards);
    if (!self->url || !self->shards)
        abort();
    self->read_only = options->read_only;
    self->run = options->run;
    self->keys_max = options->keys_max;
    self->backlog_records_max = options->backlog_records_max;
    self->backlog_bytes_max = options->backlog_bytes_max;

    status_t status = sql_open(options->url, options->read_only ? SQL_READ_ONLY : SQL_DURABLE,
                               &self->sql);
    if (status == OK)
        status = sql_migrate(self->sql, "journal", !self->read_only);
    return failed(self, status);
}

static void journal_sqlite_close(journal_t *journal)
{
    journal_sqlite_t *self = cast(journal);
    sql_close(&self->relaxed);
    sql_close(&self->sql);
    buffer_free(&self->groups);
    buffer_free(&self->reply);
    free(self->shards);
    free(self->url);
    free(self);
}

/* ---- the shard's row ---- */

#define SHARD_COLUMNS                                                                         \
    "shard, data_set, shards, epoch, mark, checked, last_seq, last_producer, last_sequence, " \
    "last_time, application_change, bytes, trimmed_seq, trimmed_bytes, keys_first, keys_next"

static struct shard_row shard_of_row(sql_rows_t *rows)
{
    uint64_t column[16];
    for (int i = 0; i < 16; i++)
        column[i] = (uint64_t) sql_column_integer(rows, i);
    return (struct shard_row){
        .shard = (unsigned) column[0],
        .data_set = column[1],
        .shards = (uint32_t) column[2],
        .epoch = column[3],
        .mark = column[4],
        .checked = column[5],
        .last_seq = column[6],
        .last_name = {column[7], column[8]},
        .last_time = (int64_t) column[9],
        .application_change = column[10],
        .bytes = column[11],
        .trimmed_seq = column[12],
        .trimmed_bytes = column[13],
        .keys_first = column[14],
        .keys_next = column[15],
    };
}

status_t shard_load(sql_t *sql, unsigned shard, struct shard_row *ret_row, bool *ret_found)
{
    sql_rows_t *rows;
    status_t status = sql_query(sql, "SELECT " SHARD_COLUMNS " FROM shards WHERE shard = ?",
                                SQL_VALUES(sql_integer(shard)), &rows);
    if (status != OK)
        return status;
    *ret_found = sql_next(rows);
    if (*ret_found)
        *ret_row = shard_of_row(rows);
    return sql_end(&rows);
}

status_t shard_save(sql_t *sql, const struct shard_row *row)
{
    return sql_run(
        sql,
        "UPDATE shards SET last_seq = ?, last_producer = ?, last_sequence = ?, "
        "last_time = ?, application_change = ?, bytes = ?, trimmed_seq = ?, "
        "trimmed_bytes = ?, keys_first = ?, keys_next = ? WHERE shard = ?",
        SQL_VALUES(
            sql_integer((int64_t) row->last_seq), sql_integer((int64_t) row->last_name.producer),
            sql_integer((int64_t) row->last_name.sequence), sql_integer(row->last_time),
            sql_integer((int64_t) row->application_change), sql_integer((int64_t) row->bytes),
            sql_integer((int64_t) row->trimmed_seq), sql_integer((int64_t) row->trimmed_bytes),
            sql_integer((int64_t) row->keys_first), sql_integer((int64_t) row->keys_next),
            sql_integer(row->shard)),
        NULL);
}

static struct journal_meta meta_of(const journal_sqlite_t *self, const struct shard_row *row)
{
    return (struct journal_meta){
        .data_set = row->data_set,
        .shards = row->shards,
        .shard = row->shard,
        .epoch = row->epoch,
        .mark = row->mark,
        .checked = row->checked,
        .last_seq = row->last_seq,
        .last_name = row->last_name,
        .last_time = row->last_time,
        .application_change = row->application_change,
        .first_seq = row->trimmed_seq + 1,
        .bytes = row->bytes - row->trimmed_bytes,
        .clock = journal_clock(),
        .run = self->run,
    };
}

static status_t journal_sqlite_meta(journal_t *journal, unsigned shard,
                                    struct journal_meta *ret_meta, bool *ret_found)
{
    journal_sqlite_t *self = cast(journal);
    struct shard_row row;
    status_t status = shard_load(self->sql, shard, &row, ret_found);
    if (status == OK && *ret_found)
        *ret_meta = meta_of(self, &row);
    return failed(self, status);
}

static status_t journal_sqlite_create(journal_t *journal, const struct journal_meta *meta)
{
    journal_sqlite_t *self = cast(journal);
    status_t status = sql_run(
        self->sql,
        "INSERT INTO shards (" SHARD_COLUMNS ") VALUES "
        "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?4, 0, ?8, ?7, 0, ?7, 0, 1, 1)",
        SQL_VALUES(sql_integer(meta->shard), sql_integer((int64_t) meta->data_set),
                   sql_integer(meta->shards), sql_integer((int64_t) meta->epoch),
                   sql_integer((int64_t) meta->mark), sql_integer((int64_t) meta->checked),
                   sql_integer((int64_t) meta->last_seq), sql_integer(meta->last_time)),
        NULL);
    return status == ERR_CONFLICT ? ERR_EXISTS : failed(self, status);
}

static status_t journal_sqlite_checked(journal_t *journal, unsigned shard, uint64_t before,
                                       uint64_t run)
{
    journal_sqlite_t *self = cast(journal);
    uint64_t changed = 0;
    status_t status = sql_run(
        self->sql, "UPDATE shards SET checked = ? WHERE shard = ? AND checked = ?",
        SQL_VALUES(sql_integer((int64_t) run), sql_integer(shard), sql_integer((int64_t) before)),
        &changed);
    if (status != OK)
        return failed(self, status);
    return changed ? OK : ERR_CONFLICT;
}

static status_t journal_sqlite_mark(journal_t *journal, unsigned shard, uint64_t mark, bool replace)
{
    journal_sqlite_t *self = cast(journal);
    status_t status = sql_run(
        self->sql,
        "INSERT INTO shards (" SHARD_COLUMNS ") VALUES "
        "(?1, 0, 0, 0, ?2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1) "
        "ON CONFLICT (shard) DO UPDATE SET mark = ?2 WHERE mark = 0 OR ?3",
        SQL_VALUES(sql_integer(shard), sql_integer((int64_t) mark), sql_integer(replace)), NULL);
    return failed(self, status);
}

/* ---- look ---- */

/* All shards' rows, by number; those that are not there have an epoch of 0. */
static status_t shards_load(journal_sqlite_t *self, uint32_t *ret_shards)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->sql, "SELECT " SHARD_COLUMNS " FROM shards", SQL_NO_VALUES,
                                &rows);
    if (status != OK)
        return failed(self, status);
    memset(self->shards, 0, SHARDS_MAX * sizeof *self->shards);
    *ret_shards = 0;
    while (sql_next(rows)) {
        struct shard_row row = shard_of_row(rows);
        if (row.shard < SHARDS_MAX)
            self->shards[row.shard] = row;
        if (row.shards > *ret_shards)
            *ret_shards = row.shards;
    }
    return failed(self, sql_end(&rows));
}

static status_t look_check(journal_sqlite_t *self, const struct shard_row *shard)
{
    if (shard->mark)
        return ERR_CLOSED;
    if (shard->epoch == 0)
        return journal_fail(&self->journal, ERR_JOURNAL, "the journal does not hold this shard");
    if (!self->read_only && shard->checked != self->run)
        return ERR_UNCHECKED;
    return OK;
}

static void look_answer(struct look *look, const struct application_row *application,
                        const struct chat_row *chat)
{
    static const enum existence existence[] = {EXISTS_NEVER, EXISTS, EXISTS_DELETED};
    look->application = application->id ? existence[application->state] : EXISTS_NEVER;
    look->application_id = application->application_id;
    look->last_chat = application->last_chat;
    look->application_change = application->change;
    look->chat_existence = EXISTS_NEVER;
    look->last_message = look->chat_change = 0;
    if (look->application != EXISTS || look->chat == 0)
        return;
    if (chat->id) {
        look->chat_existence = EXISTS;
        look->last_message = chat->last_message;
        /* What was imported is there from the end of its import on. */
        look->chat_change = chat->change > application->visible ? chat->change
                                                                : application->visible;
    } else if (look->chat <= application->last_chat) {
        look->chat_existence = EXISTS_DELETED;
        look->chat_change = application->change;
    }
}

/* The application and the chat of a look at a shard that may be looked at. `before` is
 * the look before it, whose application is at hand. */
static status_t look_load(journal_sqlite_t *self, struct look *look, const struct look *before,
                          struct application_row *application)
{
    bool same = before && before->token_length == look->token_length &&
                memcmp(before->token, look->token, look->token_length) == 0;
    struct chat_row chat = {0};
    status_t status = OK;
    if (!same)
        status = application_load(self->sql, look->token, look->token_length, application);
    if (status == OK && application->id)
        status = chat_load(self->sql, application, look->chat, &chat);
    if (status == OK)
        look_answer(look, application, &chat);
    return failed(self, status);
}

/* Each has its own status; returns the first that is not OK. */
static status_t looks_answer(journal_sqlite_t *self, struct look looks[], size_t count,
                             const unsigned *closed)
{
    uint32_t shards = 0;
    status_t loaded = shards_load(self, &shards), all = loaded;
    const struct look *before = NULL;
    struct application_row application = {0};
    for (size_t i = 0; i < count; i++) {
        struct look *look = &looks[i];
        unsigned number = closed
                              ? *closed
                              : token_shard(look->token, look->token_length, shards ? shards : 1);
        const struct shard_row *shard = &self->shards[number];
        look->status = loaded;
        if (look->status == OK && !closed)
            look->status = look_check(self, shard);
        look->epoch = shard->epoch;
        if (look->status == OK)
            look->status = look_load(self, look, before, &application);
        before = look->status == OK ? look : NULL;
        if (all == OK)
            all = look->status;
    }
    return all;
}

static status_t journal_sqlite_look(journal_t *journal, struct look looks[], size_t count,
                                    const unsigned *closed)
{
    journal_sqlite_t *self = cast(journal);
    status_t status = failed(self, sql_begin_read(self->sql));
    if (status != OK) {
        for (size_t i = 0; i < count; i++)
            looks[i].status = status;
        return status;
    }
    status = looks_answer(self, looks, count, closed);
    sql_rollback(self->sql);
    return status;
}

/* ---- read ---- */

static struct entry entry_of_row(sql_rows_t *rows)
{
    uint64_t column[8];
    for (int i = 0; i < 8; i++)
        column[i] = (uint64_t) sql_column_integer(rows, i);
    struct entry entry = {
        .epoch = column[1],
        .seq = seq_of_id((int64_t) column[0]) + 1 - column[2],
        .count = (uint32_t) column[2],
        .time = (int64_t) column[3],
        .name = {column[4], column[5]},
        .predecessor = {column[6], column[7]},
    };
    entry.groups = sql_column_bytes(rows, 8, &entry.groups_length);
    return entry;
}

static status_t entries_load(journal_sqlite_t *self, unsigned shard, uint64_t seq,
                             size_t records_max, size_t bytes_max, struct entries *entries)
{
    sql_rows_t *rows;
    status_t status = sql_query(
        self->sql,
        "SELECT id, epoch, count, time, producer, sequence, "
        "before_producer, before_sequence, groups FROM entries "
        "WHERE id >= ? AND id <= ? ORDER BY id",
        SQL_VALUES(sql_integer(shard_id(shard, seq)), sql_integer(shard_id_last(shard))), &rows);
    if (status != OK)
        return failed(self, status);
    size_t records = 0;
    while ((entries->count == 0 || (records < records_max && entries->bytes.length < bytes_max)) &&
           sql_next(rows)) {
        struct entry entry = entry_of_row(rows);
        entries_add(entries, &entry);
        records += entry.count;
    }
    entries_settle(entries);
    return failed(self, sql_end(&rows));
}

static status_t journal_sqlite_read(journal_t *journal, unsigned shard, uint64_t seq,
                                    size_t records_max, size_t bytes_max, struct entries *entries,
                                    struct journal_meta *ret_meta, bool *ret_found)
{
    journal_sqlite_t *self = cast(journal);
    status_t status = failed(self, sql_begin_read(self->sql));
    if (status != OK)
        return status;
    status = journal_sqlite_meta(journal, shard, ret_meta, ret_found);
    if (status == OK)
        status = entries_load(self, shard, seq, records_max, bytes_max, entries);
    sql_rollback(self->sql);
    return status;
}

static status_t journal_sqlite_backup(journal_t *journal, const char *path)
{
    journal_sqlite_t *self = cast(journal);
    status_t status = sql_backup(self->sql, path);
    return status == ERR_EXISTS ? journal_fail(journal, status, "%s", sql_errmsg(self->sql))
                                : failed(self, status);
}

const struct journal_adapter journal_sqlite = {
    .scheme = "sqlite",
    .open = journal_sqlite_open,
    .close = journal_sqlite_close,
    .meta = journal_sqlite_meta,
    .create = journal_sqlite_create,
    .checked = journal_sqlite_checked,
    .mark = journal_sqlite_mark,
    .append = journal_sqlite_append,
    .look = journal_sqlite_look,
    .read = journal_sqlite_read,
    .trim = journal_sqlite_trim,
    .rebuild_begin = journal_sqlite_rebuild_begin,
    .rebuild_application = journal_sqlite_rebuild_application,
    .rebuild_chat = journal_sqlite_rebuild_chat,
    .rebuild_end = journal_sqlite_rebuild_end,
    .backup = journal_sqlite_backup,
};
