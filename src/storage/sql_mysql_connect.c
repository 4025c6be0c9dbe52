/* SPDX-License-Identifier: MIT */
/* sql_mysql_connect.c - MySQL behind sql.h: connecting, and what went wrong.
 *
 * The library never connects again by itself: a COMMIT repeated on a new connection
 * says OK and has committed nothing. Here a connection is made when it is needed,
 * and closed when it is not known what state it is in.
 */
#include <assert.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "storage/sql_mysql.h"

enum {
    CONNECT_TIMEOUT_S = 1,
    READER_TIMEOUT_S = 2,    /* somebody waits for the answer */
    WRITER_TIMEOUT_S = 5,    /* counting a large chat takes a while */
    PATIENT_TIMEOUT_S = 600, /* walks over everything, changes of large tables */
    IDLE_TIMEOUT_S = 60,     /* the server closes what nobody uses for so long */
    IDLE_US = 20 * 1000 * 1000,
    PACKET_NEEDED = 2 << 20,
    AWAY_MAX = 16,
    AWAY_WORDS_SIZE = 128,
    AWAY_US = 500 * 1000,
};

/* Of MySQL 8 only, so that the library's header does not have it. */
enum { ER_CHECK_VIOLATED = 3819 };

/* ---- servers that are away ---- */

/* Refused or timed out a moment ago, by a hash of host and port: asking each again
 * would cost every caller a time-out. */
static struct {
    uint64_t server;
    int64_t until;
    char words[AWAY_WORDS_SIZE]; /* why */
} away[AWAY_MAX];
static pthread_mutex_t away_lock = PTHREAD_MUTEX_INITIALIZER;

/* A wrong password, say, is no reason to wait. */
static bool is_away(unsigned error)
{
    return error == CR_CONNECTION_ERROR || error == CR_CONN_HOST_ERROR ||
           error == CR_UNKNOWN_HOST || error == CR_SERVER_GONE_ERROR || error == CR_SERVER_LOST ||
           error == ER_CON_COUNT_ERROR || error == ER_SERVER_SHUTDOWN;
}

static uint64_t server_of(const sql_mysql_t *self)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ self->address.url.port;
    for (const char *at = self->address.url.host; *at; at++)
        hash = (hash ^ (unsigned char) *at) * UINT64_C(0x100000001B3);
    return hash | 1;
}

/* OK if it may be asked. */
static status_t away_check(sql_mysql_t *self)
{
    uint64_t server = server_of(self);
    int64_t now = clock_monotonic_us();
    status_t status = OK;
    pthread_mutex_lock(&away_lock);
    for (size_t i = 0; i < AWAY_MAX; i++)
        if (away[i].server == server && now < away[i].until)
            status = sql_fail(&self->sql, ERR_UNAVAILABLE, "a moment ago: %s", away[i].words);
    pthread_mutex_unlock(&away_lock);
    return status;
}

/* In its own place, or in that of who has been back for longest. */
static void away_enter(const sql_mysql_t *self, const char *words)
{
    uint64_t server = server_of(self);
    size_t place = 0;
    pthread_mutex_lock(&away_lock);
    for (size_t i = 0; i < AWAY_MAX && away[place].server != server; i++)
        if (away[i].server == server || away[i].until < away[place].until)
            place = i;
    away[place].server = server;
    away[place].until = clock_monotonic_us() + AWAY_US;
    snprintf(away[place].words, AWAY_WORDS_SIZE, "%s", words);
    pthread_mutex_unlock(&away_lock);
}

/* ---- errors ---- */

static status_t status_of(unsigned error)
{
    switch (error) {
    case ER_DUP_ENTRY:
        return ERR_CONFLICT;
    case ER_BAD_NULL_ERROR:
    case ER_NO_DEFAULT_FOR_FIELD:
    case ER_WARN_DATA_OUT_OF_RANGE:
    case WARN_DATA_TRUNCATED:
    case ER_DATA_OUT_OF_RANGE:
    case ER_DATA_TOO_LONG:
    case ER_TRUNCATED_WRONG_VALUE:
    case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
    case ER_INVALID_CHARACTER_STRING:
    case ER_CONSTRAINT_FAILED:
    case ER_CHECK_VIOLATED:
        return ERR_DATA;
    case ER_NO_SUCH_TABLE:
    case ER_BAD_FIELD_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_NO_DB_ERROR:
    case ER_BAD_TABLE_ERROR:
    case ER_TABLE_EXISTS_ERROR:
    case ER_PARSE_ERROR:
    case ER_WRONG_VALUE_COUNT_ON_ROW:
    case ER_SP_DOES_NOT_EXIST:
        return ERR_SCHEMA;
    default:
        return ERR_UNAVAILABLE;
    }
}

