/* SPDX-License-Identifier: MIT */
/* store_verify.c - looks for what should never be.
 *
 * Numbers are dense: rows = highest number ever given - tally of deletions, and
 * the highest is the greater of the stored one and the highest row, at whatever
 * position the store stands. The stored counts say the same once counting has
 * caught up.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "storage/store_internal.h"
#include "storage/store_scan.h"

enum { SLICE = 1000, LINE_SIZE = 512 };

struct verify {
    store_t *store;
    bool counts;
    void (*fault)(void *context, const char *line);
    void *context;
    unsigned shards; /* 0: not known */
    status_t status; /* of what ran in a callback */

    /* The application at hand. */
    char application[9]; /* how lines name it */
    uint64_t application_id;
    uint64_t position_seq; /* of persistence; no row may be newer */
};

static void report(const struct verify *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void report(const struct verify *self, const char *format, ...)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof line, "application %s: ", self->application);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + length, sizeof line - (size_t) length, format, arguments);
    va_end(arguments);
    self->fault(self->context, line);
}

/* The first three numbers of a query's row, zeros if it has none. */
static status_t numbers_read(store_t *store, const char *text, const struct sql_value values[],
                             size_t count, uint64_t ret_numbers[3])
{
    sql_rows_t *rows;
    status_t status = store_query_one(store, text, values, count, &rows);
    if (status != OK)
        return status;
    for (int i = 0; i < 3; i++)
        ret_numbers[i] = rows ? sql_column_number(rows, i) : 0;
    return sql_end(&rows);
}

/* ---- one numbering: the chats of an application, the messages of a chat ---- */

struct numbering {
    const char *what;              /* "chats" */
    uint64_t count, last, deleted; /* as stored */
    uint64_t living, highest;      /* as the rows are */
};

static void numbering_verify(const struct verify *self, const char *where,
                             const struct numbering *numbering)
{
    typedef unsigned long long number;
    const char *what = numbering->what;
    uint64_t last = numbering->last < numbering->highest ? numbering->highest : numbering->last;
    if (numbering->living + numbering->deleted != last)
        report(self,
               "%s%llu %s are there, and there should be %lld: %llu were numbered, %llu deleted",
               where, (number) numbering->living, what, (long long) (last - numbering->deleted),
               (number) last, (number) numbering->deleted);
    if (!self->counts)
        return;
    if (numbering->last < numbering->highest)
        report(self, "%sthe last number of %s is %llu, and there is a %llu", where, what,
               (number) numbering->last, (number) numbering->highest);
    if (numbering->count != numbering->living)
        report(self, "%s%llu %s are counted, and %llu are there", where, (number) numbering->count,
               what, (number) numbering->living);
}

/* Whether what is deleted will still be cleaned up. */
static status_t purge_waits(store_t *store, uint64_t application_id, uint64_t chat, bool *ret_waits)
{
    uint64_t numbers[3];
    status_t status = numbers_read(store,
                                   "SELECT 1, 0, 0 FROM purges WHERE application_id = ? AND "
                                   "(chat = 0 OR chat = ?) AND store_done = 0 LIMIT 1",
                                   SQL_VALUES(sql_number(application_id), sql_number(chat)),
                                   numbers);
    if (status == OK)
        *ret_waits = numbers[0] != 0;
    return status;
}

/* ---- chats ---- */

static status_t chat_verify(const struct verify *self, const struct scan_chat *chat)
{
    char where[48];
    snprintf(where, sizeof where, "chat %llu: ", (unsigned long long) chat->number);
    if (chat->deleted) {
        bool waits;
        status_t status = purge_waits(self->store, chat->application_id, chat->number, &waits);
        if (status == OK && !waits)
            report(self, "%sis deleted, and nothing will clean it up", where);
        return status;
    }
    uint64_t numbers[3];
    status_t status = numbers_read(
        self->store,
        "SELECT COUNT(*), MAX(number), MAX(seq) FROM messages "
        "WHERE application_id = ? AND chat_number = ?",
        SQL_VALUES(sql_number(chat->application_id), sql_number(chat->number)), numbers);
    if (status != OK)
        return status;
    numbering_verify(self, where,
                     &(struct numbering){
                         .what = "messages",
                         .count = chat->messages_count,
                         .last = chat->last_message,
                         .deleted = chat->messages_deleted,
                         .living = numbers[0],
                         .highest = numbers[1],
                     });
    if (numbers[2] > self->position_seq)
        report(self, "%sa message was changed at %llu, and the store stands at %llu", where,
               (unsigned long long) numbers[2], (unsigned long long) self->position_seq);
    return OK;
}

static void chat_each(void *context, const struct scan_chat *chat)
{
    struct verify *self = context;
    if (self->status == OK)
        self->status = chat_verify(self, chat);
}

static status_t chats_verify(struct verify *self)
{
    struct scan scan = {.within_application = self->application_id, .limit = SLICE};
    status_t status = OK;
    bool more = true;
    while (status == OK && more) {
        status = store_scan_chats(self->store, &scan, chat_each, self, &more);
        status = status == OK ? self->status : status;
    }
    return status;
}

/* ---- applications ---- */

static status_t application_enter(struct verify *self, const struct scan_application *application)
{
    size_t length = application->token_length < 8 ? application->token_length : 8;
    memcpy(self->application, application->token, length);
    self->application[length] = '\0';
    self->application_id = application->id;
    self->position_seq = UINT64_MAX;
    if (self->shards == 0)
        return OK;
    struct position position;
    bool found;
    status_t status = store_position(self->store, FOLLOWER_PERSISTENCE,
                                     (unsigned) (application->id % self->shards), &position,
                                     &found);
    if (status == OK && found)
        self->position_seq = position.seq;
    return status;
}

