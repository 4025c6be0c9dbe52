/* SPDX-License-Identifier: MIT */
/* search_elastic_find.c - questions to the index, and documents out many at a time.
 *
 * A query's grams are a filter: all of them must be in the document, wherever. Hits
 * come in the order of their numbers and go on behind the last one (search_after),
 * so that no page costs more than the one before.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "storage/search_elastic.h"

enum {
    GRAM = 3,
    GRAMS_MAX = 48,   /* of a long query: spread over all of it */
    PAGE_MAX = 10000, /* what one answer may have (index.max_result_window) */
    FIND_MS = 2000,
    TRIES = 5,
    AGAIN_US = 50000,
    SCAN_MS = 20000,
    PURGE_SLICE = 2000,
};

#define EXACT_MAX UINT64_C(9007199254740991) /* of a number in JSON */

/* One question to an index, its body in self->request; the hits, or NULL. ERR_CONFLICT:
 * there is no such index. *ret_code 0: there was no answer at all. */
static status_t hits_ask(search_elastic_t *self, const char *index, const char *wanted,
                         unsigned timeout_ms, const cJSON **ret_hits, long *ret_code)
{
    char path[INDEX_NAME_MAX + 256];
    *ret_code = 0;
    snprintf(path, sizeof path,
             "/%s/_search?allow_partial_search_results=false&filter_path=timed_out,error,"
             "_shards.failed,%s",
             index, wanted);
    *ret_hits = NULL;
    status_t status = search_elastic_ask(self, HTTP_POST, path, &self->request, 404, timeout_ms,
                                         ret_code);
    if (status != OK || *ret_code == 404)
        return status != OK ? status : ERR_CONFLICT;
    const cJSON *timed_out = cJSON_GetObjectItemCaseSensitive(self->json, "timed_out");
    if (!cJSON_IsFalse(timed_out)) {
        search_elastic_words(self, "%s: %s", self->server,
                             timed_out ? "it took too long" : "not the answer to a _search");
        return ERR_SEARCH;
    }
    const cJSON *hits = cJSON_GetObjectItemCaseSensitive(self->json, "hits");
    *ret_hits = cJSON_GetObjectItemCaseSensitive(hits, "hits");
    return OK;
}

/* The nth value that a hit was sorted by. */
static uint64_t sort_value(const cJSON *hit, int nth)
{
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(hit, "sort");
    return search_elastic_number(cJSON_GetArrayItem(values, nth));
}

static status_t hit_odd(search_elastic_t *self)
{
    search_elastic_words(self, "%s: a hit without its numbers", self->server);
    return ERR_SEARCH;
}

static void chat_filter(struct buffer *request, uint64_t application_id, uint64_t chat)
{
    buffer_printf(request, "{\"term\":{\"chat\":\"%llu-%llu\"}}",
                  (unsigned long long) application_id, (unsigned long long) chat);
}

/* ---- find ---- */

/* The bytes of the first `count` characters. */
static size_t characters_length(const char *text, size_t length, size_t count)
{
    size_t at = 0;
    for (; count > 0 && at < length; count--)
        for (at++; at < length && ((unsigned char) text[at] & 0xC0) == 0x80;)
            at++;
    return at;
}

struct gram {
    const char *text;
    size_t length;
};

static bool gram_known(const struct gram grams[], size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (grams[i].length == length && memcmp(grams[i].text, text, length) == 0)
            return true;
    return false;
}

/* The distinct grams of a query: its trigrams, or all of it if it is shorter. */
static void grams_filter(struct buffer *request, const char *folded, size_t folded_length)
{
    size_t characters = text_code_points(folded, folded_length), count = 0;
    size_t width = characters < GRAM ? characters : GRAM;
    size_t places = characters - width + 1, next = 0, offset = 0;
    size_t wanted = places < GRAMS_MAX ? places : GRAMS_MAX;
    struct gram grams[GRAMS_MAX];
    for (size_t place = 0; place < places && next < wanted; place++) {
        size_t rest = folded_length - offset;
        size_t length = characters_length(folded + offset, rest, width);
        /* The places that are wanted are spread evenly, the first and the last included. */
        if (place == (wanted == 1 ? 0 : next * (places - 1) / (wanted - 1))) {
            next++;
            if (!gram_known(grams, count, folded + offset, length)) {
                grams[count++] = (struct gram){folded + offset, length};
                buffer_append_text(request, ",{\"term\":{\"body\":");
                search_elastic_quote(request, folded + offset, length);
                buffer_append_text(request, "}}");
            }
        }
        offset += characters_length(folded + offset, rest, 1);
    }
}

