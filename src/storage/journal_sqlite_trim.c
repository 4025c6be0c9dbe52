/* SPDX-License-Identifier: MIT */
/* journal_sqlite_trim.c - removing what nobody needs any more, beside the appends.
 *
 * Appends wait while a slice is removed, so slices are small. They are not synced:
 * what a power loss takes back is removed again. They cannot become durable too
 * early either: the positions up to which is trimmed were durable in the store
 * before, and the WAL keeps the order of commits.
 */
#include <assert.h>
#include <unistd.h>

#include "storage/journal_sqlite.h"

enum {
    SLICE_ENTRIES = 512,
    SLICE_BYTES = 2 << 20,
    SLICE_KEYS = 256,
    BEGIN_STEP_US = 250,
    BEGIN_WAIT_US = 1000 * 1000,
};

/* SQLite's own waiting for the lock sleeps longer and longer, and would hardly ever
 * meet one of the short moments between the appends of a busy server. */
static const char *const settings = "PRAGMA busy_timeout = 0";

static status_t relaxed_open(journal_sqlite_t *self)
{
    if (self->relaxed)
        return OK;
    status_t status = sql_open(self->url, SQL_RELAXED, &self->relaxed);
    if (status == OK)
        status = sql_script(self->relaxed, settings);
    if (status == OK)
        return OK;
    status = journal_sqlite_failed(self, self->relaxed, status);
    sql_close(&self->relaxed);
    return status;
}

static status_t relaxed_begin(sql_t *sql)
{
    status_t status = sql_begin(sql);
    for (int waited_us = 0; status != OK && waited_us < BEGIN_WAIT_US; waited_us += BEGIN_STEP_US) {
        usleep(BEGIN_STEP_US);
        status = sql_begin(sql);
    }
    return status;
}

/* Entries that one call removes. */
struct slice {
    uint64_t seq;   /* of the last one; trimmed_seq: none */
    uint64_t bytes; /* of all that there ever were up to it */
    bool more;
};

/* Walks along the entries after what is trimmed, up to `seq`. Changes nothing. */
static status_t slice_measure(sql_t *sql, const struct shard_row *shard, uint64_t seq,
                              struct slice *ret_slice)
{
    struct slice slice = {.seq = shard->trimmed_seq, .bytes = shard->trimmed_bytes};
    *ret_slice = slice;
    if (seq <= shard->trimmed_seq)
        return OK;
    sql_rows_t *rows;
    status_t status = sql_query(
        sql, "SELECT id, bytes FROM entries WHERE id > ? AND id <= ? ORDER BY id",
        SQL_VALUES(sql_integer(shard_id(shard->shard, shard->trimmed_seq)),
                   sql_integer(shard_id_last(shard->shard))),
        &rows);
    if (status != OK)
        return status;
    bool full = false;
    uint64_t last = 0;
    for (size_t count = 0; !full && sql_next(rows); count++) {
        last = seq_of_id(sql_column_integer(rows, 0));
        slice.bytes = (uint64_t) sql_column_integer(rows, 1); /* before this one */
        full = last > seq || count == SLICE_ENTRIES ||
               (count > 0 && slice.bytes - shard->trimmed_bytes >= SLICE_BYTES);
        if (!full)
            slice.seq = last;
    }
    if (!full)
        slice.bytes = shard->bytes;
    slice.more = full && last <= seq;
    status = sql_end(&rows);
    if (status == OK)
        *ret_slice = slice;
    return status;
}

/* Whether anything but entries is due. */
static status_t rest_due(sql_t *sql, const struct shard_row *shard, bool *ret_due)
{
    int64_t over = shard_now(shard) - JOURNAL_KEEP_US;
    sql_rows_t *rows;
    status_t status = sql_query(
        sql,
        "SELECT EXISTS (SELECT 1 FROM keys WHERE id = ?1 AND time <= ?2) OR "
        "EXISTS (SELECT 1 FROM producers WHERE shard = ?3 AND time <= ?2 AND "
        "time < (SELECT MAX(time) FROM producers WHERE shard = ?3)) OR "
        "EXISTS (SELECT 1 FROM leftovers)",
        SQL_VALUES(sql_integer(shard_id(shard->shard, shard->keys_first)), sql_integer(over),
                   sql_integer(shard->shard)),
        &rows);
    if (status != OK)
        return status;
    *ret_due = sql_next(rows) && sql_column_integer(rows, 0);
    return sql_end(&rows);
}

/* Without the lock: an idle shard is not written to. */
static status_t trim_due(sql_t *sql, unsigned shard, uint64_t seq, bool *ret_due)
{
    struct shard_row row;
    bool found = false;
    status_t status = shard_load(sql, shard, &row, &found);
    *ret_due = status == OK && found && seq > row.trimmed_seq && row.last_seq > row.trimmed_seq;
    if (status == OK && found && !*ret_due)
        status = rest_due(sql, &row, ret_due);
    return status;
}

/* Within a transaction. */
static status_t trim_slice(sql_t *sql, unsigned shard, uint64_t seq, bool *ret_more)
{
    struct shard_row row;
    struct slice slice;
    bool found = false, leftovers = false;
    uint64_t keys = 0;
    status_t status = shard_load(sql, shard, &row, &found);
    if (status != OK || !found)
        return status;
    status = slice_measure(sql, &row, seq, &slice);
    if (status == OK && slice.seq > row.trimmed_seq) {
        /* The last entry stays, so that the last name is also found in the log. */
        uint64_t removed = slice.seq == row.last_seq ? slice.seq - 1 : slice.seq;
        status = sql_run(
            sql, "DELETE FROM entries WHERE id >= ? AND id <= ?",
            SQL_VALUES(sql_integer(shard_id(shard, 0)), sql_integer(shard_id(shard, removed))),
            NULL);
        row.trimmed_seq = slice.seq;
        row.trimmed_bytes = slice.bytes;
    }
    int64_t now = shard_now(&row);
    if (status == OK)
        status = keys_expire(sql, &row, now, SLICE_KEYS, &keys);
    if (status == OK)
        status = producers_expire(sql, shard, now);
    if (status == OK)
        status = leftovers_remove(sql, &leftovers);
    if (status == OK)
        status = shard_save(sql, &row);
    *ret_more = slice.more || keys == SLICE_KEYS || leftovers;
    return status;
}

status_t journal_sqlite_trim(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more)
{
    journal_sqlite_t *self = (journal_sqlite_t *) journal;
    assert(!self->read_only);
    bool due = false, more = false;
    status_t status = relaxed_open(self);
    if (status != OK)
        return status;
    status = trim_due(self->relaxed, shard, seq, &due);
    if (status == OK && due) {
        status = relaxed_begin(self->relaxed);
        if (status == OK)
            status = trim_slice(self->relaxed, shard, seq, &more);
        if (status == OK)
            status = sql_commit(self->relaxed);
        if (status != OK) {
            journal_sqlite_failed(self, self->relaxed, status);
            sql_rollback(self->relaxed);
        }
    }
    if (status == OK)
        *ret_more = more;
    return status == OK ? OK : journal_sqlite_failed(self, self->relaxed, status);
}
