/* SPDX-License-Identifier: MIT */
/* journal_adapter.h - what a journal must provide to be behind journal.h.
 *
 * Included by journal*.c and by tests only. journal.c checks arguments before and
 * what was read after: an adapter stores, counts and answers. It says what went
 * wrong with journal_fail(), which keeps the words for journal_errmsg().
 */
#ifndef STORAGE_JOURNAL_ADAPTER_H
#define STORAGE_JOURNAL_ADAPTER_H

#include "storage/journal.h"

enum {
    JOURNAL_ERRMSG_SIZE = 256,
    SEQ_BITS = 55, /* so that shard and seq fit into one integer of SQLite */
};

/* Producers and keys are kept that long. */
#define JOURNAL_KEEP_US (INT64_C(24) * 3600 * 1000 * 1000)

/* Each function is the one of journal.h with the same name, but for what is said. */
struct journal_adapter {
    const char *scheme; /* "sqlite" */
    /* On failure too *ret_journal may be set, for its errmsg; it is closed then. */
    status_t (*open)(const struct journal_options *options, journal_t **ret_journal);
    void (*close)(journal_t *journal);
    /* NULL, all three: embedded, one server and nothing to advise. */
    unsigned (*servers)(const journal_t *journal);
    bool (*server_of)(journal_t *journal, unsigned shard, unsigned *ret_server);
    status_t (*advice)(journal_t *journal, void (*say)(void *context, const char *sentence),
                       void *context);
    status_t (*meta)(journal_t *journal, unsigned shard, struct journal_meta *ret_meta,
                     bool *ret_found);
    status_t (*create)(journal_t *journal, const struct journal_meta *meta);
    status_t (*checked)(journal_t *journal, unsigned shard, uint64_t before, uint64_t run);
    status_t (*mark)(journal_t *journal, unsigned shard, uint64_t mark, bool replace);
    /* Sets each batch's status. Every group's answer is blank before. */
    void (*append)(journal_t *journal, struct batch batches[], size_t count);
    /* `closed`: all are of that shard, whose state does not matter; NULL: journal_look().
     * Sets each look's own status; returns OK or the first that is not. */
    status_t (*look)(journal_t *journal, struct look looks[], size_t count, const unsigned *closed);
    /* Entries from the one that holds `seq` or the first after it, unchecked, and
     * the meta of the same moment. `entries` is empty before. */
    status_t (*read)(journal_t *journal, unsigned shard, uint64_t seq, size_t records_max,
                     size_t bytes_max, struct entries *entries, struct journal_meta *ret_meta,
                     bool *ret_found);
    status_t (*trim)(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more);
    status_t (*rebuild_begin)(journal_t *journal, unsigned shard, uint64_t base);
    status_t (*rebuild_application)(journal_t *journal, const char *token, size_t token_length,
                                    uint64_t application_id, enum existence existence,
                                    uint64_t last_chat);
    status_t (*rebuild_chat)(journal_t *journal, const char *token, size_t token_length,
                             uint64_t chat, uint64_t last_message);
    status_t (*rebuild_end)(journal_t *journal, uint64_t mark, const struct journal_meta *meta);
    status_t (*backup)(journal_t *journal, const char *path);
};

/* The first member of every adapter's own struct. */
struct journal {
    const struct journal_adapter *adapter;
    char errmsg[JOURNAL_ERRMSG_SIZE];
};

/* Keeps the words for journal_errmsg() and returns `status`. */
status_t journal_fail(journal_t *journal, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends an entry; `groups` is copied. entries_settle() then sets the pointers. */
void entries_add(struct entries *entries, const struct entry *entry);
void entries_settle(struct entries *entries);

/* Now, in µs since 1970. */
int64_t journal_clock(void);

/* Adds an adapter to those built in. Before other threads open anything. */
void journal_adapter_register(const struct journal_adapter *adapter);

extern const struct journal_adapter journal_sqlite;
extern const struct journal_adapter journal_redis;

#endif
