/* SPDX-License-Identifier: MIT */
/* search_adapter.h - what an index must provide to be behind search.h.
 *
 * Included by search*.c and by fakes of tests only. search.c checks arguments
 * before, and makes what is not for callers to tell apart into ERR_SEARCH after.
 */
#ifndef STORAGE_SEARCH_ADAPTER_H
#define STORAGE_SEARCH_ADAPTER_H

#include "storage/search.h"

/* Each function is the one of search.h with the same name, arguments checked. */
struct search_adapter {
    const char *scheme; /* "sqlite" */
    /* The whole URL. On failure too *ret_search may be set, for its errmsg; it is
     * closed then. */
    status_t (*open)(const char *url, bool read_only, search_t **ret_search);
    void (*close)(search_t *search);
    const char *(*errmsg)(const search_t *search);
    status_t (*backup)(search_t *search, const char *path);
    status_t (*position)(search_t *search, unsigned shard, struct position *ret_position,
                         bool *ret_found);
    status_t (*apply)(search_t *search, unsigned shard, const struct document documents[],
                      size_t count, const struct position *position);
    status_t (*flush)(search_t *search);   /* NULL: apply() has done it all */
    uint64_t (*refused)(search_t *search); /* NULL: none ever is */
    status_t (*reset)(search_t *search, unsigned shard);
    status_t (*purge)(search_t *search, uint64_t application_id, uint64_t chat, bool *ret_more);
    status_t (*purge_shard)(search_t *search, unsigned shard, unsigned shards, bool *ret_more);
    /* Numbers from `lowest` to `highest`, both included and at most NUMBER_MAX;
     * `limit` is not 0, and *ret_count is 0 before. */
    status_t (*find)(search_t *search, uint64_t application_id, uint64_t chat, const char *folded,
                     size_t folded_length, uint64_t lowest, uint64_t highest, bool descending,
                     size_t limit, uint64_t ret_numbers[], size_t *ret_count);
    /* `limit` is not 0. */
    status_t (*scan)(search_t *search, struct document_cursor *cursor, size_t limit,
                     void (*each)(void *context, const struct indexed *document), void *context,
                     bool *ret_more);
    /* On a handle that was opened; NULL: there is one index only. */
    status_t (*open_anew)(search_t *search);
    status_t (*publish)(search_t *search);
};

/* Numbers of messages fit into half a database key. */
#define NUMBER_MAX UINT64_C(4294967295)

/* The first member of every adapter's own struct. */
struct search {
    const struct search_adapter *adapter;
    char damage[256]; /* of the index that open() put aside; else empty */
};

/* Adds an adapter to those built in. Before other threads open anything. */
void search_adapter_register(const struct search_adapter *adapter);

extern const struct search_adapter search_sqlite, search_elastic, search_elastic_secure;

#endif
