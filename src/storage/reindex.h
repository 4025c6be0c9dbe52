/* SPDX-License-Identifier: MIT */
/* reindex.h - the search index anew, from what the store holds.
 *
 * The indexing actor does it when its position is lost or cut off; `confab
 * reindex` does it because somebody asked. A crash on the way leaves the index
 * without a position, so that it begins again.
 */
#ifndef STORAGE_REINDEX_H
#define STORAGE_REINDEX_H

#include "storage/search.h"
#include "storage/store.h"

/* Called after each slice with the number of documents so far; false: give up. */
typedef bool reindex_progress_fn(void *context, uint64_t documents);

/* Empties the shard's part of the index and fills it. Changes made meanwhile are
 * in the log behind *ret_position, which is persistence's as it was at the start;
 * it becomes the index's. ERR_STORE, ERR_SEARCH, ERR_STOPPED (given up),
 * ERR_DIVERGED (the store has no position: not a data set). */
MUST_CHECK status_t reindex_shard(store_t *store, search_t *search, unsigned shard, unsigned shards,
                                  reindex_progress_fn *progress, void *context,
                                  struct position *ret_position);

/* The middle of it: gives the index all that the store holds of the shard, and moves no
 * position. */
MUST_CHECK status_t reindex_scan(store_t *store, search_t *search, unsigned shard, unsigned shards,
                                 reindex_progress_fn *progress, void *context);

/* After a dead record was retried, which indexing had passed: gives the index what
 * the store now holds of what the record is about. Of the record, its strings are
 * not looked at. ERR_STORE, ERR_SEARCH. */
MUST_CHECK status_t reindex_record(store_t *store, search_t *search, unsigned shard,
                                   const struct record *record);

#endif
