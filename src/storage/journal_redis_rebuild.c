/* SPDX-License-Identifier: MIT */
/* journal_redis_rebuild.c - counters anew, under a name that no meta knows until the end.
 *
 * What is given is collected, and written many applications at a time: first what the
 * old counters say of them is read, since the greater numbers count. All goes over one
 * connection, for a Redis that was restarted may have lost the first half. The name is
 * entered into {sN}old before anything is written under it, so that what a rebuild
 * that never ends leaves is removed by trimming once the shard is whole.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "storage/journal_redis.h"

enum { CHATS_MAX = 1024, APPLICATION_LENGTH = 33 };

static const char *const broke = "the connection broke during the rebuild";

/* ---- the one connection ---- */

status_t rebuild_node(journal_redis_t *self, struct node **ret_node)
{
    status_t status = shard_node(self, self->rebuild_shard, ret_node);
    if (status != OK)
        return status;
    struct node *node = *ret_node;
    if (!node->context || node->connection != self->rebuild_connection)
        return node_fail(self, node, ERR_JOURNAL, broke);
    return OK;
}

status_t rebuild_answer(journal_redis_t *self, struct node *node, redisReply **ret_reply)
{
    status_t status = node_answer(self, node, ret_reply);
    if (status != OK)
        return ERR_JOURNAL;
    if ((*ret_reply)->type != REDIS_REPLY_ERROR)
        return OK;
    node_fail(self, node, ERR_JOURNAL, (*ret_reply)->str);
    node_close(node); /* more answers would follow */
    return ERR_JOURNAL;
}

static status_t answers_skip(journal_redis_t *self, struct node *node, size_t count)
{
    status_t status = OK;
    for (size_t i = 0; status == OK && i < count; i++) {
        redisReply *reply = NULL;
        status = rebuild_answer(self, node, &reply);
        freeReplyObject(reply);
    }
    return status;
}

/* ---- what is collected ---- */

bool application_decode(const redisReply *reply, struct application_value *ret_value)
{
    if (reply->type != REDIS_REPLY_STRING || reply->len != APPLICATION_LENGTH)
        return false;
    struct bytes_reader reader = bytes_reader(reply->str, reply->len);
    ret_value->state = (enum application_state) bytes_get(&reader, 1);
    ret_value->last_chat = bytes_get(&reader, 4);
    bytes_get(&reader, 8);
    bytes_get(&reader, 8);
    ret_value->imported = bytes_get(&reader, 4);
    ret_value->id = bytes_get(&reader, 8);
    return true;
}

static void value_encode(struct buffer *buffer, const struct application_value *value,
                         uint64_t change)
{
    bytes_put(buffer, value->state, 1);
    bytes_put(buffer, value->last_chat, 4);
    bytes_put(buffer, change, 8);
    bytes_put(buffer, change, 8); /* visible */
    bytes_put(buffer, value->imported, 4);
    bytes_put(buffer, value->id, 8);
}

static void key_add(journal_redis_t *self, uint32_t name,
                    const struct rebuild_application *application)
{
    words_printf(&self->words, "{s%u}%08x:%.*s", self->rebuild_shard, name,
                 (int) application->token_length, application->token);
}

/* Asks the old counters. */
static status_t old_ask(journal_redis_t *self, struct node *node)
{
    size_t chat = 0;
    for (size_t i = 0; i < self->rebuild_applications_count; i++) {
        const struct rebuild_application *application = &self->rebuild_applications[i];
        words_clear(&self->words);
        words_text(&self->words, "HMGET");
        key_add(self, self->rebuild_old, application);
        words_text(&self->words, "a");
        for (size_t end = chat + application->chats; chat < end; chat++)
            words_printf(&self->words, "%llu",
                         (unsigned long long) self->rebuild_chats[chat].number);
        node_send(node, &self->words);
    }
    return node_flush(self, node);
}

static void old_take(journal_redis_t *self, struct rebuild_application *application,
                     size_t first_chat, const redisReply *reply)
{
    struct application_value old;
    if (application_decode(reply->element[0], &old)) {
        if (application->last_chat < old.last_chat)
            application->last_chat = old.last_chat;
        application->imported = old.imported;
    }
    for (size_t i = 0; i < application->chats; i++) {
        const redisReply *value = reply->element[1 + i];
        struct rebuild_chat *chat = &self->rebuild_chats[first_chat + i];
        if (value->type != REDIS_REPLY_STRING)
            continue;
        struct bytes_reader reader = bytes_reader(value->str, value->len);
        uint64_t last = bytes_get(&reader, 4);
        if (chat->last_message < last)
            chat->last_message = last;
    }
}

static status_t old_learn(journal_redis_t *self, struct node *node)
{
    size_t chat = 0;
    status_t status = old_ask(self, node);
    for (size_t i = 0; status == OK && i < self->rebuild_applications_count; i++) {
        struct rebuild_application *application = &self->rebuild_applications[i];
        redisReply *reply = NULL;
        status = rebuild_answer(self, node, &reply);
        if (status == OK &&
            (reply->type != REDIS_REPLY_ARRAY || reply->elements != application->chats + 1))
            status = node_surprised(self, node);
        if (status == OK)
            old_take(self, application, chat, reply);
        chat += application->chats;
        freeReplyObject(reply);
    }
    return status;
}

