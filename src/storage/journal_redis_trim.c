/* SPDX-License-Identifier: MIT */
/* journal_redis_trim.c - removing what nobody needs any more, in slices. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage/journal_redis.h"

enum {
    TRIM_RECORDS = 2048, /* of a slice */
    TRIM_KEYS = 256,
    SWEEP_COUNT = 512, /* keys of Redis looked at in one slice */
};

/* ---- what a rebuild left ---- */

/* Which name is to be swept: *ret_found false if there is none any more. */
static status_t sweep_begin(journal_redis_t *self, struct node *node, unsigned shard,
                            bool *ret_found)
{
    redisReply *reply = NULL;
    words_clear(&self->words);
    words_text(&self->words, "SRANDMEMBER");
    words_printf(&self->words, "{s%u}old", shard);
    status_t status = node_get(self, node, &self->words, &reply);
    *ret_found = status == OK && reply->type == REDIS_REPLY_STRING && reply->len == 8;
    if (*ret_found) {
        self->sweep_shard = shard;
        self->sweep_name = (uint32_t) strtoul(reply->str, NULL, 16);
        strcpy(self->sweep_cursor, "0");
    }
    freeReplyObject(reply);
    return status;
}

static status_t sweep_remove(journal_redis_t *self, struct node *node, const redisReply *keys)
{
    redisReply *reply = NULL;
    if (keys->elements == 0)
        return OK;
    words_clear(&self->words);
    words_text(&self->words, "UNLINK");
    for (size_t i = 0; i < keys->elements; i++)
        words_add(&self->words, keys->element[i]->str, keys->element[i]->len);
    status_t status = node_get(self, node, &self->words, &reply);
    freeReplyObject(reply);
    return status;
}

static status_t sweep_end(journal_redis_t *self, struct node *node, unsigned shard)
{
    redisReply *reply = NULL;
    words_clear(&self->words);
    words_text(&self->words, "SREM");
    words_printf(&self->words, "{s%u}old", shard);
    words_printf(&self->words, "%08x", self->sweep_name);
    self->sweep_name = 0;
    status_t status = node_get(self, node, &self->words, &reply);
    freeReplyObject(reply);
    return status;
}

/* Removes a slice of what a rebuild left: the keys of Redis under an old name. */
static status_t sweep(journal_redis_t *self, struct node *node, unsigned shard)
{
    bool found = self->sweep_name != 0 && self->sweep_shard == shard;
    status_t status = found ? OK : sweep_begin(self, node, shard, &found);
    if (status != OK || !found || self->sweep_name == self->known[shard].name)
        return status;
    redisReply *reply = NULL;
    words_clear(&self->words);
    words_text(&self->words, "SCAN");
    words_text(&self->words, self->sweep_cursor);
    words_text(&self->words, "MATCH");
    words_printf(&self->words, "{s%u}%08x:*", shard, self->sweep_name);
    words_text(&self->words, "COUNT");
    words_printf(&self->words, "%d", SWEEP_COUNT);
    status = node_get(self, node, &self->words, &reply);
    if (status == OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                         reply->element[0]->type != REDIS_REPLY_STRING ||
                         reply->element[0]->len >= sizeof self->sweep_cursor))
        status = node_surprised(self, node);
    if (status == OK) {
        memcpy(self->sweep_cursor, reply->element[0]->str, reply->element[0]->len + 1);
        status = sweep_remove(self, node, reply->element[1]);
    }
    freeReplyObject(reply);
    if (status == OK && strcmp(self->sweep_cursor, "0") == 0)
        status = sweep_end(self, node, shard);
    return status;
}

/* ---- entries, idempotency keys, producers ---- */

static status_t trim_call(journal_redis_t *self, struct node *node, unsigned shard, uint64_t seq,
                          redisReply **ret_reply)
{
    struct words *words = &self->words;
    uint32_t name = self->known[shard].name;
    words_script(words, SCRIPT_TRIM, 6);
    words_printf(words, "{s%u}meta", shard);
    words_printf(words, "{s%u}log:%08x", shard, name);
    words_printf(words, "{s%u}producers", shard);
    words_printf(words, "{s%u}keys", shard);
    words_printf(words, "{s%u}expiry", shard);
    words_printf(words, "{s%u}old", shard);
    words_printf(words, "%08x", name);
    words_printf(words, "%" PRIu64, seq);
    words_printf(words, "%d", TRIM_RECORDS);
    words_printf(words, "%d", TRIM_KEYS);
    status_t status = node_get(self, node, words, ret_reply);
    const redisReply *reply = *ret_reply;
    if (status == OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
                         reply->element[0]->type != REDIS_REPLY_INTEGER))
        status = node_surprised(self, node);
    return status;
}

status_t journal_redis_trim(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct node *node;
    redisReply *reply = NULL;
    status_t status = shard_node(self, shard, &node);
    if (status == OK)
        status = node_ready(self, node);
    if (status == OK)
        status = trim_call(self, node, shard, seq, &reply);
    *ret_more = false;
    if (status == OK && reply->element[0]->integer < 0) {
        struct journal_meta meta;
        uint32_t name;
        bool found;
        *ret_more = true;
        status = meta_load(self, node, shard, &meta, &name, &found);
    } else if (status == OK) {
        bool old = reply->elements > 1 && reply->element[1]->integer > 0;
        *ret_more = reply->element[0]->integer > 0 || old;
        if (old)
            status = sweep(self, node, shard);
    }
    freeReplyObject(reply);
    return status;
}
