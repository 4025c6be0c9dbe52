/* SPDX-License-Identifier: MIT */
/* history.h - whether journal and store still tell one story, and what to do if not.
 *
 *     make      a new data set: the journal's meta first, then the followers' positions
 *     check     at every start and after every reconnect: is persistence's position in
 *               the log? If not, the shard is closed: nothing is numbered any more, reads
 *               go on, and an operator decides
 *     rebuild   a new epoch from what both still hold; no number that either of them
 *               knew is ever given again
 *
 * The journal can go backwards (a file restored older, a tail that a disk lost, an
 * emptied server), the store too, or the two never belonged together. Entries name
 * their predecessors and positions name entries, so each of these is seen before
 * anything stored is contradicted. docs/ARCHITECTURE.md has the rules.
 *
 * All of it works through the ports, one shard at a call. One thread per handle.
 */
#ifndef STORAGE_HISTORY_H
#define STORAGE_HISTORY_H

#include "storage/journal.h"
#include "storage/store.h"

enum { HISTORY_REASON_SIZE = 512 };

/* Why a call did not return OK: a sentence or two for the log and the operator. */
struct history_reason {
    char text[HISTORY_REASON_SIZE];
};

struct data_set {
    uint64_t id; /* the same for all shards */
    uint32_t shards;
};

/* The data set as the store has it, or else the journal's metas. *ret_found false:
 * neither holds anything, and *ret_data_set is untouched. ERR_CONFIG: the shards do
 * not belong together. ERR_JOURNAL, ERR_STORE. */
MUST_CHECK status_t history_data_set(journal_t *journal, store_t *store,
                                     struct data_set *ret_data_set, bool *ret_found,
                                     struct history_reason *ret_reason);

/* Makes a shard of a new data set, or completes one whose making was interrupted;
 * `indexing` registers that follower too. OK too if all is there. ERR_CONFIG: the
 * shard belongs to another data set. ERR_CLOSED: it is closed, or was written to
 * and the store has no row for it, or the store has one and the journal nothing.
 * ERR_JOURNAL, ERR_STORE. */
MUST_CHECK status_t history_make(journal_t *journal, store_t *store, unsigned shard,
                                 const struct data_set *data_set, bool indexing,
                                 struct history_reason *ret_reason);

/* If this run of the journal was not checked yet: looks whether persistence's
 * position, and `own` (the last entry that the caller appended, or NULL; only if of
 * this epoch and not trimmed away), are in the log. They are: enters the run into
 * the row and into the meta. They are not, and the row is still the same when read
 * again: closes the shard with a mark of its own. OK: checked, appends are taken.
 * ERR_CLOSED: the shard is closed, now or before. ERR_CONFIG: no data set was made.
 * ERR_JOURNAL, ERR_STORE, ERR_CORRUPT: not known; ask again. */
MUST_CHECK status_t history_check(journal_t *journal, store_t *store, unsigned shard,
                                  const struct position *own, struct history_reason *ret_reason);

/* As history_check(), also if this run was checked: for persistence, when its read
 * diverged or its row shows another epoch than the one it follows. OK: all is well,
 * go on from the row. */
MUST_CHECK status_t history_recheck(journal_t *journal, store_t *store, unsigned shard,
                                    struct history_reason *ret_reason);

/* For who takes a new name: is the last entry that it appended still in the log (if of this
 * epoch and not trimmed away)? No gap in a sequence would tell, and another may have entered
 * this run before. It is not: closes the shard, ERR_CLOSED. OK too if it was closed before.
 * Needs no store. ERR_JOURNAL: not known. */
MUST_CHECK status_t history_own(journal_t *journal, unsigned shard, const struct position *own,
                                struct history_reason *ret_reason);

/* What a rebuild did. */
struct rebuild_report {
    uint64_t epoch, base;         /* the new ones */
    bool resumed;                 /* completed what an earlier run began */
    bool hole;                    /* the store was older than what the log still held */
    uint64_t applied;             /* records that the store still got from the log */
    uint64_t known;               /* records of the log that the store had already */
    uint64_t dead;                /* records put into dead_records */
    uint64_t applications, chats; /* living ones, whose counters were written */
    uint64_t messages_missing;    /* numbers given once whose messages are lost: */
    uint64_t chats_missing;       /* tallied as deleted from now on */
};

struct rebuild {
    /* What is being done, one sentence at a time; may be NULL. */
    void (*say)(void *context, const char *sentence);
    void *context;
};

/* Makes a closed shard, or one that history_check() would close, whole again, in a
 * new epoch. Servers may run beside it, if none of them follows the shard without
 * trouble (it waits until the last lease is over, two seconds or so). After a crash
 * the shard is still closed, and a second call completes the work. ERR_EXISTS: there
 * is nothing to rebuild, nothing was touched. ERR_CONFLICT: somebody else moves the
 * positions or rebuilds, or a server follows the shard: the address is wrong.
 * ERR_CORRUPT: an entry of the log cannot be read. ERR_JOURNAL, ERR_STORE,
 * ERR_CONFIG (neither side holds a data set, or the shards do not fit together). */
MUST_CHECK status_t history_rebuild(journal_t *journal, store_t *store, unsigned shard,
                                    const struct rebuild *rebuild,
                                    struct rebuild_report *ret_report,
                                    struct history_reason *ret_reason);

#endif