static void find_describe(search_elastic_t *self, uint64_t application_id, uint64_t chat,
                          const char *folded, size_t folded_length, bool descending, size_t size,
                          uint64_t after)
{
    struct buffer *request = &self->request;
    buffer_clear(request);
    buffer_append_text(request, "{\"query\":{\"bool\":{\"filter\":[");
    chat_filter(request, application_id, chat);
    grams_filter(request, folded, folded_length);
    buffer_printf(request,
                  "]}},\"_source\":false,\"stored_fields\":\"_none_\",\"track_total_hits\":false,"
                  "\"timeout\":\"%dms\",\"size\":%zu,\"sort\":[{\"number\":\"%s\"}],"
                  "\"search_after\":[%llu]}",
                  FIND_MS, size, descending ? "desc" : "asc", (unsigned long long) after);
}

/* The numbers of a page's hits, as far as they are within; *ret_last: of the last hit. */
static status_t page_take(search_elastic_t *self, const cJSON *hits, uint64_t lowest,
                          uint64_t highest, size_t limit, uint64_t ret_numbers[], size_t *ret_count,
                          uint64_t *ret_last)
{
    size_t count = 0;
    for (const cJSON *hit = hits ? hits->child : NULL; hit && count < limit; hit = hit->next) {
        uint64_t number = sort_value(hit, 0);
        if (number == 0)
            return hit_odd(self);
        if (number < lowest || number > highest)
            break;
        ret_numbers[count++] = *ret_last = number;
    }
    *ret_count = count;
    return OK;
}

/* An index that is being removed, or was just made, answers 408 and 503 before one can
 * see that it is another. */
static status_t page_ask(search_elastic_t *self, const cJSON **ret_hits)
{
    for (int tries = 1;; tries++) {
        long code;
        bool same = true;
        status_t status = hits_ask(self, self->index, "hits.hits.sort", FIND_MS, ret_hits, &code);
        if (status != ERR_SEARCH || (code != 408 && code != 503) || tries == TRIES)
            return status;
        usleep(AGAIN_US);
        status = search_elastic_index_check(self, &same);
        if (status != OK || !same)
            return status != OK ? status : ERR_CONFLICT;
    }
}

/* Asks the very index whose position the handle has seen: not the alias, behind which
 * there may be another by now. */
status_t search_elastic_find(search_t *search, uint64_t application_id, uint64_t chat,
                             const char *folded, size_t folded_length, uint64_t lowest,
                             uint64_t highest, bool descending, size_t limit,
                             uint64_t ret_numbers[], size_t *ret_count)
{
    search_elastic_t *self = (search_elastic_t *) search;
    uint64_t after = descending ? highest + 1 : lowest - 1;
    size_t count = 0, asked = 0, got = 0;
    status_t status = search_elastic_index(self);
    while (status == OK && self->index[0] && got == asked && count < limit) {
        const cJSON *hits;
        asked = limit - count < PAGE_MAX ? limit - count : PAGE_MAX;
        find_describe(self, application_id, chat, folded, folded_length, descending, asked, after);
        status = page_ask(self, &hits);
        if (status == OK)
            status = page_take(self, hits, lowest, highest, asked, ret_numbers + count, &got,
                               &after);
        if (status == OK)
            count += got;
    }
    if (status == OK)
        *ret_count = count;
    if (status == ERR_CONFLICT)
        search_elastic_index_forget(self);
    return status;
}

/* ---- walking over everything ---- */

static status_t scan_page(search_elastic_t *self, struct document_cursor *cursor,
                          void (*each)(void *context, const struct indexed *document),
                          void *context, size_t *count)
{
    const cJSON *hits;
    long code;
    status_t status = hits_ask(self, self->alias, "hits.hits.sort", SCAN_MS, &hits, &code);
    if (status == ERR_CONFLICT) /* an index that is not there has nothing */
        status = OK;
    for (const cJSON *hit = hits ? hits->child : NULL; status == OK && hit; hit = hit->next) {
        const struct indexed document = {
            .application_id = sort_value(hit, 0),
            .chat = sort_value(hit, 1),
            .number = sort_value(hit, 2),
            .seq = sort_value(hit, 3),
            .hash = sort_value(hit, 4),
        };
        if (!document.application_id || !document.chat || !document.number)
            return hit_odd(self);
        each(context, &document);
        *cursor = (struct document_cursor){document.application_id, document.chat, document.number};
        (*count)++;
    }
    return status;
}

