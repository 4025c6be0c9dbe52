/* SPDX-License-Identifier: MIT */
/* search_elastic_bulk.c - documents into the index.
 *
 * Lines are gathered over calls and sent when there are enough of them; a flush
 * sends the rest, makes all of it visible, and only then writes the positions. The
 * items of an answer are looked at one by one:
 *
 *     2xx, and 404 of a deletion    done
 *     409                           done: the index has a newer version
 *     429, 5xx                      again, with pauses, for RETRY_US at most
 *     other                         the document is left out, counted and told of
 *     another index than before     ERR_CONFLICT: positions must be read anew
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "storage/search_elastic.h"

enum {
    BULK_BYTES = 2 << 20,
    BULK_MS = 20000,
    RETRY_US = 5000000,
    PAUSE_US_MIN = 20000,
    PAUSE_US_MAX = 1000000,
    ID_MAX = 80,
};

/* ---- the answer to a _bulk ---- */

enum fate { FATE_DONE, FATE_KNOWN, FATE_AGAIN, FATE_REFUSED, FATE_ELSEWHERE };

static enum fate item_fate(const search_elastic_t *self, const cJSON *item)
{
    uint64_t code = search_elastic_number(cJSON_GetObjectItemCaseSensitive(item, "status"));
    const char *error = search_elastic_error_type(item);
    if (code == 429 || code >= 500 || code == 0)
        return FATE_AGAIN;
    if (strcmp(error, "index_not_found_exception") == 0 ||
        strcmp(search_elastic_text(item, "_index"), self->index) != 0)
        return FATE_ELSEWHERE;
    if (code == 409)
        return FATE_KNOWN;
    return *error ? FATE_REFUSED : FATE_DONE;
}

static void item_words(search_elastic_t *self, const cJSON *item)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(item, "error");
    search_elastic_words(self, "%.40s: %.100s: %.250s", search_elastic_text(item, "_id"),
                         search_elastic_text(error, "type"), search_elastic_text(error, "reason"));
}

/* The length of an item in what was sent: a deletion is one line, all else two. */
static size_t item_length(const char *lines)
{
    const char *end = strchr(lines, '\n') + 1;
    if (strncmp(lines, "{\"delete\"", 9) != 0)
        end = strchr(end, '\n') + 1;
    return (size_t) (end - lines);
}

/* A shard that is built anew takes what the index has deleted in a newer version too:
 * that was of a history that is lost. The item becomes one that is taken unless it
 * lives. Returns its new length; false: it is that already, or a deletion. */
static bool item_insist(char *item, size_t length, size_t *ret_length)
{
    static const char taken[] = "{\"index\":{", create[] = "{\"create\":{";
    char id[ID_MAX];
    if (strncmp(item, taken, strlen(taken)) != 0 ||
        sscanf(item + strlen(taken), "\"_id\":\"%79[0-9-]\"", id) != 1)
        return false;
    const char *source = strchr(item, '\n');
    size_t rest = length - (size_t) (source - item);
    char line[ID_MAX + 32];
    size_t action = (size_t) snprintf(line, sizeof line, "%s\"_id\":\"%s\"}}", create, id);
    assert(action <= (size_t) (source - item));
    memmove(item + action, source, rest);
    memcpy(item, line, action);
    *ret_length = action + rest;
    return true;
}

/* As most answers are: nothing went wrong, all in the one index. */
static bool answer_plain(const search_elastic_t *self)
{
    const char *text = self->response.data;
    const char *index = text ? strstr(text, "\"_index\":\"") : NULL;
    size_t length = strlen(self->index);
    return index && strstr(text, "\"errors\":false") &&
           strncmp(index + 10, self->index, length) == 0 && index[10 + length] == '"';
}