static status_t application_verify(struct verify *self, const struct scan_application *application)
{
    uint64_t numbers[3];
    status_t status = application_enter(self, application);
    if (status == OK)
        status = numbers_read(self->store,
                              "SELECT COUNT(*) - COUNT(deleted), MAX(number), COUNT(*) FROM chats "
                              "WHERE application_id = ?",
                              SQL_VALUES(sql_number(application->id)), numbers);
    if (status != OK)
        return status;
    if (!application->deleted) {
        numbering_verify(self, "",
                         &(struct numbering){
                             .what = "chats",
                             .count = application->chats_count,
                             .last = application->last_chat,
                             .deleted = application->chats_deleted,
                             .living = numbers[0],
                             .highest = numbers[1],
                         });
        return chats_verify(self);
    }
    bool waits;
    status = purge_waits(self->store, application->id, 0, &waits);
    if (status == OK && !waits && numbers[2] > 0)
        report(self, "is deleted and cleaned up, and %llu chats are left",
               (unsigned long long) numbers[2]);
    return status;
}

static void application_each(void *context, const struct scan_application *application)
{
    struct verify *self = context;
    if (self->status == OK)
        self->status = application_verify(self, application);
}

static status_t applications_verify(struct verify *self)
{
    struct scan scan = {.limit = SLICE};
    status_t status = OK;
    bool more = true;
    while (status == OK && more) {
        status = store_scan_applications(self->store, &scan, application_each, self, &more);
        status = status == OK ? self->status : status;
    }
    return status;
}

/* ---- rows that belong to nothing ---- */

static status_t orphan_chats_verify(const struct verify *self)
{
    uint64_t numbers[3] = {0};
    status_t status;
    do {
        status = numbers_read(self->store,
                              "SELECT c.application_id, (SELECT COUNT(*) FROM applications a "
                              "WHERE a.id = c.application_id), c.number FROM chats c "
                              "WHERE c.application_id > ? ORDER BY c.application_id LIMIT 1",
                              SQL_VALUES(sql_number(numbers[0])), numbers);
        if (status == OK && numbers[0] && numbers[1] == 0)
            report(self, "chats belong to no application, the first is chat %llu",
                   (unsigned long long) numbers[2]);
    } while (status == OK && numbers[0]);
    return status;
}

/* The first chat after the given one that has messages; chat 0: there is none. */
static status_t chat_of_messages_next(store_t *store, uint64_t *application_id, uint64_t *chat)
{
    uint64_t numbers[3];
    status_t status = numbers_read(store,
                                   "SELECT application_id, chat_number, 0 FROM messages WHERE "
                                   "application_id = ? AND chat_number > ? "
                                   "ORDER BY chat_number LIMIT 1",
                                   SQL_VALUES(sql_number(*application_id), sql_number(*chat)),
                                   numbers);
    if (status == OK && numbers[1] == 0)
        status = numbers_read(store,
                              "SELECT application_id, chat_number, 0 FROM messages WHERE "
                              "application_id > ? ORDER BY application_id, chat_number LIMIT 1",
                              SQL_VALUES(sql_number(*application_id)), numbers);
    if (status == OK) {
        *application_id = numbers[0];
        *chat = numbers[1];
    }
    return status;
}

/* Whose rows the next reports are about; "unknown" if there is no such application. */
static status_t application_name(struct verify *self, uint64_t application_id)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->store->sql, "SELECT token FROM applications WHERE id = ?",
                                SQL_VALUES(sql_number(application_id)), &rows);
    if (status != OK)
        return status;
    strcpy(self->application, "unknown");
    if (sql_next(rows)) {
        size_t length;
        const char *token = sql_column_bytes(rows, 0, &length);
        snprintf(self->application, sizeof self->application, "%.*s", (int) length, token);
    }
    return sql_end(&rows);
}

static status_t orphan_messages_verify(struct verify *self)
{
    uint64_t application_id = 0, chat = 0, numbers[3];
    status_t status = chat_of_messages_next(self->store, &application_id, &chat);
    while (status == OK && chat) {
        status = numbers_read(self->store,
                              "SELECT 1, 0, 0 FROM chats WHERE application_id = ? AND number = ?",
                              SQL_VALUES(sql_number(application_id), sql_number(chat)), numbers);
        if (status == OK && numbers[0] == 0)
            status = application_name(self, application_id);
        if (status == OK && numbers[0] == 0)
            report(self, "messages belong to no chat, which would be chat %llu",
                   (unsigned long long) chat);
        if (status == OK)
            status = chat_of_messages_next(self->store, &application_id, &chat);
    }
    return status;
}

static void dead_each(void *context, const struct dead_record *dead)
{
    struct verify *self = context;
    snprintf(self->application, sizeof self->application, "%.*s", (int) dead->record.token_length,
             dead->record.token);
    report(self, "the record %llu of shard %u is dead: %s", (unsigned long long) dead->record.seq,
           dead->shard, dead->reason);
}

/* ---- the port ---- */

status_t store_verify(store_t *store, bool counts, void (*fault)(void *context, const char *line),
                      void *context)
{
    struct verify self = {.store = store, .counts = counts, .fault = fault, .context = context};
    uint64_t data_set;
    bool found = false;
    unsigned shards = 0;
    status_t status = store_snapshot_begin(store);
    if (status != OK)
        return status;
    status = store_data_set(store, &data_set, &shards, &found);
    self.shards = found ? shards : 0;
    if (status == OK)
        status = store_dead_each(store, dead_each, &self);
    if (status == OK)
        status = applications_verify(&self);
    strcpy(self.application, "unknown");
    if (status == OK)
        status = orphan_chats_verify(&self);
    if (status == OK)
        status = orphan_messages_verify(&self);
    store_snapshot_end(store);
    return store_status(status);
}
