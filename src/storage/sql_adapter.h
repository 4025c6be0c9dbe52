/* SPDX-License-Identifier: MIT */
/* sql_adapter.h - what a database must provide to be behind sql.h.
 *
 * Included by sql*.c and by fakes of tests only. An adapter says what went wrong
 * with sql_fail(), which keeps the backend's words for sql_errmsg().
 */
#ifndef STORAGE_SQL_ADAPTER_H
#define STORAGE_SQL_ADAPTER_H

#include "storage/sql.h"

enum { SQL_ERRMSG_SIZE = 256 };

/* Each function is the one of sql.h with the same name, arguments checked. */
struct sql_adapter {
    const char *scheme; /* "sqlite" */
    /* `where` is what follows the scheme and its colon. On failure too *ret_sql
     * may be set, for its errmsg; it is closed then. */
    status_t (*open)(const char *where, enum sql_mode mode, sql_t **ret_sql);
    void (*close)(sql_t *sql);
    status_t (*put_aside)(const char *where); /* `errno` says why not */
    status_t (*begin)(sql_t *sql);
    status_t (*begin_read)(sql_t *sql);
    status_t (*commit)(sql_t *sql);
    void (*rollback)(sql_t *sql);
    status_t (*run)(sql_t *sql, const char *text, const struct sql_value values[], size_t count,
                    uint64_t *ret_changed);
    status_t (*insert)(sql_t *sql, const char *text, size_t columns,
                       const struct sql_value values[], size_t rows);
    status_t (*query)(sql_t *sql, const char *text, const struct sql_value values[], size_t count,
                      sql_rows_t **ret_rows);
    bool (*next)(sql_rows_t *rows);
    status_t (*end)(sql_rows_t *rows);
    int64_t (*column_integer)(sql_rows_t *rows, int column);
    const char *(*column_bytes)(sql_rows_t *rows, int column, size_t *ret_length);
    bool (*column_is_null)(sql_rows_t *rows, int column);
    status_t (*script)(sql_t *sql, const char *text);
    status_t (*clock)(sql_t *sql, int64_t *ret_us);
    status_t (*backup)(sql_t *sql, const char *path);
    /* Keeps other migrations out until unlock; takes back what it can of a
     * failed one (MySQL commits at every CREATE). */
    status_t (*migrate_lock)(sql_t *sql);
    status_t (*migrate_unlock)(sql_t *sql, bool keep);
};

/* The first member of every adapter's own struct. */
struct sql {
    const struct sql_adapter *adapter;
    const char *dialect; /* "sqlite", "mysql" */
    char errmsg[SQL_ERRMSG_SIZE];
    bool damaged; /* so said the last failure */
};

/* The first member of every adapter's result. Calls on it go to this `sql`. */
struct sql_rows {
    sql_t *sql;
};

/* Keeps the words for sql_errmsg() and returns `status`. */
status_t sql_fail(sql_t *sql, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds an adapter to those built in. Before other threads open anything. */
void sql_adapter_register(const struct sql_adapter *adapter);

extern const struct sql_adapter sql_sqlite, sql_mysql;

#endif
