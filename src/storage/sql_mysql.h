/* SPDX-License-Identifier: MIT */
/* sql_mysql.h - what the files of the MySQL adapter share. They are the only ones
 * that include this, and so the only ones that see <mysql.h>. The library is
 * MariaDB's, which speaks to MySQL 8 too.
 */
#ifndef STORAGE_SQL_MYSQL_H
#define STORAGE_SQL_MYSQL_H

#include <mysql.h>

#include "common/buffer.h"
#include "common/url.h"
#include "storage/sql_adapter.h"

struct mysql_address {
    struct url url;     /* its path is the database */
    bool tls;           /* ?ssl=required */
    const char *tls_ca; /* ?ssl_ca=FILE: the server must have a certificate of this authority */
};

typedef struct {
    struct sql sql;
    struct mysql_address address;
    enum sql_mode mode;
    MYSQL *db;    /* NULL: not connected */
    bool pinned;  /* in a transaction or under a lock: another connection would not do */
    bool broken;  /* pinned to what is gone; sql_rollback() mends it */
    bool patient; /* the server may take long: snapshots and migrations */
    int64_t used; /* when last; by clock_monotonic_us() */
    struct buffer statement;
} sql_mysql_t;

/* ---- sql_mysql_url.c ---- */

/* NULL, or what is wrong with what follows "mysql:", as the end of a sentence. */
const char *mysql_address_read(struct mysql_address *address, const char *where);

/* ---- sql_mysql_connect.c ---- */

status_t mysql_open(const char *where, enum sql_mode mode, sql_t **ret_sql);
void mysql_shut(sql_t *sql); /* mysql_close() is the library's */
/* Connected, or an error: at once if the server was away a moment ago. */
MUST_CHECK status_t mysql_ensure(sql_mysql_t *self);
/* Closes the connection, whose state is not known; what is pinned to it is broken. */
void mysql_lose(sql_mysql_t *self);
/* The class of the last failure; its words are kept for sql_errmsg(). */
status_t mysql_failed(sql_mysql_t *self);
/* From now on the server may take long, until mysql_pin_end(). Not while pinned. */
void mysql_be_patient(sql_mysql_t *self);
/* Unpins. */
void mysql_pin_end(sql_mysql_t *self);

#endif
