/* SPDX-License-Identifier: MIT */
#include "storage/search_elastic.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POSITION_MS = 2000, TRIES = 10, AWAIT_US = 50000 };

static status_t search_elastic_open(const char *url, bool read_only, search_t **ret_search)
{
    search_elastic_t *self = calloc(1, sizeof *self);
    assert(self);
    self->search.adapter = &search_elastic;
    self->read_only = read_only;
    *ret_search = &self->search;
    status_t status = search_elastic_http_open(self, url);
    snprintf(self->alias, sizeof self->alias, "%s", self->name);
    return status;
}

/* Also what a failed search_elastic_open() left. */
static void search_elastic_close(search_t *search)
{
    search_elastic_t *self = (search_elastic_t *) search;
    search_elastic_http_close(self);
    buffer_free(&self->request);
    buffer_free(&self->pending);
    free(self->positions);
    free(self);
}

static const char *search_elastic_errmsg(const search_t *search)
{
    return ((const search_elastic_t *) search)->errmsg;
}

static status_t search_elastic_backup(search_t *search, const char *path)
{
    (void) path;
    search_elastic_words((search_elastic_t *) search, "a server's index is not copied to a file");
    return ERR_CONFIG;
}

/* ---- positions ---- */

static bool position_read(const cJSON *json, struct position *ret_position)
{
    const cJSON *fields = cJSON_GetObjectItemCaseSensitive(json, "fields");
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(fields, "position");
    const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(values, 0));
    unsigned long long part[6];
    if (!text || sscanf(text, "%llx %llx %llx %llx %llx %llx", &part[0], &part[1], &part[2],
                        &part[3], &part[4], &part[5]) != 6)
        return false;
    *ret_position = (struct position){
        .epoch = part[0],
        .seq = part[1],
        .name = {part[2], part[3]},
        .time = (int64_t) part[4],
        .run = part[5],
    };
    return true;
}

/* Code 0: the answer is not of the index that was asked for. */
static status_t position_ask(search_elastic_t *self, unsigned shard, long *ret_code)
{
    char id[UUID_MAX + 32], path[INDEX_NAME_MAX + UUID_MAX + 128];
    search_elastic_position_id(self, shard, id, sizeof id);
    snprintf(path, sizeof path, "/%s/_doc/%s?stored_fields=position", self->alias, id);
    status_t status = search_elastic_ask(self, HTTP_GET, path, NULL, 404, POSITION_MS, ret_code);
    if (status == OK && strcmp(search_elastic_text(self->json, "_index"), self->index) != 0)
        *ret_code = 0;
    return status;
}

static status_t position_found(search_elastic_t *self, unsigned shard,
                               struct position *ret_position)
{
    struct shard_position *entry = search_elastic_shard(self, shard);
    const cJSON *json = self->json;
    if (!position_read(json, ret_position)) {
        search_elastic_words(self, "%s: the position is not one", self->index);
        return ERR_SCHEMA;
    }
    entry->knowledge = POSITION_AT;
    entry->seq_no = search_elastic_number(cJSON_GetObjectItemCaseSensitive(json, "_seq_no"));
    entry->primary_term = search_elastic_number(
        cJSON_GetObjectItemCaseSensitive(json, "_primary_term"));
    return OK;
}

/* An index that was just made is found before it can answer. */
static bool index_await(search_elastic_t *self)
{
    char path[2 * INDEX_NAME_MAX];
    long code;
    snprintf(path, sizeof path, "/_cluster/health/%s?wait_for_status=yellow&timeout=1s",
             self->index);
    usleep(AWAIT_US);
    return search_elastic_ask(self, HTTP_GET, path, NULL, 0, POSITION_MS, &code) == OK;
}

/* By id, so that it is what was written last, and cheap. When it is not found, the
 * index may have been made anew under the same name: then it is asked again. */
static status_t search_elastic_position(search_t *search, unsigned shard,
                                        struct position *ret_position, bool *ret_found)
{
    search_elastic_t *self = (search_elastic_t *) search;
    bool same = false;
    for (int tries = 0; tries < TRIES; tries++) {
        long code = 404;
        status_t status = search_elastic_index(self);
        if (status == OK && self->index[0])
            status = position_ask(self, shard, &code);
        if (status == ERR_SEARCH && code == 503 && index_await(self))
            continue;
        if (status == OK && code == 200) {
            status = position_found(self, shard, ret_position);
            *ret_found = status == OK;
            return status;
        }
        if (status == OK && (same || !self->index[0]) && code == 404) {
            search_elastic_shard(self, shard)->knowledge = POSITION_ABSENT;
            *ret_found = false;
            return OK;
        }
        if (status == OK)
            status = search_elastic_index_check(self, &same);
        if (status != OK)
            return status;
    }
    search_elastic_words(self, "%s: the index changes all the time", self->name);
    return ERR_SEARCH;
}

#define ELASTIC_ADAPTER(its_scheme)                                                         \
    {                                                                                       \
        .scheme = (its_scheme), .open = search_elastic_open, .close = search_elastic_close, \
        .errmsg = search_elastic_errmsg, .backup = search_elastic_backup,                   \
        .position = search_elastic_position, .apply = search_elastic_apply,                 \
        .flush = search_elastic_flush, .refused = search_elastic_refused,                   \
        .reset = search_elastic_reset, .purge = search_elastic_purge,                       \
        .purge_shard = search_elastic_purge_shard, .find = search_elastic_find,             \
        .scan = search_elastic_scan, .open_anew = search_elastic_open_anew,                 \
        .publish = search_elastic_publish,                                                  \
    }

const struct search_adapter search_elastic = ELASTIC_ADAPTER("http");
const struct search_adapter search_elastic_secure = ELASTIC_ADAPTER("https");
