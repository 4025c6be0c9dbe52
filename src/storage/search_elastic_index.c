/* SPDX-License-Identifier: MIT */
/* search_elastic_index.c - which index stands behind the name, and making one.
 *
 * All that is known about it comes from one answer, so that two servers that begin
 * at once choose the same number: one makes the index, together with its alias,
 * and the other one's request is refused and looks again.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/migrations.h"
#include "storage/search_elastic.h"

enum {
    ADMIN_MS = 30000, /* to make, publish or remove an index */
    LOOK_MS = 2000,
    GRACE_US = 1000000,
    TRIES = 5,
    MAPPING_VERSION = 1,
};

/* What is there under the name. */
struct survey {
    unsigned highest;                /* number of an index; 0: there is none */
    const cJSON *found, *unfinished; /* in self->json; NULL: there is none */
    const cJSON *retired;            /* one of ours that nobody finds any more */
    unsigned found_count;
};

/* The number in name-000001, or 0. */
static unsigned index_number(const search_elastic_t *self, const char *index)
{
    size_t length = strlen(self->name);
    const char *digits = index + length + 1;
    if (strncmp(index, self->name, length) != 0 || index[length] != '-' ||
        strlen(digits) != INDEX_DIGITS || strspn(digits, "0123456789") != INDEX_DIGITS)
        return 0;
    return (unsigned) strtoul(digits, NULL, 10);
}

static void alias_unfinished(const search_elastic_t *self, char ret_alias[], size_t size)
{
    snprintf(ret_alias, size, "%s-building", self->name);
}

static const cJSON *under(const cJSON *object, const char *first, const char *second)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, first),
                                            second);
}

static status_t survey(search_elastic_t *self, struct survey *ret_survey)
{
    char path[INDEX_NAME_MAX + 128], unfinished[INDEX_NAME_MAX + 16];
    long code;
    snprintf(path, sizeof path,
             "/%s-*?filter_path=*.aliases,*.mappings._meta,*.settings.index.uuid", self->name);
    status_t status = search_elastic_ask(self, HTTP_GET, path, NULL, 404, LOOK_MS, &code);
    if (status != OK)
        return status;
    *ret_survey = (struct survey){0};
    if (code == 404)
        return OK;
    alias_unfinished(self, unfinished, sizeof unfinished);
    for (const cJSON *index = self->json->child; index; index = index->next) {
        unsigned number = index_number(self, index->string);
        if (number > ret_survey->highest)
            ret_survey->highest = number;
        if (number > 0 && under(index, "aliases", self->name)) {
            ret_survey->found = index;
            ret_survey->found_count++;
        } else if (number > 0 && under(index, "aliases", unfinished)) {
            ret_survey->unfinished = index;
        } else if (number > 0 &&
                   cJSON_GetObjectItemCaseSensitive(under(index, "mappings", "_meta"), "confab")) {
            ret_survey->retired = index;
        }
    }
    return OK;
}

static status_t index_take(search_elastic_t *self, const cJSON *index)
{
    const cJSON *meta = under(index, "mappings", "_meta");
    const cJSON *settings = under(index, "settings", "index");
    if (search_elastic_number(cJSON_GetObjectItemCaseSensitive(meta, "confab")) !=
        MAPPING_VERSION) {
        search_elastic_words(self, "the index %s is not of this program: confab reindex",
                             index->string);
        return ERR_SCHEMA;
    }
    snprintf(self->index, sizeof self->index, "%s", index->string);
    snprintf(self->uuid, sizeof self->uuid, "%s", search_elastic_text(settings, "uuid"));
    return OK;
}

/* The body of the request that makes an index, with its alias. */
static void index_describe(search_elastic_t *self, const char *alias)
{
    const struct migration *file = migrations;
    while (strcmp(file->name, "elasticsearch/index.json") != 0)
        file++;
    cJSON *json = cJSON_Parse(file->text);
    cJSON *index = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(json, "settings"), "index");
    assert(index);
    cJSON_AddNumberToObject(index, "number_of_shards", self->shards);
    cJSON_AddNumberToObject(index, "number_of_replicas", self->replicas);
    cJSON_AddObjectToObject(cJSON_AddObjectToObject(json, "aliases"), alias);
    char *text = cJSON_PrintUnformatted(json);
    assert(text);
    buffer_clear(&self->request);
    buffer_append_text(&self->request, text);
    cJSON_free(text);
    cJSON_Delete(json);
}

/* Refused because it is there by now is OK too: whoever asked looks again. */
static status_t index_make(search_elastic_t *self, unsigned number, const char *alias)
{
    char path[INDEX_NAME_MAX + 16];
    long code;
    snprintf(path, sizeof path, "/%s-%0*u", self->name, INDEX_DIGITS, number);
    index_describe(self, alias);
    status_t status = search_elastic_ask(self, HTTP_PUT, path, &self->request, 400, ADMIN_MS,
                                         &code);
    if (status == OK && code == 400 &&
        strcmp(search_elastic_error_type(self->json), "resource_already_exists_exception") != 0)
        status = search_elastic_failed(self, code);
    return status;
}

static status_t index_remove(search_elastic_t *self, const char *index)
{
    char path[INDEX_NAME_MAX + 32];
    long code;
    snprintf(path, sizeof path, "/%s", index);
    return search_elastic_ask(self, HTTP_DELETE, path, NULL, 404, ADMIN_MS, &code);
}