/* What is behind the cursor, in the chat where it stands or behind that chat. */
static void scan_describe(search_elastic_t *self, const struct document_cursor *cursor,
                          bool within_chat, size_t size)
{
    struct buffer *request = &self->request;
    buffer_clear(request);
    buffer_append_text(request, "{\"query\":{\"bool\":{\"filter\":[");
    if (within_chat)
        chat_filter(request, cursor->application_id, cursor->chat);
    else
        buffer_append_text(request, "{\"exists\":{\"field\":\"number\"}}");
    buffer_printf(request,
                  "]}},\"_source\":false,\"stored_fields\":\"_none_\",\"track_total_hits\":false,"
                  "\"size\":%zu,\"sort\":[\"application\",\"chat_number\",\"number\",\"seq\","
                  "\"hash\"],\"search_after\":[%llu,%llu,%llu,%llu,%llu]}",
                  size, (unsigned long long) cursor->application_id,
                  (unsigned long long) cursor->chat,
                  (unsigned long long) (within_chat ? cursor->number : EXACT_MAX),
                  (unsigned long long) EXACT_MAX, (unsigned long long) EXACT_MAX);
}

/* The chat first, by itself: in a walk over everything each page would look at all
 * documents of the application again. */
status_t search_elastic_scan(search_t *search, struct document_cursor *cursor, size_t limit,
                             void (*each)(void *context, const struct indexed *document),
                             void *context, bool *ret_more)
{
    search_elastic_t *self = (search_elastic_t *) search;
    size_t count = 0;
    status_t status = OK;
    if (cursor->chat > 0) {
        scan_describe(self, cursor, true, limit);
        status = scan_page(self, cursor, each, context, &count);
    }
    if (status == OK && count < limit) {
        scan_describe(self, cursor, false, limit - count);
        status = scan_page(self, cursor, each, context, &count);
    }
    if (status == OK)
        *ret_more = count == limit;
    return status;
}

/* ---- many out ---- */

/* Each hit as the deletion of just that version: what is newer stays, and the same
 * version may come back. */
static void hit_remove(search_elastic_t *self, const cJSON *hit)
{
    uint64_t version = search_elastic_number(cJSON_GetObjectItemCaseSensitive(hit, "_version"));
    search_elastic_delete(self, search_elastic_text(hit, "_id"), version);
}

/* Only what is visible is found, so all that was taken must be. */
static status_t purge_begin(search_elastic_t *self)
{
    status_t status = search_elastic_flush(&self->search);
    buffer_clear(&self->request);
    buffer_printf(&self->request,
                  "{\"_source\":false,\"version\":true,\"track_total_hits\":false,\"size\":%d,"
                  "\"sort\":[\"_doc\"],\"query\":",
                  PURGE_SLICE);
    return status;
}

/* Removes a slice of what the query in self->request finds. */
static status_t purge_end(search_elastic_t *self, bool *ret_more)
{
    const cJSON *hits;
    long code;
    int count = 0;
    buffer_append_text(&self->request, "}");
    status_t status = hits_ask(self, self->alias, "hits.hits._id,hits.hits._version", SCAN_MS,
                               &hits, &code);
    if (status == ERR_CONFLICT) /* an index that is not there has nothing */
        status = OK;
    for (const cJSON *hit = hits ? hits->child : NULL; status == OK && hit; hit = hit->next) {
        hit_remove(self, hit);
        count++;
    }
    if (status == OK && count > 0)
        status = search_elastic_index(self);
    if (status == OK && count > 0)
        status = search_elastic_flush(&self->search);
    if (status == OK)
        *ret_more = count == PURGE_SLICE;
    return status;
}

status_t search_elastic_purge(search_t *search, uint64_t application_id, uint64_t chat,
                              bool *ret_more)
{
    search_elastic_t *self = (search_elastic_t *) search;
    status_t status = purge_begin(self);
    if (chat > 0)
        chat_filter(&self->request, application_id, chat);
    else
        buffer_printf(&self->request, "{\"term\":{\"application\":%llu}}",
                      (unsigned long long) application_id);
    return status == OK ? purge_end(self, ret_more) : status;
}

status_t search_elastic_purge_shard(search_t *search, unsigned shard, unsigned shards,
                                    bool *ret_more)
{
    search_elastic_t *self = (search_elastic_t *) search;
    status_t status = purge_begin(self);
    if (shards > 1)
        buffer_printf(&self->request, "{\"term\":{\"shard\":\"%u\"}}", shard);
    else
        buffer_append_text(&self->request, "{\"exists\":{\"field\":\"number\"}}");
    return status == OK ? purge_end(self, ret_more) : status;
}
