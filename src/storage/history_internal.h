/* SPDX-License-Identifier: MIT */
/* history_internal.h - what the files of history share.
 *
 *     history.c            make and check
 *     history_situation.c  what both sides say, and the verdict that all need
 *     history_rebuild.c    the steps of a rebuild
 *     history_drain.c      its second step: what the log still holds goes to the store,
 *     history_apply.c      entry by entry
 *     history_counters.c   its last steps: numbers and tallies of both sides
 *
 * Included by these only.
 */
#ifndef STORAGE_HISTORY_INTERNAL_H
#define STORAGE_HISTORY_INTERNAL_H

#include "storage/history.h"
#include "storage/persist.h"

#define HISTORY_REMEDY "Nothing is numbered any more; `confab rebuild` makes it whole."

/* What both sides say of a shard. */
struct situation {
    journal_t *journal;
    store_t *store;
    unsigned shard;
    struct history_reason *reason;
    struct journal_meta meta;
    bool meta_found;
    struct position row; /* persistence's */
    bool row_found;
    struct data_set data_set; /* the store's */
    bool data_set_found;
};

enum fit {
    FIT,          /* persistence's position is in the log */
    JOURNAL_LOST, /* the journal is older than the store, or of another history */
    STORE_LOST,   /* the store is older than what the log still holds */
};

/* ERR_CONFIG: the two are of different data sets. */
MUST_CHECK status_t situation_load(struct situation *situation);
/* ERR_CONFIG: or there is none. */
MUST_CHECK status_t situation_read(struct situation *situation);

/* Not FIT: the reason says what is wrong. */
MUST_CHECK status_t situation_judge(const struct situation *situation, enum fit *ret_fit);

/* True if the journal holds a shard, and not just a mark where one was. */
bool situation_has_log(const struct situation *situation);

/* Sets the reason and returns `status`. */
status_t history_say(struct history_reason *reason, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with what the journal or the store says, if it failed. */
status_t history_journal(const struct situation *situation, status_t status);
status_t history_store(const struct situation *situation, status_t status);

/* A rebuild at work. */
struct rebuilding {
    struct situation situation;
    const struct rebuild *rebuild;
    struct rebuild_report *report;
    enum fit fit;
    uint64_t epoch; /* the new one, which is also the closing mark */
    uint64_t base;
    uint32_t shards;
    int64_t last_time;
};

void rebuilding_tell(const struct rebuilding *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- an entry at hand ---- */

struct drain {
    struct rebuilding *self;
    struct entries entries;
    persist_t *persist;     /* NULL before the first entry */
    struct record *records; /* of the entry at hand */
    bool *dead;             /* for each of them */
    size_t capacity;
};

void drain_free(struct drain *drain);
/* Takes an entry apart; its checksum was right when it was read. */
MUST_CHECK status_t entry_take(struct drain *drain, const struct entry *entry);
/* Applies it, in one transaction with the position, which it follows. */
MUST_CHECK status_t entry_apply(struct drain *drain, const struct entry *entry);
/* Whether the store shows the trace of one of its records. */
MUST_CHECK status_t entry_known(struct drain *drain, const struct entry *entry, bool *ret_known);

/* ---- the steps ---- */

/* Brings what the log still holds into the store, or into dead_records. Moves
 * situation.row along. */
MUST_CHECK status_t rebuild_drain(struct rebuilding *self);

/* Deletes in the store what the journal knows to be deleted, where the store lost it. */
MUST_CHECK status_t rebuild_delete(struct rebuilding *self);
/* Raises the store's last numbers to the journal's, counts anew, and tallies as
 * deleted what is missing. Sets counting's row to `position`. */
MUST_CHECK status_t rebuild_count(struct rebuilding *self, const struct position *position);
/* Writes the journal's counters, and ends its rebuild. */
MUST_CHECK status_t rebuild_counters(struct rebuilding *self);

#endif
