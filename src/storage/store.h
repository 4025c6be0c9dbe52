/* SPDX-License-Identifier: MIT */
/* store.h - where applications, chats and messages are kept for reading.
 *
 * The store holds exactly the effect of the log up to a position for each shard:
 * rows and position move in one transaction, so whoever crashes and however many
 * apply, each record takes effect once. Written in SQL that SQLite and MySQL
 * share (storage/sql.h). This header is the side that follows the log;
 * store_read.h answers requests, store_scan.h walks over everything.
 *
 * One thread per handle, any number of handles on one store.
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/record.h"
#include "common/status.h"

typedef struct store store_t;

/* "sqlite:PATH" or "mysql://user:password@host:port/database". ERR_SCHEMA: run `confab
 * migrate`; ERR_STORE: it cannot be used now, open it again later. */
MUST_CHECK status_t store_open(const char *url, bool read_only, store_t **ret_store);
/* Accepts NULL; leaves *store_p NULL. */
void store_close(store_t **store_p);
/* The database's words about the last failure; NULL: about the last store_open()
 * of this thread that failed. */
const char *store_errmsg(const store_t *store);
/* Makes or updates the tables; the only call that needs rights to alter them. */
MUST_CHECK status_t store_migrate(const char *url, char *ret_errmsg, size_t errmsg_size);
/* Copies the store to a new file while it is in use (embedded only). ERR_EXISTS. */
MUST_CHECK status_t store_backup(store_t *store, const char *path);

/* ---- the data set ---- */

/* Which data set the store holds; it must be that of the journal's shards.
 * *ret_found false: a new store. */
MUST_CHECK status_t store_data_set(store_t *store, uint64_t *ret_data_set, unsigned *ret_shards,
                                   bool *ret_found);
/* ERR_EXISTS: the store holds one already, maybe this one. */
MUST_CHECK status_t store_data_set_create(store_t *store, uint64_t data_set, unsigned shards);

/* ---- positions ---- */

#define FOLLOWER_PERSISTENCE "persistence"
#define FOLLOWER_INDEXING "indexing"
#define FOLLOWER_COUNTING "counting"
#define FOLLOWER_HOLD "hold"       /* `confab hold` and `confab backup`: stops trimming */
#define FOLLOWER_REINDEX "reindex" /* `confab reindex`, for an index that nobody finds yet */

/* *ret_found false: not registered. */
MUST_CHECK status_t store_position(store_t *store, const char *follower, unsigned shard,
                                   struct position *ret_position, bool *ret_found);
/* Registers a follower, or sets its position whatever it was. */
MUST_CHECK status_t store_position_set(store_t *store, const char *follower, unsigned shard,
                                       const struct position *position);
/* Registers a follower. ERR_EXISTS: it is registered already, and nothing was changed. */
MUST_CHECK status_t store_position_add(store_t *store, const char *follower, unsigned shard,
                                       const struct position *position);
/* Compare-and-set of the whole row: ERR_CONFLICT if it is not `from`. */
MUST_CHECK status_t store_position_move(store_t *store, const char *follower, unsigned shard,
                                        const struct position *from, const struct position *to);
MUST_CHECK status_t store_position_remove(store_t *store, const char *follower);
/* The lowest seq of the registered followers of this epoch, or only of those that fill no
 * index; 0 if there are none. */
MUST_CHECK status_t store_positions_lowest(store_t *store, unsigned shard, uint64_t epoch,
                                           bool without_indexes, uint64_t *ret_seq);

/* ---- leases: who of several processes follows which shard ---- */

/* They only share the work; what keeps two from doing the same twice is the
 * compare-and-set of the position. By the store's clock. */
#define LEASE_US (INT64_C(2) * 1000 * 1000)

/* Says that `owner` (random) lives, and renews, gives up and takes leases of the
 * follower so that all that live have about the same number; not for shards that
 * `barred` (NULL, or one bool a shard) names. Call it every third of LEASE_US.
 * ret_owned: one bool a shard. *ret_members: how many live. */
MUST_CHECK status_t store_lease(store_t *store, const char *follower, uint64_t owner,
                                unsigned shards, const bool *barred, bool *ret_owned,
                                unsigned *ret_members);
