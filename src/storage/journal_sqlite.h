/* SPDX-License-Identifier: MIT */
/* journal_sqlite.h - what the files of the SQLite journal share.
 *
 *     journal_sqlite.c           opening, shards, looking, reading
 *     journal_sqlite_trim.c      removing what nobody needs any more
 *     journal_sqlite_append.c    an append: one transaction, one fsync
 *     journal_sqlite_groups.c    what each group of it does
 *     journal_sqlite_counters.c  applications, chats, keys, producers
 *     journal_sqlite_rebuild.c   counters anew: one transaction
 *
 * Included by these only. The tables are in migrations/sqlite/journal_0001_log.sql.
 */
#ifndef STORAGE_JOURNAL_SQLITE_H
#define STORAGE_JOURNAL_SQLITE_H

#include "storage/journal_adapter.h"
#include "storage/sql.h"

struct shard_row {
    unsigned shard;
    uint64_t data_set;
    uint32_t shards;
    uint64_t epoch, mark, checked;
    uint64_t last_seq;
    struct entry_name last_name;
    int64_t last_time;
    uint64_t application_change;
    uint64_t bytes, trimmed_seq, trimmed_bytes;
    uint64_t keys_first, keys_next;
};

/* Kept in the log's file: never change one. */
enum application_state { STATE_IMPORTING = 0, STATE_THERE = 1, STATE_DELETED = 2 };

struct application_row {
    int64_t id; /* in this file; 0: there is none */
    uint64_t application_id;
    enum application_state state;
    uint64_t last_chat, change, visible, imported;
};

struct chat_row {
    int64_t id; /* 0: there is none */
    uint64_t last_message, change, imported;
};

typedef struct {
    struct journal journal;
    char *url;
    sql_t *sql;
    sql_t *relaxed; /* for trimming; opened when first needed */
    bool read_only;
    uint64_t run, keys_max, backlog_records_max, backlog_bytes_max;
    struct shard_row *shards;    /* SHARDS_MAX, of the look at hand */
    struct buffer groups, reply; /* of the append at hand */

    /* Between rebuild_begin and rebuild_end. */
    unsigned rebuild_shard;
    uint64_t rebuild_base;
    struct application_row rebuild_application; /* the one given last */
    char rebuild_token[TOKEN_MAX];
    size_t rebuild_token_length;
} journal_sqlite_t;

/* Keeps the database's words and makes its status one of a journal. */
status_t journal_sqlite_failed(journal_sqlite_t *self, const sql_t *sql, status_t status);

static inline int64_t shard_id(unsigned shard, uint64_t low)
{
    return (int64_t) ((uint64_t) shard << SEQ_BITS | low);
}

/* The highest id of a shard: that of the shard behind it is not a number, after 255. */
static inline int64_t shard_id_last(unsigned shard)
{
    return shard_id(shard, (UINT64_C(1) << SEQ_BITS) - 1);
}

static inline uint64_t seq_of_id(int64_t id)
{
    return (uint64_t) id & ((UINT64_C(1) << SEQ_BITS) - 1);
}

/* The shard's time never goes back, whatever the clock does. */
static inline int64_t shard_now(const struct shard_row *row)
{
    int64_t now = journal_clock();
    return now > row->last_time ? now : row->last_time;
}

/* ---- rows; each returns what sql.h returned ---- */

MUST_CHECK status_t shard_load(sql_t *sql, unsigned shard, struct shard_row *ret_row,
                               bool *ret_found);
/* What an append changes. */
MUST_CHECK status_t shard_save(sql_t *sql, const struct shard_row *row);

/* ret_row->id is 0 if there is none. */
MUST_CHECK status_t application_load(sql_t *sql, const char *token, size_t token_length,
                                     struct application_row *ret_row);
/* Sets row->id. */
MUST_CHECK status_t application_add(sql_t *sql, unsigned shard, const char *token,
                                    size_t token_length, struct application_row *row);
MUST_CHECK status_t application_save(sql_t *sql, const struct application_row *row);
/* Gives it another id, so that its chats are no longer its own. */
MUST_CHECK status_t application_renew(sql_t *sql, struct application_row *row);

/* Numbers that no chat can have (0, 2^32 and more) find none. */
MUST_CHECK status_t chat_load(sql_t *sql, const struct application_row *application, uint64_t chat,
                              struct chat_row *ret_row);
MUST_CHECK status_t chat_add(sql_t *sql, const struct application_row *application, uint64_t chat,
                             struct chat_row *row);
MUST_CHECK status_t chat_save(sql_t *sql, const struct chat_row *row);
MUST_CHECK status_t chat_remove(sql_t *sql, const struct chat_row *row);

/* The application's chats are to be removed when there is time. */
MUST_CHECK status_t leftover_add(sql_t *sql, const struct application_row *application);
/* Removes a slice. */
MUST_CHECK status_t leftovers_remove(sql_t *sql, bool *ret_more);

/* Fills in what the group's key stands for, or ERR_KEY_REUSED; *ret_known false:
 * the key is free, or was used too long ago. */
MUST_CHECK status_t key_load(sql_t *sql, int64_t now, struct record_group *group, bool *ret_known);
/* Adds the group's key, result and time. */
MUST_CHECK status_t key_add(sql_t *sql, struct shard_row *shard, const struct record_group *group,
                            uint64_t number);
/* Removes at most `limit` of the shard's oldest keys, if their time is over. */
MUST_CHECK status_t keys_expire(sql_t *sql, struct shard_row *shard, int64_t now, uint64_t limit,
                                uint64_t *ret_removed);

/* *ret_sequence 0: the producer is unknown. If its last sequence is the batch's,
 * *ret_replayed is true and its groups have the stored reply. */
MUST_CHECK status_t producer_load(sql_t *sql, struct batch *batch, uint64_t *ret_sequence,
                                  bool *ret_replayed);
/* Stores the reply to the batch, whose groups are stamped with `time`. */
MUST_CHECK status_t producer_save(sql_t *sql, struct buffer *reply, const struct batch *batch,
                                  int64_t time, int64_t now);
MUST_CHECK status_t producers_expire(sql_t *sql, unsigned shard, int64_t now);

/* ---- an append at hand ---- */

struct append {
    journal_sqlite_t *self;
    sql_t *sql;
    struct batch *batch;
    struct shard_row shard;
    uint64_t seq;      /* of the next record */
    int64_t now, time; /* the shard's; what the records are stamped with */

    /* The rows at hand. */
    const char *token; /* NULL: none */
    size_t token_length;
    struct application_row application;
    bool application_changed;
    uint64_t chat_number; /* 0: none */
    struct chat_row chat;
    bool chat_changed;
};

/* Carries a group out, or sets its status to why not. */
MUST_CHECK status_t append_group(struct append *append, struct record_group *group);
/* Saves the rows at hand. */
MUST_CHECK status_t append_put_back(struct append *append);

/* ---- the adapter's functions that have a file of their own ---- */

void journal_sqlite_append(journal_t *journal, struct batch batches[], size_t count);
status_t journal_sqlite_trim(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more);
status_t journal_sqlite_rebuild_begin(journal_t *journal, unsigned shard, uint64_t base);
status_t journal_sqlite_rebuild_application(journal_t *journal, const char *token,
                                            size_t token_length, uint64_t application_id,
                                            enum existence existence, uint64_t last_chat);
status_t journal_sqlite_rebuild_chat(journal_t *journal, const char *token, size_t token_length,
                                     uint64_t chat, uint64_t last_message);
status_t journal_sqlite_rebuild_end(journal_t *journal, uint64_t mark,
                                    const struct journal_meta *meta);

#endif