/* Leaves in `lines` what is to be sent again. */
static status_t answer_sort(search_elastic_t *self, struct buffer *lines, size_t *count)
{
    size_t kept = 0, at = 0, again = 0, seen = 0;
    cJSON_Delete(self->json);
    self->json = cJSON_ParseWithLength(self->response.data, self->response.length);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(self->json, "items");
    for (const cJSON *entry = items ? items->child : NULL; entry; entry = entry->next) {
        const cJSON *item = entry->child;
        if (++seen > *count)
            break;
        size_t length = item_length(lines->data + at);
        enum fate fate = item_fate(self, item);
        if (fate == FATE_ELSEWHERE)
            return ERR_CONFLICT;
        size_t send = length;
        if (fate == FATE_KNOWN && self->rebuilding && item_insist(lines->data + at, length, &send))
            fate = FATE_AGAIN;
        else if (fate == FATE_AGAIN || fate == FATE_REFUSED)
            item_words(self, item);
        self->refused += fate == FATE_REFUSED;
        if (fate == FATE_AGAIN) {
            memmove(lines->data + kept, lines->data + at, send);
            kept += send;
            again++;
        }
        at += length;
    }
    if (seen != *count) {
        search_elastic_words(self, "%s: not the answer to a _bulk", self->server);
        return ERR_SEARCH;
    }
    lines->length = kept;
    *count = again;
    return OK;
}

/* ---- documents ---- */

static status_t lines_offer(search_elastic_t *self, struct buffer *lines, size_t *count)
{
    char path[INDEX_NAME_MAX + 200];
    long code;
    snprintf(path, sizeof path,
             "/%s/_bulk?require_alias=true&timeout=5s&filter_path=errors,items.*._id,"
             "items.*._index,items.*.status,items.*.error.type,items.*.error.reason",
             self->alias);
    status_t status = search_elastic_http(self, HTTP_POST, path, lines, true, BULK_MS, &code);
    if (status != OK)
        return status;
    if (code == 200 && answer_plain(self)) {
        lines->length = *count = 0;
        return OK;
    }
    if (code == 200)
        return answer_sort(self, lines, count);
    cJSON_Delete(self->json);
    self->json = cJSON_ParseWithLength(self->response.data ? self->response.data : "",
                                       self->response.length);
    status = search_elastic_failed(self, code);
    if (code == 404)
        return ERR_CONFLICT;
    return code == 429 || code == 503 ? OK : status; /* all of it again */
}

/* Sends what was gathered. */
static status_t pending_send(search_elastic_t *self)
{
    int64_t until_us = clock_monotonic_us() + RETRY_US;
    status_t status = OK;
    unsigned pause_us = PAUSE_US_MIN;
    self->unseen |= self->pending_count > 0;
    while (status == OK && self->pending_count > 0) {
        status = lines_offer(self, &self->pending, &self->pending_count);
        if (status != OK || self->pending_count == 0)
            break;
        if (clock_monotonic_us() + pause_us > until_us)
            status = ERR_SEARCH;
        else
            usleep(pause_us);
        pause_us = 2 * pause_us < PAUSE_US_MAX ? 2 * pause_us : PAUSE_US_MAX;
    }
    buffer_clear(&self->pending);
    return status;
}

void search_elastic_delete(search_elastic_t *self, const char *id, uint64_t version)
{
    buffer_printf(
        &self->pending,
        "{\"delete\":{\"_id\":\"%s\",\"version\":%llu,\"version_type\":\"external_gte\"}}\n", id,
        (unsigned long long) version);
    self->pending_count++;
}

