/* SPDX-License-Identifier: MIT */
/* indexing.h - the follower that keeps the search index.
 *
 *     journal ──entries──▶ indexing ──documents, then the position──▶ search
 *     store ──edited messages as they are now──┘
 *
 * Never past persistence. For a creation it takes the log's body; for an edit
 * what the store holds now (nothing: a deletion). The position lives in the index
 * itself and only that is believed: when it is missing or not in the log, the
 * index is built anew from the store. The store's row is a copy for trimming.
 */
#ifndef ACTORS_INDEXING_H
#define ACTORS_INDEXING_H

#include <czmq.h>

/* For actor_start(); `args` is a const struct actor_args *. */
void indexing_actor(zsock_t *pipe, void *args);

#endif
