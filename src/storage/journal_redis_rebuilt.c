/* SPDX-License-Identifier: MIT */
/* journal_redis_rebuilt.c - the end of a rebuild: what only the old counters have
 * becomes deleted, then the new meta takes the place of the marked one. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "storage/journal_redis.h"

enum { SCAN_COUNT = 500 };

/* For each application of the old counters, its value and whether it was given. */
static status_t rest_ask(journal_redis_t *self, struct node *node, const redisReply *keys,
                         size_t skip)
{
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        words_clear(&self->words);
        words_text(&self->words, "HGET");
        words_add(&self->words, key->str, key->len);
        words_text(&self->words, "a");
        node_send(node, &self->words);
        words_clear(&self->words);
        words_text(&self->words, "EXISTS");
        words_printf(&self->words, "{s%u}%08x:%.*s", self->rebuild_shard, self->rebuild_new,
                     (int) (key->len - skip), key->str + skip);
        node_send(node, &self->words);
    }
    return keys->elements ? node_flush(self, node) : OK;
}

/* Takes those answers; what was not given becomes a deleted application, unless it was
 * an import. Collected like what is given. */
static status_t rest_take(journal_redis_t *self, struct node *node, const redisReply *keys,
                          size_t skip)
{
    status_t status = OK;
    for (size_t i = 0; status == OK && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        redisReply *value = NULL, *given = NULL;
        struct application_value old;
        status = rebuild_answer(self, node, &value);
        if (status == OK)
            status = rebuild_answer(self, node, &given);
        if (status == OK && given->integer == 0 && application_decode(value, &old) &&
            old.state != STATE_IMPORTING && key->len - skip <= TOKEN_MAX) {
            struct rebuild_application *application =
                &self->rebuild_applications[self->rebuild_applications_count++];
            *application = (struct rebuild_application){
                .token_length = key->len - skip,
                .id = old.id,
                .last_chat = old.last_chat,
                .imported = old.imported,
                .state = STATE_DELETED,
            };
            memcpy(application->token, key->str + skip, key->len - skip);
        }
        freeReplyObject(value);
        freeReplyObject(given);
    }
    return status;
}

/* One step of the walk over the old counters, whose applications SCAN finds. */
static status_t rest_step(journal_redis_t *self, struct node *node, const redisReply *keys,
                          size_t skip)
{
    status_t status = OK;
    redisReply part = *keys;
    for (size_t from = 0; status == OK && from < keys->elements; from += REBUILD_APPLICATIONS) {
        size_t left = keys->elements - from;
        part.element = keys->element + from;
        part.elements = left < REBUILD_APPLICATIONS ? left : REBUILD_APPLICATIONS;
        self->rebuild_applications_count = 0;
        status = rest_ask(self, node, &part, skip);
        if (status == OK)
            status = rest_take(self, node, &part, skip);
        if (status == OK)
            status = rebuild_write(self);
    }
    return status;
}

static status_t rest_write(journal_redis_t *self, struct node *node)
{
    char cursor[24] = "0", prefix[24];
    int skip = snprintf(prefix, sizeof prefix, "{s%u}%08x:", self->rebuild_shard,
                        self->rebuild_old);
    status_t status;
    do {
        redisReply *reply = NULL;
        words_clear(&self->words);
        words_text(&self->words, "SCAN");
        words_text(&self->words, cursor);
        words_text(&self->words, "MATCH");
        words_printf(&self->words, "%s*", prefix);
        words_text(&self->words, "COUNT");
        words_printf(&self->words, "%d", SCAN_COUNT);
        status = node_ask_on(self, node, &self->words, &reply);
        if (status == OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                             reply->element[0]->len >= sizeof cursor))
            status = node_surprised(self, node);
        if (status == OK) {
            memcpy(cursor, reply->element[0]->str, reply->element[0]->len + 1);
            status = rest_step(self, node, reply->element[1], (size_t) skip);
        }
        freeReplyObject(reply);
    } while (status == OK && strcmp(cursor, "0") != 0);
    return status == ERR_OUTCOME_UNKNOWN ? ERR_JOURNAL : status;
}

static status_t meta_replace(journal_redis_t *self, struct node *node, uint64_t mark,
                             const struct journal_meta *meta)
{
    struct words *words = &self->words;
    struct buffer bytes = {0};
    redisReply *reply = NULL;
    meta_encode(&bytes, meta, self->rebuild_new);
    words_script(words, SCRIPT_REBUILT, 3);
    words_printf(words, "{s%u}meta", meta->shard);
    words_printf(words, "{s%u}old", meta->shard);
    words_printf(words, "{s%u}log:%08x", meta->shard, self->rebuild_old);
    words_add(words, &mark, sizeof mark);
    words_add(words, bytes.data, bytes.length);
    words_printf(words, "%08x", self->rebuild_old);
    words_printf(words, "%08x", self->rebuild_new);
    status_t status = node_ask_on(self, node, words, &reply);
    if (status == OK && reply->type != REDIS_REPLY_INTEGER)
        status = node_surprised(self, node);
    else if (status == OK && reply->integer == 0)
        status = journal_fail(&self->journal, ERR_CONFLICT, "the shard no longer carries the mark");
    freeReplyObject(reply);
    buffer_free(&bytes);
    return status == ERR_OUTCOME_UNKNOWN ? ERR_JOURNAL : status;
}

status_t journal_redis_rebuild_end(journal_t *journal, uint64_t mark,
                                   const struct journal_meta *meta)
{
    journal_redis_t *self = journal_redis_cast(journal);
    assert(meta->shard == self->rebuild_shard && meta->last_seq == self->rebuild_base);
    struct node *node;
    status_t status = rebuild_node(self, &node);
    if (status == OK)
        status = rebuild_write(self);
    if (status == OK)
        status = rest_write(self, node);
    if (status == OK)
        status = meta_replace(self, node, mark, meta);
    if (status == OK)
        self->known[meta->shard] = (struct shard_known){.epoch = meta->epoch,
                                                        .name = self->rebuild_new};
    self->rebuild_applications_count = self->rebuild_chats_count = 0;
    return status;
}