/* True if the connection can go on, though the statement failed. */
static bool survives(unsigned error)
{
    return status_of(error) != ERR_UNAVAILABLE || error == ER_LOCK_WAIT_TIMEOUT ||
           error == ER_LOCK_DEADLOCK || error == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION;
}

/* What the server says of bad data quotes it; from the last of these on it does not. */
static const char *words_without_data(const char *words)
{
    static const char *const beginnings[] = {" for key ", " for column "};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        const char *at = words, *last = NULL;
        while ((at = strstr(at, beginnings[i])))
            last = at++;
        if (last)
            return last;
    }
    return "";
}

void mysql_lose(sql_mysql_t *self)
{
    if (self->db)
        mysql_close(self->db);
    self->db = NULL;
    self->broken = self->pinned;
}

status_t mysql_failed(sql_mysql_t *self)
{
    unsigned error = mysql_errno(self->db);
    const char *words = mysql_error(self->db);
    status_t status = status_of(error);
    switch (error) {
    case ER_DUP_ENTRY:
        sql_fail(&self->sql, status, "duplicate entry%s", words_without_data(words));
        break;
    case ER_TRUNCATED_WRONG_VALUE:
    case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
    case ER_INVALID_CHARACTER_STRING:
        sql_fail(&self->sql, status, "bad value%s", words_without_data(words));
        break;
    case ER_BAD_DB_ERROR:
        sql_fail(&self->sql, status,
                 "there is no database %s on this server; make it: CREATE DATABASE %s",
                 self->address.url.path, self->address.url.path);
        break;
    case ER_LOCK_DEADLOCK: /* all of the transaction is undone */
        self->broken = self->pinned;
        sql_fail(&self->sql, status, "%s", words);
        break;
    default:
        sql_fail(&self->sql, status, "%s", words[0] ? words : "the connection was lost");
    }
    if (!survives(error))
        mysql_lose(self);
    return status;
}

/* ---- opening: asks nobody ---- */

status_t mysql_open(const char *where, enum sql_mode mode, sql_t **ret_sql)
{
    sql_mysql_t *self = calloc(1, sizeof *self);
    assert(self);
    self->sql.adapter = &sql_mysql;
    self->sql.dialect = "mysql";
    self->mode = mode;
    *ret_sql = &self->sql;
    const char *why = mysql_address_read(&self->address, where);
    if (why)
        return sql_fail(&self->sql, ERR_CONFIG, "the URL of the database %s", why);
    return OK;
}

void mysql_shut(sql_t *sql)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    mysql_lose(self);
    buffer_free(&self->statement);
    free(self);
}

/* ---- connecting ---- */