/* Gives up all of them, and leaves. */
MUST_CHECK status_t store_lease_end(store_t *store, const char *follower, uint64_t owner);
/* Until when anybody holds the shard (the store's clock, µs; 0: nobody), and that clock. */
MUST_CHECK status_t store_lease_until(store_t *store, const char *follower, unsigned shard,
                                      int64_t *ret_until, int64_t *ret_now);

/* ---- persistence ---- */

/* Records that follow each other, the first directly after `from`. */
struct change {
    unsigned shard;
    struct position from, to;
    const struct record *records;
    size_t count;
    const bool *dead;        /* NULL, or for each record: put it into dead_records */
    const char *dead_reason; /* for all of those */
};

/* One transaction: persistence's position from `from` to `to` by compare-and-set
 * (ERR_CONFLICT: nothing happened, read it anew), then the records.
 * ERR_DATA: one of them is bad, nothing happened; see store_try(). */
MUST_CHECK status_t store_apply(store_t *store, const struct change *change);

/* Whether records[0..count) could be applied now, ignoring the position: OK or
 * ERR_DATA. Changes nothing. With the database locked for writing, so that it
 * is for bisecting only. */
MUST_CHECK status_t store_try(store_t *store, const struct record records[], size_t count);

/* Removes a bounded slice of what deleted chats and applications left behind.
 * *ret_more: there is more to remove now. */
MUST_CHECK status_t store_purge(store_t *store, unsigned shard, unsigned shards, bool *ret_more);

/* A chat or application that was deleted and that the follower has not cleaned up yet. */
struct purge {
    uint64_t application_id;
    uint64_t chat; /* 0: the whole application */
    uint64_t seq;  /* of the deletion */
};

/* The oldest purge that `indexing` has not marked done; *ret_found false: none. */
MUST_CHECK status_t store_purge_next_indexing(store_t *store, unsigned shard, unsigned shards,
                                              struct purge *ret_purge, bool *ret_found);
MUST_CHECK status_t store_purge_done_indexing(store_t *store, const struct purge *purge);
/* Indexing met the deletion in the log: its part is to be done, even if it was done
 * before (an older copy of the index reads old creations again). */
MUST_CHECK status_t store_purge_again_indexing(store_t *store, const struct purge *purge);

/* ---- counting ---- */

/* What counting saw of one chat or, with chat 0, of one application. */
struct count {
    uint64_t application_id, chat;
    uint64_t last; /* highest number given below it, as far as counting saw */
};

/* One transaction: counting's position by compare-and-set (from may equal to),
 * then absolute counts: last = the greater of stored and seen, count = last - deleted tally. */
MUST_CHECK status_t store_counts(store_t *store, unsigned shard, const struct position *from,
                                 const struct position *to, const struct count counts[],
                                 size_t count);

/* Computes every count of the shard from its rows and sets counting's position. */
MUST_CHECK status_t store_recount(store_t *store, unsigned shard, unsigned shards,
                                  const struct position *position);

/* ---- dead records ---- */

struct dead_record {
    unsigned shard;
    struct record record;
    const char *reason;
    bool root; /* what comes later for what it should have made joins it */
};

MUST_CHECK status_t store_dead_each(store_t *store,
                                    void (*each)(void *context, const struct dead_record *dead),
                                    void *context);
/* Runs a dead record and those that joined it, in order, and counts anew what
 * they changed; indexing has passed them, so search is the caller's to mend. Of
 * what was deleted meanwhile they are only forgotten. ERR_DATA: it is still bad, or
 * belongs to what is dead, is not there or is another's. ERR_CONFLICT: there is no
 * such dead record. */
MUST_CHECK status_t store_dead_retry(store_t *store, unsigned shard, uint64_t seq);
/* Forgets a dead record; of a creation, also those that joined it or would, so that
 * the journal must take nothing more for it: that is the caller's. ERR_CONFLICT. */
MUST_CHECK status_t store_dead_drop(store_t *store, unsigned shard, uint64_t seq);
/* Puts a record aside that was never offered, of a history that was lost (rebuild).
 * What lives under the same number or id is not touched. Again: nothing. */
MUST_CHECK status_t store_dead_add(store_t *store, unsigned shard, const struct record *record,
                                   const char *reason);

#endif
