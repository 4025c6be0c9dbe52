/* SPDX-License-Identifier: MIT */
/* sql.h - a connection to an SQL database, SQLite or MySQL.
 *
 * The store is written once, in SQL that both understand; what they do not have
 * in common is behind this header. `?` marks a value. A statement is prepared
 * at its first use and kept with the connection, found again by the address of
 * its text: pass string literals.
 *
 * Errors are classes: ERR_UNAVAILABLE (come back later; after it the outcome of
 * a commit is unknown, so read what the database holds), ERR_DATA (this row
 * will never be accepted), ERR_CONFLICT (a unique key exists already),
 * ERR_SCHEMA (there is no such table or column). After an error in a transaction
 * roll it back: what it did up to there may or may not be in it still.
 *
 * One thread per handle.
 */
#ifndef STORAGE_SQL_H
#define STORAGE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

typedef struct sql sql_t;
typedef struct sql_rows sql_rows_t; /* an open result */

enum sql_mode {
    SQL_READ_ONLY, /* refuses to write, never makes a file */
    SQL_DURABLE,   /* a commit is on disk when it returns */
    SQL_RELAXED,   /* a commit survives a crash of the process, and becomes
                                        * durable with the next durable one */
};

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_TEXT, SQL_BLOB };

struct sql_value {
    enum sql_type type;
    int64_t integer;
    const void *bytes; /* must live until the call returns */
    size_t length;
};

static inline struct sql_value sql_null(void)
{
    return (struct sql_value){.type = SQL_NULL};
}

static inline struct sql_value sql_integer(int64_t integer)
{
    return (struct sql_value){.type = SQL_INTEGER, .integer = integer};
}

static inline struct sql_value sql_text(const char *text, size_t length)
{
    return (struct sql_value){.type = SQL_TEXT, .bytes = text, .length = length};
}

static inline struct sql_value sql_blob(const void *bytes, size_t length)
{
    return (struct sql_value){.type = SQL_BLOB, .bytes = bytes, .length = length};
}

/* Values for sql_run() and sql_query(): SQL_VALUES(sql_integer(1), sql_null()). */
#define SQL_VALUES(...)                      \
    (const struct sql_value[]){__VA_ARGS__}, \
        sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)
#define SQL_NO_VALUES NULL, 0

/* "sqlite:PATH" (made if absent, unless read-only), or
 * "mysql://user:password@host:port/database". ERR_UNAVAILABLE; ERR_CONFIG: the URL is
 * not understood. sql_errmsg(NULL) has the words then. A lost connection is made
 * again by the next call that is not within a transaction. */
MUST_CHECK status_t sql_open(const char *url, enum sql_mode mode, sql_t **ret_sql);

/* Accepts NULL; leaves *sql_p NULL. An open transaction is rolled back. */
void sql_close(sql_t **sql_p);

/* The backend's words about the last failure; NULL: about the last sql_open()
 * of this thread that failed. */
const char *sql_errmsg(const sql_t *sql);

/* True if the last failure, as in sql_errmsg(), was that the file is damaged or no
 * database at all. */
bool sql_damaged(const sql_t *sql);
/* Moves the files of a database that nobody has open to PATH.damaged and so on, in
 * place of what was there. ERR_UNAVAILABLE: sql_errmsg(NULL) says why not. */
MUST_CHECK status_t sql_put_aside(const char *url);

/* A transaction that writes, from its first statement on. */
MUST_CHECK status_t sql_begin(sql_t *sql);
/* A transaction that reads one snapshot. */
MUST_CHECK status_t sql_begin_read(sql_t *sql);
MUST_CHECK status_t sql_commit(sql_t *sql);
/* Also after the database has rolled back by itself, and when there is no transaction. */
void sql_rollback(sql_t *sql);

/* Runs a statement without a result. ret_changed, the rows that the condition
 * met, whether or not their values are new, may be NULL. */
MUST_CHECK status_t sql_run(sql_t *sql, const char *text, const struct sql_value values[],
                            size_t count, uint64_t *ret_changed);

/* Inserts rows of `columns` values each: text is "INSERT INTO t (a, b) VALUES"
 * (or "REPLACE INTO ..."), and the values follow it. All rows or an error. */
MUST_CHECK status_t sql_insert(sql_t *sql, const char *text, size_t columns,
                               const struct sql_value values[], size_t rows);

/* Runs a statement with a result. End it with sql_end() before running the same
 * text again; other texts may run meanwhile. */
MUST_CHECK status_t sql_query(sql_t *sql, const char *text, const struct sql_value values[],
                              size_t count, sql_rows_t **ret_rows);

/* Steps to the next row; false when there is none or reading failed: sql_end() tells. */
bool sql_next(sql_rows_t *rows);

/* Ends a result, NULL too; OK if all rows that were asked for could be read. */
status_t sql_end(sql_rows_t **rows_p);

/* Columns of the row at hand, from 0. Bytes live until the next sql_next(). */
int64_t sql_column_integer(sql_rows_t *rows, int column);
const char *sql_column_bytes(sql_rows_t *rows, int column, size_t *ret_length);
bool sql_column_is_null(sql_rows_t *rows, int column);

/* Now, by the database's own clock, µs since 1970: one clock for all who share it. */
MUST_CHECK status_t sql_clock(sql_t *sql, int64_t *ret_us);

/* Runs several statements without values, separated by semicolons (migrations). */
MUST_CHECK status_t sql_script(sql_t *sql, const char *text);

/* Writes a consistent, durable copy to the new file `path` while others read and
 * write; not in a transaction. SQLite only. ERR_EXISTS: there is such a file. */
MUST_CHECK status_t sql_backup(sql_t *sql, const char *path);

/* Applies the migrations "<dialect>/<set>_NNNN_*.sql" that the database does not
 * have yet, under a lock; each is recorded with a hash of its content. `apply`
 * false only checks. ERR_SCHEMA: some are missing (apply false), one was changed
 * since it was applied, or the database knows newer ones. */
MUST_CHECK status_t sql_migrate(sql_t *sql, const char *set, bool apply);

#endif