static void document_add(search_elastic_t *self, unsigned shard, const struct document *document)
{
    struct buffer *lines = &self->pending;
    unsigned long long application = document->application_id, chat = document->chat;
    unsigned long long number = document->number, seq = document->seq;
    char id[ID_MAX];
    snprintf(id, sizeof id, "%llu-%llu-%llu", application, chat, number);
    if (!document->folded) {
        search_elastic_delete(self, id, document->seq);
        return;
    }
    buffer_printf(
        lines,
        "{\"index\":{\"_id\":\"%s\",\"version\":%llu,\"version_type\":\"external_gte\"}}\n"
        "{\"application\":%llu,\"chat\":\"%llu-%llu\",\"chat_number\":%llu,"
        "\"number\":%llu,\"seq\":%llu,\"shard\":\"%u\",\"hash\":%llu,\"body\":",
        id, seq, application, application, chat, chat, number, seq, shard,
        (unsigned long long) search_hash(document->folded, document->folded_length));
    search_elastic_quote(lines, document->folded, document->folded_length);
    buffer_append(lines, "}\n", 2);
    self->pending_count++;
}

/* ---- positions ---- */

struct shard_position *search_elastic_shard(search_elastic_t *self, unsigned shard)
{
    while (shard >= self->position_count) {
        self->positions = realloc(self->positions,
                                  (self->position_count + 1) * sizeof *self->positions);
        assert(self->positions);
        self->positions[self->position_count++] = (struct shard_position){0};
    }
    return &self->positions[shard];
}

void search_elastic_position_id(const search_elastic_t *self, unsigned shard, char ret_id[],
                                size_t size)
{
    snprintf(ret_id, size, "position-%s-%u", self->uuid, shard);
}

static void position_add(search_elastic_t *self, unsigned shard)
{
    const struct shard_position *entry = &self->positions[shard];
    const struct position *position = &entry->position;
    struct buffer *lines = &self->request;
    char id[ID_MAX];
    search_elastic_position_id(self, shard, id, sizeof id);
    buffer_printf(lines, "{\"%s\":{\"_id\":\"%s\"",
                  entry->knowledge == POSITION_ABSENT ? "create" : "index", id);
    if (entry->knowledge == POSITION_AT)
        buffer_printf(lines, ",\"if_seq_no\":%llu,\"if_primary_term\":%llu",
                      (unsigned long long) entry->seq_no, (unsigned long long) entry->primary_term);
    buffer_printf(lines, "}}\n{\"position\":\"%llx %llx %llx %llx %llx %llx\"}\n",
                  (unsigned long long) position->epoch, (unsigned long long) position->seq,
                  (unsigned long long) position->name.producer,
                  (unsigned long long) position->name.sequence, (unsigned long long) position->time,
                  (unsigned long long) position->run);
}

/* One item of the answer: where the position stands now. */
static status_t position_settle(search_elastic_t *self, struct shard_position *entry,
                                const cJSON *item)
{
    enum fate fate = item_fate(self, item);
    if (fate == FATE_ELSEWHERE || fate == FATE_KNOWN)
        return ERR_CONFLICT;
    if (fate != FATE_DONE) {
        item_words(self, item);
        return ERR_SEARCH;
    }
    *entry = (struct shard_position){
        .knowledge = POSITION_AT,
        .seq_no = search_elastic_number(cJSON_GetObjectItemCaseSensitive(item, "_seq_no")),
        .primary_term = search_elastic_number(
            cJSON_GetObjectItemCaseSensitive(item, "_primary_term")),
    };
    return OK;
}

/* Each is written only where this handle has seen it stand: a twin that was in
 * between, or an index that was made anew, is a conflict. */
static status_t positions_send(search_elastic_t *self)
{
    char path[INDEX_NAME_MAX + 64];
    long code;
    buffer_clear(&self->request);
    for (unsigned shard = 0; shard < self->position_count; shard++)
        if (self->positions[shard].pending)
            position_add(self, shard);
    if (self->request.length == 0)
        return OK;
    snprintf(path, sizeof path, "/%s/_bulk?require_alias=true&timeout=5s", self->alias);
    status_t status = search_elastic_ask(self, HTTP_POST, path, &self->request, 404, BULK_MS,
                                         &code);
    if (status != OK || code == 404)
        return status != OK ? status : ERR_CONFLICT;
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(self->json, "items");
    const cJSON *entry = items ? items->child : NULL;
    for (unsigned shard = 0; status == OK && shard < self->position_count; shard++) {
        if (!self->positions[shard].pending)
            continue;
        status = entry ? position_settle(self, &self->positions[shard], entry->child) : ERR_SEARCH;
        entry = entry ? entry->next : NULL;
    }
    return status;
}

