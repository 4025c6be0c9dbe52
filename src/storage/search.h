/* SPDX-License-Identifier: MIT */
/* search.h - the index that finds a substring in a chat: the port.
 *
 * The index proposes, the store decides: it holds folded bodies and returns
 * numbers; whoever asks verifies each hit against the store. A document's
 * version is the seq of the row's last change, so that repeats and races are
 * harmless. The index's own position tells up to where everything is visible;
 * only that is believed.
 *
 * One thread per handle, any number of handles on one index.
 */
#ifndef STORAGE_SEARCH_H
#define STORAGE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/record.h"
#include "common/status.h"

typedef struct search search_t;

/* "sqlite:PATH", or http(s)://[user:password@]host:port/index. The index is made if
 * absent, unless read-only; a server's index at the first call that needs it, so that
 * opening asks nobody. ERR_SCHEMA: its
 * tables are not those of this program; ERR_CONFIG: the URL is not understood;
 * ERR_SEARCH, here and below: it cannot be used. search_errmsg(NULL) has the
 * words of this thread's last failed search_open(). */
MUST_CHECK status_t search_open(const char *url, bool read_only, search_t **ret_search);
/* NULL, or what was wrong with the index that this search_open() found: it was
 * damaged, is kept under its name with ".damaged" behind it, and a new one begun. */
const char *search_damage(const search_t *search);
/* Accepts NULL; leaves *search_p NULL. */
void search_close(search_t **search_p);
const char *search_errmsg(const search_t *search);
/* Copies the index to a file while it is in use (embedded only). ERR_EXISTS. */
MUST_CHECK status_t search_backup(search_t *search, const char *path);

/* *ret_found false: the shard's index was never complete, rebuild it. */
MUST_CHECK status_t search_position(search_t *search, unsigned shard, struct position *ret_position,
                                    bool *ret_found);

struct document {
    uint64_t application_id, chat, number;
    uint64_t seq;       /* the version: an older one than the index has is ignored */
    const char *folded; /* by text_fold(); NULL: the message is gone */
    size_t folded_length;
};

/* Takes documents, and with them the position (NULL: it does not move). Of one
 * message any number of versions, in any order; they may be of any chats. They are
 * visible, and after that the position stands, once search_flush() is OK at the
 * latest. ERR_SEARCH: any part of what was taken since the last flush may have
 * happened; read the positions and offer all behind them again.
 * ERR_DATA: a number is 0 or above 2^32 - 1; nothing happened. The larger the
 * batch, the cheaper a document (at 5,000 half of what it costs at 100). */
MUST_CHECK status_t search_apply(search_t *search, unsigned shard,
                                 const struct document documents[], size_t count,
                                 const struct position *position);

/* Makes all that was taken visible, then lets the positions stand, of all shards
 * at once: what a server's index pays for is not the document but this. */
MUST_CHECK status_t search_flush(search_t *search);

/* How many documents the index refused as bad data since this was last asked: those
 * are left out, as one of them must not stop all that come after it; search_errmsg()
 * has the words about the last. 0 in SQLite. */
uint64_t search_refused(search_t *search);

/* Forgets the position: the shard's index is not complete until search_apply()
 * sets one again. Until then it takes what is new to it whatever was removed before,
 * of whatever version: that may have been of a history that is lost. */
MUST_CHECK status_t search_reset(search_t *search, unsigned shard);

/* Removes a bounded slice of a chat's documents, or with chat 0 of an
 * application's; *ret_more: call again. */
MUST_CHECK status_t search_purge(search_t *search, uint64_t application_id, uint64_t chat,
                                 bool *ret_more);
/* The same for all documents of a shard, that is of the applications whose id modulo
 * `shards` it is, and that search_apply() took under this number (a rebuild starts
 * with an empty index). */
MUST_CHECK status_t search_purge_shard(search_t *search, unsigned shard, unsigned shards,
                                       bool *ret_more);

/* Numbers of messages whose body contains the folded query, or may contain it as far as
 * the index can tell (every three characters of the query are there), strictly between
 * `after` and `before` (0: no bound), in walking order, at most `limit`. Fewer
 * than `limit`: there are no more. ERR_CONFLICT: the index that the position was read
 * from is gone; read it again, and ask again. */
MUST_CHECK status_t search_find(search_t *search, uint64_t application_id, uint64_t chat,
                                const char *folded, size_t folded_length, uint64_t after,
                                uint64_t before, bool descending, size_t limit,
                                uint64_t ret_numbers[], size_t *ret_count);

/* ---- a new index beside the one in use (not in SQLite: ERR_CONFIG) ---- */

/* Makes a new, empty index under the same name, which nobody finds yet; the handle
 * reads and writes this one. What an earlier run left unfinished is removed. */
MUST_CHECK status_t search_open_anew(const char *url, search_t **ret_search);
/* From now on it is the one that everybody finds, in one step; a second later
 * the old one is removed, when those are done who had begun to search in it.
 * Whoever wrote into that gets ERR_CONFLICT from its next search_apply() or
 * search_flush(), and reads the positions anew. */
MUST_CHECK status_t search_publish(search_t *search);

/* What an index remembers of a folded body at least. Part of the index's format. */
uint64_t search_hash(const char *folded, size_t length);

/* Walks over all documents in the order (application, chat, number), for verify:
 * up to `limit`, at most SEARCH_SCAN_MAX, after the cursor. Numbers above 2^53 may come
 * out inexact. */
enum { SEARCH_SCAN_MAX = 10000 };
struct document_cursor {
    uint64_t application_id, chat, number;
};
struct indexed {
    uint64_t application_id, chat, number;
    uint64_t seq;
    uint64_t hash; /* search_hash() of the body */
};
MUST_CHECK status_t search_scan(search_t *search, struct document_cursor *cursor, size_t limit,
                                void (*each)(void *context, const struct indexed *document),
                                void *context, bool *ret_more);

#endif