static void options_set(const sql_mysql_t *self, MYSQL *db)
{
    unsigned connect_s = CONNECT_TIMEOUT_S, protocol = MYSQL_PROTOCOL_TCP, no = 0;
    unsigned answer_s = self->patient                 ? PATIENT_TIMEOUT_S
                        : self->mode == SQL_READ_ONLY ? READER_TIMEOUT_S
                                                      : WRITER_TIMEOUT_S;
    my_bool off = 0, verify = self->address.tls_ca != NULL;
    mysql_options(db, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(db, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(db, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(db, MYSQL_OPT_RECONNECT, &off);
    mysql_options(db, MYSQL_OPT_LOCAL_INFILE, &no);   /* a server could ask for any file */
    mysql_options(db, MYSQL_OPT_PROTOCOL, &protocol); /* "localhost" is no socket either */
    mysql_options(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (self->address.tls)
        mysql_options(db, MYSQL_OPT_SSL_ENFORCE, &self->address.tls);
    if (self->address.tls_ca)
        mysql_options(db, MYSQL_OPT_SSL_CA, self->address.tls_ca);
    mysql_options(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

/* Whatever the server's own settings are. Nobody waits for a lock until the answer
 * is given up: then it is not known what happened. A machine that vanished in the
 * middle of a transaction must not keep its locks for the server's usual eight hours. */
static bool session_set(const sql_mysql_t *self)
{
    struct buffer settings = {0};
    buffer_printf(&settings,
                  "SET NAMES utf8mb4 COLLATE utf8mb4_bin, SESSION time_zone = '+00:00', "
                  "SESSION innodb_lock_wait_timeout = 1, SESSION autocommit = 1, "
                  "SESSION completion_type = 0, "
                  "SESSION wait_timeout = %d, SESSION sql_mode = "
                  "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
                  self->patient ? PATIENT_TIMEOUT_S : IDLE_TIMEOUT_S);
    const char *isolation = self->mode == SQL_READ_ONLY
                                ? "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, "
                                  "READ ONLY"
                                : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    bool done = mysql_query(self->db, settings.data) == 0 && mysql_query(self->db, isolation) == 0;
    buffer_free(&settings);
    return done;
}

static status_t packet_check(sql_mysql_t *self)
{
    MYSQL_RES *result = NULL;
    if (mysql_query(self->db, "SELECT @@max_allowed_packet") != 0 ||
        !(result = mysql_store_result(self->db)))
        return mysql_failed(self);
    MYSQL_ROW row = mysql_fetch_row(result);
    long long allowed = row && row[0] ? strtoll(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    if (allowed >= PACKET_NEEDED)
        return OK;
    mysql_lose(self);
    return sql_fail(&self->sql, ERR_UNAVAILABLE,
                    "the server's max_allowed_packet is %lld, and %d are needed", allowed,
                    PACKET_NEEDED);
}

static void library_init(void)
{
    int result = mysql_library_init(0, NULL, NULL);
    assert(result == 0);
}

static status_t connect_now(sql_mysql_t *self)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_init);
    const struct mysql_address *address = &self->address;
    self->db = mysql_init(NULL);
    assert(self->db);
    options_set(self, self->db);
    if (!mysql_real_connect(self->db, address->url.host, address->url.user, address->url.password,
                            *address->url.path ? address->url.path : NULL, address->url.port, NULL,
                            CLIENT_FOUND_ROWS) ||
        !session_set(self)) {
        if (is_away(mysql_errno(self->db)))
            away_enter(self, mysql_error(self->db));
        status_t status = mysql_failed(self);
        mysql_lose(self);
        return status;
    }
    /* The library goes on without when the server offers none. */
    if (address->tls && !mysql_get_ssl_cipher(self->db)) {
        mysql_lose(self);
        return sql_fail(&self->sql, ERR_UNAVAILABLE, "the server at %s:%u has no TLS",
                        address->url.host, address->url.port);
    }
    return packet_check(self);
}

/* A write that fails may have happened, so that it is not tried twice: what was idle
 * for long is tried out before. */
static void idle_check(sql_mysql_t *self)
{
    int64_t now = clock_monotonic_us();
    if (self->db && !self->pinned && now - self->used > IDLE_US && mysql_ping(self->db) != 0)
        mysql_lose(self);
    self->used = now;
}

status_t mysql_ensure(sql_mysql_t *self)
{
    if (self->broken)
        return ERR_UNAVAILABLE; /* errmsg has what broke it */
    idle_check(self);
    if (self->db)
        return OK;
    assert(!self->pinned);
    status_t status = away_check(self);
    return status == OK ? connect_now(self) : status;
}

/* Time-outs are given when a connection is made. */
void mysql_be_patient(sql_mysql_t *self)
{
    assert(!self->pinned);
    mysql_lose(self);
    self->patient = true;
}

void mysql_pin_end(sql_mysql_t *self)
{
    self->pinned = self->broken = false;
    buffer_shrink(&self->statement);
    if (self->patient)
        mysql_lose(self);
    self->patient = false;
}
