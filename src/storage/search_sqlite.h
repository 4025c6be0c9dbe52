/* SPDX-License-Identifier: MIT */
/* search_sqlite.h - what the files of the index in SQLite share.
 *
 * A chat's documents are a range of ids, in the order of their numbers: the
 * upper half of an id is the chat's id in this file, the lower half the number.
 * The tables are in migrations/sqlite/search_0001_documents.sql.
 *
 *     search_sqlite.c         opening, positions, the adapter's table
 *     search_sqlite_apply.c   documents in
 *     search_sqlite_purge.c   documents out, many at a time
 *     search_sqlite_find.c    questions
 */
#ifndef STORAGE_SEARCH_SQLITE_H
#define STORAGE_SEARCH_SQLITE_H

#include "common/buffer.h"
#include "storage/search_adapter.h"
#include "storage/sql.h"

enum { SCOPE_LENGTH = 12 }; /* three characters of four bytes */

typedef struct {
    struct search search;
    sql_t *sql;          /* NULL: it did not open */
    struct buffer body;  /* of the document to be replaced */
    struct buffer match; /* an FTS5 expression */
} search_sqlite_t;

static inline int64_t document_id(int64_t chat_id, uint64_t number)
{
    return (int64_t) ((uint64_t) chat_id << 32 | number);
}

/* The characters that stand for a chat in the index: the view `searchable`. */
void search_sqlite_scope(int64_t chat_id, char ret_scope[SCOPE_LENGTH]);

/* A chat's id in this file; *ret_chat_id is 0 if it has no documents. */
status_t search_sqlite_chat(search_sqlite_t *self, uint64_t application_id, uint64_t chat,
                            int64_t *ret_chat_id);

/* Takes a document out of the trigrams. `body` is what it was put in with, and
 * is still in the table: the index finds its entries by it. */
status_t search_sqlite_forget(search_sqlite_t *self, int64_t id, const char *body, size_t length);

/* Commits if `status` is OK, else rolls back. Returns what became of it. */
status_t search_sqlite_end(search_sqlite_t *self, status_t status);

/* In a transaction of the caller's. */
status_t search_sqlite_position_set(search_sqlite_t *self, unsigned shard,
                                    const struct position *position);

/* ---- the adapter's functions ---- */

status_t search_sqlite_apply(search_t *search, unsigned shard, const struct document documents[],
                             size_t count, const struct position *position);
status_t search_sqlite_purge(search_t *search, uint64_t application_id, uint64_t chat,
                             bool *ret_more);
status_t search_sqlite_purge_shard(search_t *search, unsigned shard, unsigned shards,
                                   bool *ret_more);
status_t search_sqlite_find(search_t *search, uint64_t application_id, uint64_t chat,
                            const char *folded, size_t folded_length, uint64_t lowest,
                            uint64_t highest, bool descending, size_t limit, uint64_t ret_numbers[],
                            size_t *ret_count);
status_t search_sqlite_scan(search_t *search, struct document_cursor *cursor, size_t limit,
                            void (*each)(void *context, const struct indexed *document),
                            void *context, bool *ret_more);

#endif
