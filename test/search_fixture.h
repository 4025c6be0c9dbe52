/* SPDX-License-Identifier: MIT */
/* search_fixture.h - an empty search index, and short words for tests of it.
 *
 * Included after cmocka.h, by the tests of one executable only.
 */
#ifndef SEARCH_FIXTURE_H
#define SEARCH_FIXTURE_H

#include "common/text.h"
#include "elastic_client.h"
#include "storage/search.h"
#include "support.h"

enum { FIXTURE_FOLDED_MAX = TEXT_FOLDED_MAX(BODY_BYTES_MAX) };

static char *fixture_folder;

static bool fixture_elastic; /* the index at hand is Elasticsearch's */
static bool fixture_remains; /* and there may be some of it left */

__attribute__((destructor)) static void search_fixture_end(void)
{
    folder_remove(&fixture_folder);
    if (fixture_remains)
        elastic_remove();
}

/* The URLs to test, NULL after the last. */
static inline const char *search_fixture_url(size_t i)
{
    if (i == 0) {
        if (!fixture_folder)
            fixture_folder = folder_make();
        return text_of("sqlite:%s/search.db", fixture_folder);
    }
    fixture_elastic = i == 1 && elastic_server();
    fixture_remains |= fixture_elastic;
    return fixture_elastic ? text_of("%s/%s", elastic_server(), elastic_name()) : NULL;
}

/* For test reports. */
static inline const char *search_fixture_name(size_t i)
{
    return i == 0 ? "search sqlite" : "search elasticsearch";
}

/* Opens an index and removes all that is in it. */
static inline search_t *search_fixture_open(const char *url)
{
    search_t *search = NULL;
    bool more = true;
    if (fixture_elastic)
        elastic_remove();
    assert_int_equal(search_open(url, false, &search), OK);
    if (fixture_elastic)
        return search;
    while (more)
        assert_int_equal(search_purge_shard(search, 0, 1, &more), OK);
    for (unsigned shard = 0; shard < 8; shard++)
        assert_int_equal(search_reset(search, shard), OK);
    return search;
}

/* One message, folded; NULL: it is gone. Visible after the next flush. */
static inline void take(search_t *search, uint64_t application_id, uint64_t chat, uint64_t number,
                        uint64_t seq, const char *text)
{
    struct document document = {application_id, chat, number, seq, NULL, 0};
    char *folded = NULL;
    if (text) {
        size_t length = strlen(text), capacity = TEXT_FOLDED_MAX(length);
        folded = malloc(capacity + 1);
        assert_non_null(folded);
        document.folded_length = text_fold(text, length, folded, capacity);
        document.folded = folded;
    }
    assert_int_equal(search_apply(search, 0, &document, 1, NULL), OK);
    free(folded);
}

/* The same, visible at once. */
static inline void put(search_t *search, uint64_t application_id, uint64_t chat, uint64_t number,
                       uint64_t seq, const char *text)
{
    take(search, application_id, chat, number, seq, text);
    assert_int_equal(search_flush(search), OK);
}

/* Folds the query; returns the number of hits. */
static inline size_t find(search_t *search, uint64_t application_id, uint64_t chat,
                          const char *query, uint64_t after, uint64_t before, bool descending,
                          size_t limit, uint64_t numbers[])
{
    char folded[1024];
    size_t length = text_fold(query, strlen(query), folded, sizeof folded), count = 999;
    assert_int_equal(search_find(search, application_id, chat, folded, length, after, before,
                                 descending, limit, numbers, &count),
                     OK);
    return count;
}

/* Newest first, the query as it is, in a place of exact size. */
static inline size_t find_bytes(search_t *search, uint64_t application_id, uint64_t chat,
                                const char *query, size_t length, uint64_t numbers[], size_t limit)
{
    char *copy = malloc(length);
    size_t count = 999;
    assert_non_null(copy);
    memcpy(copy, query, length);
    assert_int_equal(
        search_find(search, application_id, chat, copy, length, 0, 0, true, limit, numbers, &count),
        OK);
    free(copy);
    return count;
}

/* Chat 1 of application 1 has these hits, newest first: numbers, then a 0. */
static inline void assert_finds(search_t *search, const char *query, ...)
{
    uint64_t numbers[100];
    size_t count = find(search, 1, 1, query, 0, 0, true, 100, numbers), i = 0;
    va_list expected;
    va_start(expected, query);
    for (int number; (number = va_arg(expected, int)) != 0; i++) {
        if (i >= count || numbers[i] != (uint64_t) number)
            fail_msg("%s: %d is not hit %zu of %zu", query, number, i, count);
    }
    va_end(expected);
    assert_int_equal(count, i);
}

#endif