/* ---- the adapter's functions ---- */

static status_t settled(search_elastic_t *self, status_t status)
{
    if (status != OK)
        search_elastic_index_forget(self);
    return status;
}

status_t search_elastic_apply(search_t *search, unsigned shard, const struct document documents[],
                              size_t count, const struct position *position)
{
    search_elastic_t *self = (search_elastic_t *) search;
    struct shard_position *entry = search_elastic_shard(self, shard);
    if (position && entry->knowledge == POSITION_OUTDATED)
        return ERR_CONFLICT;
    status_t status = search_elastic_index(self);
    bool rebuilding = entry->knowledge == POSITION_ABSENT;
    if (status == OK && self->rebuilding != rebuilding)
        status = pending_send(self);
    self->rebuilding = rebuilding;
    for (size_t i = 0; status == OK && i < count; i++) {
        document_add(self, shard, &documents[i]);
        if (self->pending.length >= BULK_BYTES)
            status = pending_send(self);
    }
    if (status == OK && position) {
        entry->pending = true;
        entry->position = *position;
    }
    return settled(self, status);
}

static status_t refresh(search_elastic_t *self)
{
    char path[INDEX_NAME_MAX + 64];
    long code;
    snprintf(path, sizeof path, "/%s/_refresh", self->alias);
    status_t status = search_elastic_ask(self, HTTP_POST, path, NULL, 404, BULK_MS, &code);
    if (status != OK || code == 404)
        return status != OK ? status : ERR_CONFLICT;
    const cJSON *shards = cJSON_GetObjectItemCaseSensitive(self->json, "_shards");
    if (!shards || search_elastic_number(cJSON_GetObjectItemCaseSensitive(shards, "failed")) > 0) {
        search_elastic_words(self, "%s: a part of the index was not refreshed", self->server);
        return ERR_SEARCH;
    }
    return OK;
}

status_t search_elastic_flush(search_t *search)
{
    search_elastic_t *self = (search_elastic_t *) search;
    status_t status = self->lost ? ERR_CONFLICT : pending_send(self);
    if (status == OK && self->unseen)
        status = refresh(self);
    if (status == OK) {
        self->unseen = false;
        status = positions_send(self);
    }
    status = settled(self, status);
    self->lost = false;
    return status;
}

uint64_t search_elastic_refused(search_t *search)
{
    search_elastic_t *self = (search_elastic_t *) search;
    uint64_t refused = self->refused;
    self->refused = 0;
    return refused;
}

status_t search_elastic_reset(search_t *search, unsigned shard)
{
    search_elastic_t *self = (search_elastic_t *) search;
    char path[INDEX_NAME_MAX + 64], id[ID_MAX];
    long code;
    status_t status = search_elastic_index(self);
    if (status != OK)
        return settled(self, status);
    search_elastic_position_id(self, shard, id, sizeof id);
    buffer_clear(&self->request);
    buffer_printf(&self->request, "{\"delete\":{\"_id\":\"%s\"}}\n", id);
    snprintf(path, sizeof path, "/%s/_bulk?require_alias=true&timeout=5s", self->alias);
    status = search_elastic_ask(self, HTTP_POST, path, &self->request, 404, BULK_MS, &code);
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(self->json, "items");
    if (status == OK && (code == 404 || !items || !items->child))
        status = ERR_CONFLICT;
    struct shard_position gone = {0};
    if (status == OK)
        status = position_settle(self, &gone, items->child->child);
    if (status == OK)
        *search_elastic_shard(self, shard) = (struct shard_position){.knowledge = POSITION_ABSENT};
    return settled(self, status);
}
