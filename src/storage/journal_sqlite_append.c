/* SPDX-License-Identifier: MIT */
/* journal_sqlite_append.c - an append is one transaction and one fsync.
 *
 * The hot path of confab: everything that is created, edited or deleted passes
 * here. A batch touches the shard's row, the producer's, one row for each chat,
 * and adds one entry; groups of one application or chat that stand together load
 * and save its row once.
 *
 * A failure before COMMIT wrote nothing. A COMMIT that failed may have: SQLite has
 * rolled back, but what it had written to the WAL counts if the process dies before
 * the next commit overwrites it. Then the outcome is unknown, and the same batch
 * sent again gets the right answer either way, since the producer's row is part of
 * the transaction.
 */
#include "storage/journal_sqlite.h"

static void entry_values(const struct append *append, struct sql_value values[10])
{
    const struct shard_row *shard = &append->shard;
    const struct batch *batch = append->batch;
    const struct buffer *groups = &append->self->groups;
    values[0] = sql_integer(shard_id(shard->shard, append->seq - 1));
    values[1] = sql_integer((int64_t) shard->epoch);
    values[2] = sql_integer((int64_t) (append->seq - 1 - shard->last_seq));
    values[3] = sql_integer(append->time);
    values[4] = sql_integer((int64_t) batch->producer);
    values[5] = sql_integer((int64_t) batch->sequence);
    values[6] = sql_integer((int64_t) shard->last_name.producer);
    values[7] = sql_integer((int64_t) shard->last_name.sequence);
    values[8] = sql_integer((int64_t) shard->bytes);
    values[9] = sql_blob(groups->data, groups->length);
}

/* Adds the entry, if any group is in it, and brings the shard's row up to date. */
static status_t entry_add(struct append *append)
{
    struct shard_row *shard = &append->shard;
    struct batch *batch = append->batch;
    if (append->seq > shard->last_seq + 1) {
        struct sql_value values[10];
        entry_values(append, values);
        status_t status = sql_run(
            append->sql,
            "INSERT INTO entries (id, epoch, count, time, producer, sequence, "
            "before_producer, before_sequence, bytes, groups) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values, 10, NULL);
        if (status != OK)
            return status;
        shard->last_seq = append->seq - 1;
        shard->last_time = append->time;
        shard->last_name = (struct entry_name){batch->producer, batch->sequence};
        shard->bytes += append->self->groups.length;
    }
    batch->last_seq = shard->last_seq;
    return shard_save(append->sql, shard);
}

/* May the shard be appended to at all? */
static status_t shard_check(struct append *append, bool found)
{
    const struct shard_row *shard = &append->shard;
    if (!found)
        return ERR_EPOCH;
    if (shard->mark)
        return ERR_CLOSED;
    if (shard->epoch != append->batch->epoch)
        return ERR_EPOCH;
    return shard->checked == append->self->run ? OK : ERR_UNCHECKED;
}

static status_t backlog_check(const struct append *append)
{
    const journal_sqlite_t *self = append->self;
    const struct shard_row *shard = &append->shard;
    bool full = (self->backlog_records_max &&
                 shard->last_seq - shard->trimmed_seq >= self->backlog_records_max) ||
                (self->backlog_bytes_max &&
                 shard->bytes - shard->trimmed_bytes >= self->backlog_bytes_max);
    return full ? ERR_BACKLOG_FULL : OK;
}

/* A producer is ahead of what the journal remembers of it: history was lost. */
static status_t shard_close(struct append *append)
{
    status_t status = sql_run(
        append->sql, "UPDATE shards SET mark = ? WHERE shard = ?",
        SQL_VALUES(sql_integer((int64_t) journal_random()), sql_integer(append->batch->shard)),
        NULL);
    if (status == OK)
        status = sql_commit(append->sql);
    if (status != OK)
        return journal_sqlite_failed(append->self, append->sql, status);
    return journal_fail(&append->self->journal, ERR_SEQUENCE,
                        "a producer's sequence is ahead of the journal's: history was lost, "
                        "the shard is closed");
}

/* Is it the batch's turn? *ret_replayed: it was taken before, and has its answer. */
static status_t sequence_check(struct append *append, bool *ret_replayed)
{
    struct batch *batch = append->batch;
    uint64_t sequence;
    status_t status = producer_load(append->sql, batch, &sequence, ret_replayed);
    if (status != OK)
        return journal_sqlite_failed(append->self, append->sql, status);
    if (*ret_replayed) {
        batch->last_seq = append->shard.last_seq;
        return OK;
    }
    if (batch->sequence == sequence + 1)
        return OK;
    return batch->sequence <= sequence ? ERR_SEQUENCE : shard_close(append);
}

/* All that is written. */
static status_t batch_write(struct append *append)
{
    struct batch *batch = append->batch;
    status_t status = OK;
    for (size_t i = 0; status == OK && i < batch->count; i++) {
        struct record_group *group = &batch->groups[i];
        status = append_group(append, group);
        if (group->status == OK && group->time == 0)
            group->time = append->time;
    }
    if (status == OK)
        status = append_put_back(append);
    if (status == OK)
        status = entry_add(append);
    if (status == OK)
        status = producer_save(append->sql, &append->self->reply, batch, append->time, append->now);
    return status;
}

static status_t batch_append(journal_sqlite_t *self, struct batch *batch)
{
    struct append append = {.self = self, .sql = self->sql, .batch = batch};
    bool found = false, replayed = false;
    status_t status = sql_begin(self->sql);
    if (status != OK)
        return journal_sqlite_failed(self, self->sql, status);

    status = shard_load(self->sql, batch->shard, &append.shard, &found);
    if (status != OK)
        status = journal_sqlite_failed(self, self->sql, status);
    else
        status = shard_check(&append, found);
    if (status == OK)
        status = sequence_check(&append, &replayed);
    if (status == OK && !replayed)
        status = backlog_check(&append);
    if (status != OK || replayed) {
        sql_rollback(self->sql);
        return status;
    }

    buffer_clear(&self->groups);
    append.seq = append.shard.last_seq + 1;
    append.now = shard_now(&append.shard);
    /* An import tells times of its own, and leaves the shard's as it is. */
    bool import = batch->groups[0].type >= RECORD_APPLICATION_IMPORTED;
    append.time = import && append.shard.last_time ? append.shard.last_time : append.now;
    status = batch_write(&append);
    if (status != OK) {
        status = journal_sqlite_failed(self, self->sql, status);
        sql_rollback(self->sql);
        return status;
    }
    status = sql_commit(self->sql);
    if (status != OK) {
        journal_sqlite_failed(self, self->sql, status);
        sql_rollback(self->sql);
        return ERR_OUTCOME_UNKNOWN;
    }
    return OK;
}

void journal_sqlite_append(journal_t *journal, struct batch batches[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        batches[i].status = batch_append((journal_sqlite_t *) journal, &batches[i]);
}
