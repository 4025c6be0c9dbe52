/* SPDX-License-Identifier: MIT */
#include "storage/search.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "storage/search_adapter.h"

enum { ADAPTERS_MAX = 6 };

static const struct search_adapter *adapters[ADAPTERS_MAX] = {&search_sqlite, &search_elastic,
                                                              &search_elastic_secure};

/* A failed search_open() leaves no handle that could keep the words. */
static _Thread_local char open_errmsg[256];

/* What callers may act on stays; the rest of what an index says is one thing. */
static status_t search_status(status_t status)
{
    bool own = status == OK || status == ERR_DATA || status == ERR_SCHEMA || status == ERR_EXISTS ||
               status == ERR_CONFIG || status == ERR_CONFLICT;
    return own ? status : ERR_SEARCH;
}

void search_adapter_register(const struct search_adapter *adapter)
{
    size_t i = 0;
    while (adapters[i] && adapters[i] != adapter)
        i++;
    assert(i < ADAPTERS_MAX - 1);
    adapters[i] = adapter;
}

static const struct search_adapter *adapter_find(const char *url)
{
    size_t i = 0;
    while (adapters[i] && !text_has_scheme(url, adapters[i]->scheme))
        i++;
    return adapters[i];
}

/* The end of opening: hands the handle on, or closes it and keeps its words. */
static status_t opened(search_t *search, status_t status, search_t **ret_search)
{
    if (status != OK) {
        const char *words = search ? search_errmsg(search) : "";
        snprintf(open_errmsg, sizeof open_errmsg, "%s", *words ? words : status_text(status));
        search_close(&search);
        return search_status(status);
    }
    *ret_search = search;
    return OK;
}

status_t search_open(const char *url, bool read_only, search_t **ret_search)
{
    assert(url && ret_search);
    const struct search_adapter *adapter = adapter_find(url);
    if (!adapter) {
        /* Not the URL itself: there may be a password in it. */
        snprintf(open_errmsg, sizeof open_errmsg, "no index is known by the scheme of this URL");
        return ERR_CONFIG;
    }

    search_t *search = NULL;
    status_t status = adapter->open(url, read_only, &search);
    return opened(search, status, ret_search);
}

status_t search_open_anew(const char *url, search_t **ret_search)
{
    assert(url && ret_search);
    const struct search_adapter *adapter = adapter_find(url);
    if (!adapter || !adapter->open_anew) {
        snprintf(open_errmsg, sizeof open_errmsg, "such an index has no other one beside it");
        return ERR_CONFIG;
    }
    search_t *search = NULL;
    status_t status = adapter->open(url, false, &search);
    if (status == OK)
        status = adapter->open_anew(search);
    return opened(search, status, ret_search);
}

status_t search_publish(search_t *search)
{
    assert(search->adapter->publish);
    return search_status(search->adapter->publish(search));
}

void search_close(search_t **search_p)
{
    search_t *search = *search_p;
    if (!search)
        return;
    search->adapter->close(search);
    *search_p = NULL;
}

const char *search_errmsg(const search_t *search)
{
    return search ? search->adapter->errmsg(search) : open_errmsg;
}

const char *search_damage(const search_t *search)
{
    return search->damage[0] ? search->damage : NULL;
}

status_t search_backup(search_t *search, const char *path)
{
    assert(path);
    return search_status(search->adapter->backup(search, path));
}

status_t search_position(search_t *search, unsigned shard, struct position *ret_position,
                         bool *ret_found)
{
    return search_status(search->adapter->position(search, shard, ret_position, ret_found));
}

/* What no index could hold. It came from a disk: refused, not asserted. */
static bool document_valid(const struct document *document)
{
    return document->application_id > 0 && document->application_id <= INT64_MAX &&
           document->chat > 0 && document->chat <= INT64_MAX && document->number > 0 &&
           document->number <= NUMBER_MAX && document->seq <= INT64_MAX;
}

status_t search_apply(search_t *search, unsigned shard, const struct document documents[],
                      size_t count, const struct position *position)
{
    assert(documents || count == 0);
    for (size_t i = 0; i < count; i++)
        if (!document_valid(&documents[i]))
            return ERR_DATA;
    if (count == 0 && !position)
        return OK;
    return search_status(search->adapter->apply(search, shard, documents, count, position));
}

status_t search_flush(search_t *search)
{
    return search->adapter->flush ? search_status(search->adapter->flush(search)) : OK;
}

uint64_t search_refused(search_t *search)
{
    return search->adapter->refused ? search->adapter->refused(search) : 0;
}

status_t search_reset(search_t *search, unsigned shard)
{
    return search_status(search->adapter->reset(search, shard));
}

status_t search_purge(search_t *search, uint64_t application_id, uint64_t chat, bool *ret_more)
{
    assert(application_id > 0 && ret_more);
    return search_status(search->adapter->purge(search, application_id, chat, ret_more));
}

status_t search_purge_shard(search_t *search, unsigned shard, unsigned shards, bool *ret_more)
{
    assert(shard < shards && ret_more);
    return search_status(search->adapter->purge_shard(search, shard, shards, ret_more));
}

status_t search_find(search_t *search, uint64_t application_id, uint64_t chat, const char *folded,
                     size_t folded_length, uint64_t after, uint64_t before, bool descending,
                     size_t limit, uint64_t ret_numbers[], size_t *ret_count)
{
    assert(folded && folded_length > 0 && ret_count && (ret_numbers || limit == 0));
    uint64_t highest = before == 0 || before > NUMBER_MAX ? NUMBER_MAX : before - 1;
    size_t count = 0;
    status_t status = OK;
    if (limit > 0 && after < highest)
        status = search->adapter->find(search, application_id, chat, folded, folded_length,
                                       after + 1, highest, descending, limit, ret_numbers, &count);
    if (status == OK)
        *ret_count = count;
    assert(count <= limit);
    return search_status(status);
}

status_t search_scan(search_t *search, struct document_cursor *cursor, size_t limit,
                     void (*each)(void *context, const struct indexed *document), void *context,
                     bool *ret_more)
{
    assert(cursor && limit > 0 && limit <= SEARCH_SCAN_MAX && each && ret_more);
    return search_status(search->adapter->scan(search, cursor, limit, each, context, ret_more));
}

/* No secret is kept by it: the key is as good as any. Short enough for a JSON number. */
uint64_t search_hash(const char *folded, size_t length)
{
    static const unsigned char key[crypto_shorthash_KEYBYTES] = "confab";
    uint64_t hash = 0;
    unsigned char bytes[crypto_shorthash_BYTES];
    crypto_shorthash(bytes, (const unsigned char *) folded, length, key);
    for (size_t i = 0; i < sizeof bytes; i++)
        hash = hash << 8 | bytes[i];
    return hash >> 11;
}