/* Whether nothing has the alias's name: with something else there, ours would mix
 * with it. */
static status_t name_free(search_elastic_t *self, bool *ret_free)
{
    char path[INDEX_NAME_MAX + 16];
    long code;
    snprintf(path, sizeof path, "/%s", self->name);
    status_t status = search_elastic_ask(self, HTTP_HEAD, path, NULL, 404, LOOK_MS, &code);
    if (status == OK)
        *ret_free = code == 404;
    return status;
}

static status_t index_find(search_elastic_t *self, const struct survey *found)
{
    if (found->found_count > 1) {
        search_elastic_words(self, "the alias %s names several indices", self->name);
        return ERR_SCHEMA;
    }
    return found->found ? index_take(self, found->found) : OK;
}

status_t search_elastic_index(search_elastic_t *self)
{
    bool unfinished = strcmp(self->alias, self->name) != 0;
    bool available = true;
    struct survey found;
    status_t status = OK;
    for (int tries = 0; status == OK && !self->index[0] && tries < TRIES; tries++) {
        status = survey(self, &found);
        if (status == OK && unfinished) /* only search_elastic_open_anew() makes one */
            return found.unfinished ? index_take(self, found.unfinished) : ERR_CONFLICT;
        if (status == OK)
            status = index_find(self, &found);
        if (status != OK || self->index[0] || self->read_only)
            return status;
        status = name_free(self, &available);
        if (status == OK && available)
            status = index_make(self, found.highest + 1, self->name);
    }
    if (status == OK && !self->index[0]) {
        search_elastic_words(self,
                             available ? "the index %s goes as soon as it is made"
                                       : "something else there is called %s",
                             self->name);
        status = available ? ERR_SEARCH : ERR_SCHEMA;
    }
    return status;
}

static void taken_forget(search_elastic_t *self)
{
    self->lost |= self->pending_count > 0 || self->unseen;
    buffer_clear(&self->pending);
    self->pending_count = 0;
    self->unseen = false;
    for (unsigned i = 0; i < self->position_count; i++) {
        self->lost |= self->positions[i].pending;
        self->positions[i].knowledge = POSITION_OUTDATED;
        self->positions[i].pending = false;
    }
}

void search_elastic_index_forget(search_elastic_t *self)
{
    self->index[0] = self->uuid[0] = '\0';
    taken_forget(self);
}

status_t search_elastic_index_check(search_elastic_t *self, bool *ret_same)
{
    char uuid[UUID_MAX + 1];
    snprintf(uuid, sizeof uuid, "%s", self->uuid);
    self->index[0] = self->uuid[0] = '\0';
    status_t status = search_elastic_index(self);
    *ret_same = status == OK && strcmp(uuid, self->uuid) == 0;
    if (!*ret_same)
        taken_forget(self);
    return status;
}

/* ---- a new one beside it ---- */

status_t search_elastic_open_anew(search_t *search)
{
    search_elastic_t *self = (search_elastic_t *) search;
    struct survey found;
    alias_unfinished(self, self->alias, sizeof self->alias);
    unsigned highest = 0; /* whoever still writes into one that is removed must notice */
    status_t status = survey(self, &found);
    while (status == OK && (found.unfinished || found.retired)) {
        char index[INDEX_NAME_MAX + 16];
        const cJSON *left = found.unfinished ? found.unfinished : found.retired;
        snprintf(index, sizeof index, "%s", left->string);
        if (highest < found.highest)
            highest = found.highest;
        status = index_remove(self, index);
        if (status == OK)
            status = survey(self, &found);
    }
    if (status == OK && highest < found.highest)
        highest = found.highest;
    if (status == OK)
        status = index_make(self, highest + 1, self->alias);
    if (status == OK)
        status = search_elastic_index(self);
    return status;
}

static status_t alias_move(search_elastic_t *self, const char *old)
{
    long code;
    struct buffer *request = &self->request;
    buffer_clear(request);
    buffer_append_text(request, "{\"actions\":[");
    if (old)
        buffer_printf(request, "{\"remove\":{\"index\":\"%s\",\"alias\":\"%s\"}},", old,
                      self->name);
    buffer_printf(request, "{\"remove\":{\"index\":\"%s\",\"alias\":\"%s\"}},", self->index,
                  self->alias);
    buffer_printf(request, "{\"add\":{\"index\":\"%s\",\"alias\":\"%s\"}}]}", self->index,
                  self->name);
    return search_elastic_ask(self, HTTP_POST, "/_aliases", request, 0, ADMIN_MS, &code);
}

/* The old index goes when those are done who had begun to search in it. */
status_t search_elastic_publish(search_t *search)
{
    search_elastic_t *self = (search_elastic_t *) search;
    char old[INDEX_NAME_MAX + 16] = "";
    struct survey found;
    assert(strcmp(self->alias, self->name) != 0);
    status_t status = survey(self, &found);
    if (status == OK && (!found.unfinished || strcmp(found.unfinished->string, self->index) != 0))
        return ERR_CONFLICT;
    if (status != OK)
        return status;
    if (found.found)
        snprintf(old, sizeof old, "%s", found.found->string);
    status = alias_move(self, *old ? old : NULL);
    if (status != OK)
        return status;
    snprintf(self->alias, sizeof self->alias, "%s", self->name);
    if (!*old)
        return OK;
    usleep(GRACE_US);
    return index_remove(self, old);
}