/* Their values stand one after the other in `values`. */
static void new_send(journal_redis_t *self, struct node *node, struct buffer *values)
{
    size_t chat = 0;
    for (size_t i = 0; i < self->rebuild_applications_count; i++) {
        const struct rebuild_application *application = &self->rebuild_applications[i];
        struct application_value value = {application->state, application->last_chat,
                                          application->imported, application->id};
        size_t end = chat + application->chats;
        buffer_clear(values);
        value_encode(values, &value, self->rebuild_base);
        for (size_t c = chat; c < end; c++) {
            bytes_put(values, self->rebuild_chats[c].last_message, 4);
            bytes_put(values, self->rebuild_base, 8);
        }
        words_clear(&self->words);
        words_text(&self->words, "HSET");
        key_add(self, self->rebuild_new, application);
        words_text(&self->words, "a");
        words_add(&self->words, values->data, APPLICATION_LENGTH);
        for (size_t at = APPLICATION_LENGTH; chat < end; chat++, at += 12) {
            words_printf(&self->words, "%llu",
                         (unsigned long long) self->rebuild_chats[chat].number);
            words_add(&self->words, values->data + at, 12);
        }
        node_send(node, &self->words);
    }
}

status_t rebuild_write(journal_redis_t *self)
{
    struct node *node;
    struct buffer values = {0};
    size_t count = self->rebuild_applications_count;
    status_t status = rebuild_node(self, &node);
    if (status == OK && count > 0)
        status = old_learn(self, node);
    if (status == OK && count > 0) {
        new_send(self, node, &values);
        status = node_flush(self, node);
        if (status == OK)
            status = answers_skip(self, node, count);
    }
    buffer_free(&values);
    if (count > 0)
        self->rebuild_applications[0] = self->rebuild_applications[count - 1];
    self->rebuild_applications[0].chats = 0;
    self->rebuild_applications_count = count > 0;
    self->rebuild_chats_count = 0;
    return status;
}

/* ---- begin, and what is given ---- */

status_t journal_redis_rebuild_begin(journal_t *journal, unsigned shard, uint64_t base)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct node *node;
    struct journal_meta meta;
    bool found = false;
    status_t status = shard_node(self, shard, &node);
    if (status == OK)
        status = meta_load(self, node, shard, &meta, &self->rebuild_old, &found);
    if (status != OK)
        return status;
    if (!found)
        return journal_fail(journal, ERR_JOURNAL, "shard %u was not closed first", shard);
    if (!self->rebuild_applications) {
        self->rebuild_applications = calloc(REBUILD_APPLICATIONS,
                                            sizeof *self->rebuild_applications);
        self->rebuild_chats = calloc(CHATS_MAX, sizeof *self->rebuild_chats);
        if (!self->rebuild_applications || !self->rebuild_chats)
            abort();
    }
    self->rebuild_shard = shard;
    self->rebuild_base = base;
    self->rebuild_new = counters_name(self->rebuild_old);
    self->rebuild_connection = node->connection;
    self->rebuild_applications_count = self->rebuild_chats_count = 0;
    redisReply *reply = NULL;
    words_clear(&self->words);
    words_text(&self->words, "SADD");
    words_printf(&self->words, "{s%u}old", shard);
    words_printf(&self->words, "%08x", self->rebuild_new);
    status = node_ask_on(self, node, &self->words, &reply);
    freeReplyObject(reply);
    return status == ERR_OUTCOME_UNKNOWN ? ERR_JOURNAL : status;
}

status_t journal_redis_rebuild_application(journal_t *journal, const char *token,
                                           size_t token_length, uint64_t application_id,
                                           enum existence existence, uint64_t last_chat)
{
    static const enum application_state state[] = {STATE_IMPORTING, STATE_THERE, STATE_DELETED};
    journal_redis_t *self = journal_redis_cast(journal);
    if (self->rebuild_applications_count == REBUILD_APPLICATIONS) {
        status_t status = rebuild_write(self);
        if (status != OK)
            return status;
        self->rebuild_applications_count = 0; /* all of that one was written */
    }
    struct rebuild_application *application =
        &self->rebuild_applications[self->rebuild_applications_count++];
    *application = (struct rebuild_application){
        .token_length = token_length,
        .id = application_id,
        .last_chat = last_chat,
        .state = state[existence],
    };
    memcpy(application->token, token, token_length);
    return OK;
}

status_t journal_redis_rebuild_chat(journal_t *journal, const char *token, size_t token_length,
                                    uint64_t chat, uint64_t last_message)
{
    journal_redis_t *self = journal_redis_cast(journal);
    if (self->rebuild_chats_count == CHATS_MAX) {
        status_t status = rebuild_write(self);
        if (status != OK)
            return status;
    }
    assert(self->rebuild_applications_count > 0);
    struct rebuild_application *application =
        &self->rebuild_applications[self->rebuild_applications_count - 1];
    assert(token_length == application->token_length &&
           memcmp(token, application->token, token_length) == 0);
    self->rebuild_chats[self->rebuild_chats_count++] = (struct rebuild_chat){chat, last_message};
    application->chats++;
    if (application->last_chat < chat)
        application->last_chat = chat;
    return OK;
}
