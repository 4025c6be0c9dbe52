/* SPDX-License-Identifier: MIT */
/* sql_sqlite_file.c - SQLite behind sql.h: opening, closing and copying the file.
 *
 * WAL, so that readers and the one writer do not wait for each other.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "storage/sql_sqlite.h"

enum { BUSY_TIMEOUT_MS = 5000 };

/* ---- opening ---- */

/* Debian's SQLite overwrites with zeros all that is deleted, and for that writes
 * each page that is set free; FAST does so only where no write comes of it. */
static const char *const settings = "PRAGMA cache_size = -2048;"
                                    "PRAGMA mmap_size = 0;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA foreign_keys = OFF;"
                                    "PRAGMA secure_delete = FAST;";

/* Checkpoints four times as rare as by default: a page that is written again and
 * again is copied from the WAL to the database once in 16 MiB. Measured: a third
 * of persistence's CPU when messages are spread over many chats. */
static const char *const wal_settings = "PRAGMA wal_autocheckpoint = 4000;"
                                        "PRAGMA journal_size_limit = 16777216;";

static int open_file(sql_sqlite_t *self, const char *name, int flags)
{
    sqlite3_close(self->db);
    self->db = NULL;
    int result = sqlite3_open_v2(name, &self->db,
                                 flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(self->db, BUSY_TIMEOUT_MS);
    if (result == SQLITE_OK)
        result = sqlite3_exec(self->db, settings, NULL, NULL, NULL);
    return result;
}

/* True if the database has no WAL, or an empty one: then its file is all of it. */
static bool wal_empty(const char *path)
{
    struct buffer wal = {0};
    struct stat stat_wal;
    buffer_printf(&wal, "%s-wal", path);
    bool empty = stat(wal.data, &stat_wal) != 0 ? errno == ENOENT : stat_wal.st_size == 0;
    buffer_free(&wal);
    return empty;
}

static int open_immutable(sql_sqlite_t *self, const char *path)
{
    struct buffer uri = {0};
    buffer_append_text(&uri, "file:");
    for (const char *at = path; *at; at++) {
        if (strchr("%?#", *at)) {
            buffer_printf(&uri, "%%%02x", (unsigned char) *at);
        } else {
            buffer_append(&uri, at, 1);
        }
    }
    buffer_append_text(&uri, "?immutable=1");
    int result = open_file(self, uri.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    buffer_free(&uri);
    return result;
}

/* Readers of a WAL need its -shm file, a writer's or their own. In a folder
 * where they may not make one, and where nobody writes, the file is read as it
 * is. */
static status_t open_read_only(sql_sqlite_t *self, const char *path)
{
    static const char *const probe = "SELECT 1 FROM sqlite_schema LIMIT 1";
    int result = open_file(self, path, SQLITE_OPEN_READONLY);
    if (result == SQLITE_OK)
        result = sqlite3_exec(self->db, probe, NULL, NULL, NULL);
    int primary = result & 0xff;
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) && access(path, R_OK) == 0 &&
        wal_empty(path)) {
        result = open_immutable(self, path);
        if (result == SQLITE_OK)
            result = sqlite3_exec(self->db, probe, NULL, NULL, NULL);
    }
    return sqlite_check(self, result);
}

static status_t open_writing(sql_sqlite_t *self, const char *path, enum sql_mode mode)
{
    int result = open_file(self, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (result != SQLITE_OK)
        return sqlite_check(self, result);
    result = sqlite3_exec(
        self->db, mode == SQL_DURABLE ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
        NULL, NULL, NULL);
    /* Two that make the file at the same time: the busy handler is not asked at
     * the change to WAL. */
    for (int wait_ms = 0; result == SQLITE_OK && wait_ms < BUSY_TIMEOUT_MS; wait_ms += 10) {
        result = sqlite3_exec(self->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((result & 0xff) != SQLITE_BUSY)
            break;
        sqlite3_sleep(10);
        result = SQLITE_OK;
    }
    if (result == SQLITE_OK)
        result = sqlite3_exec(self->db, wal_settings, NULL, NULL, NULL);
    return sqlite_check(self, result);
}

status_t sqlite_open(const char *where, enum sql_mode mode, sql_t **ret_sql)
{
    sql_sqlite_t *self = calloc(1, sizeof *self);
    assert(self);
    self->sql.adapter = &sql_sqlite;
    self->sql.dialect = "sqlite";
    *ret_sql = &self->sql;
    statements_grow(self);
    return mode == SQL_READ_ONLY ? open_read_only(self, where) : open_writing(self, where, mode);
}

void sqlite_close(sql_t *sql)
{
    sql_sqlite_t *self = (sql_sqlite_t *) sql;
    for (size_t i = 0; i < self->capacity; i++)
        sqlite3_finalize(self->statements[i].prepared);
    free(self->statements);
    /* Rolls back; refuses only while statements live, and those are gone. */
    int result = sqlite3_close(self->db);
    assert(result == SQLITE_OK);
    free(self);
}

/* ---- putting aside ---- */

/* The database last: killed in between, this is done again. */
status_t sqlite_put_aside(const char *where)
{
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    struct buffer from = {0}, to = {0};
    int error = 0;
    for (size_t i = 0; !error && i < sizeof suffixes / sizeof *suffixes; i++) {
        buffer_clear(&from);
        buffer_clear(&to);
        buffer_printf(&from, "%s%s", where, suffixes[i]);
        buffer_printf(&to, "%s.damaged%s", where, suffixes[i]);
        if (rename(from.data, to.data) == 0)
            continue;
        error = errno == ENOENT ? 0 : errno;
        unlink(to.data); /* of an older one */
    }
    buffer_free(&from);
    buffer_free(&to);
    errno = error;
    return error ? ERR_UNAVAILABLE : OK;
}

/* ---- backup ---- */

/* A rename that never replaces, and lasts. */
static status_t backup_publish(sql_t *sql, const char *part, const char *path)
{
    if (link(part, path) != 0) {
        int error = errno;
        return sql_fail(sql, error == EEXIST ? ERR_EXISTS : ERR_UNAVAILABLE, "%s: %s", path,
                        strerror(error));
    }
    struct buffer folder = {0};
    const char *slash = strrchr(path, '/');
    buffer_append(&folder, slash ? path : ".",
                  slash && slash != path ? (size_t) (slash - path) : 1);
    int fd = open(folder.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    buffer_free(&folder);
    status_t status = OK;
    if (fd < 0 || fsync(fd) != 0)
        status = sql_fail(sql, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

static status_t file_sync(sql_t *sql, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    status_t status = OK;
    if (fd < 0 || fsync(fd) != 0)
        status = sql_fail(sql, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

/* VACUUM INTO reads one snapshot and keeps no writer out; SQLite's backup API
 * would begin anew at each commit of another process. */
status_t sqlite_backup(sql_t *sql, const char *path)
{
    if (access(path, F_OK) == 0)
        return sql_fail(sql, ERR_EXISTS, "%s: %s", path, strerror(EEXIST));
    struct buffer part = {0};
    buffer_printf(&part, "%s.part", path);
    unlink(part.data); /* what a crash left */
    status_t status = sqlite_run(sql, "VACUUM INTO ?", SQL_VALUES(sql_text(part.data, part.length)),
                                 NULL);
    if (status == OK)
        status = file_sync(sql, part.data);
    if (status == OK)
        status = backup_publish(sql, part.data, path);
    unlink(part.data);
    buffer_free(&part);
    return status;
}
