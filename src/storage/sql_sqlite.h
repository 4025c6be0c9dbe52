/* SPDX-License-Identifier: MIT */
/* sql_sqlite.h - what the two files of the SQLite adapter share. They are the only
 * ones that include this, and so the only ones that see <sqlite3.h>.
 */
#ifndef STORAGE_SQL_SQLITE_H
#define STORAGE_SQL_SQLITE_H

#include <sqlite3.h>

#include "storage/sql_adapter.h"

struct statement {
    const char *text; /* NULL: a free place */
    sqlite3_stmt *prepared;
};

typedef struct {
    struct sql sql;
    sqlite3 *db;
    struct statement *statements; /* by address of the text, linear probing */
    size_t capacity, count;
} sql_sqlite_t;

/* ---- sql_sqlite.c ---- */

/* The class of a result of SQLite; its words are kept for sql_errmsg(). */
status_t sqlite_check(sql_sqlite_t *self, int result);
/* Makes room for statements, also for the first ones. */
void statements_grow(sql_sqlite_t *self);
status_t sqlite_run(sql_t *sql, const char *text, const struct sql_value values[], size_t count,
                    uint64_t *ret_changed);

/* ---- sql_sqlite_file.c ---- */

status_t sqlite_open(const char *where, enum sql_mode mode, sql_t **ret_sql);
void sqlite_close(sql_t *sql);
status_t sqlite_put_aside(const char *where);
status_t sqlite_backup(sql_t *sql, const char *path);

#endif
