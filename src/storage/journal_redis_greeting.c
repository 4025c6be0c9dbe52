/* SPDX-License-Identifier: MIT */
/* journal_redis_greeting.c - what a new connection is asked and told first, in one
 * round trip: the password and the database; who the server is (its run); the
 * scripts; the metas of all shards. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "storage/journal_redis.h"

enum { RUN_LENGTH = 40 };

/* The value behind `name:` in what INFO answered. */
static bool info_find(const redisReply *reply, const char *name, char *ret_value, size_t size)
{
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    const char *at = strstr(reply->str, name);
    if (!at)
        return false;
    at += strlen(name);
    size_t length = strcspn(at, "\r\n");
    if (length >= size)
        return false;
    memcpy(ret_value, at, length);
    ret_value[length] = '\0';
    return true;
}

/* A restart changes the run id, another master the replication id: either may have
 * lost what was there before. */
static bool run_take(struct node *node, const redisReply *server, const redisReply *replication)
{
    char ids[2][RUN_LENGTH + 8], role[16];
    if (!info_find(server, "\nrun_id:", ids[0], sizeof ids[0]) ||
        !info_find(replication, "\nmaster_replid:", ids[1], sizeof ids[1]) ||
        !info_find(replication, "\nrole:", role, sizeof role)) {
        snprintf(node->why, sizeof node->why, "it does not say who it is");
        return false;
    }
    if (strcmp(role, "master") != 0) {
        snprintf(node->why, sizeof node->why, "it is a replica; give the address of its master");
        return false;
    }
    char both[2 * sizeof ids[0]];
    int length = snprintf(both, sizeof both, "%s %s", ids[0], ids[1]);
    crypto_generichash((unsigned char *) &node->run, sizeof node->run, (unsigned char *) both,
                       (unsigned long long) length, NULL, 0);
    node->run &= INT64_MAX;
    if (node->run == 0)
        node->run = 1;
    return true;
}

static void metas_take(journal_redis_t *self, struct node *node, const redisReply *reply)
{
    for (unsigned shard = 0; shard < SHARDS_MAX && shard < reply->elements; shard++) {
        node->holds[shard] = reply->element[shard]->type == REDIS_REPLY_STRING;
        meta_note(self, node, shard, reply->element[shard]);
    }
    node->asked = true;
}

/* The greeting, in one round trip. */
static size_t greeting_send(journal_redis_t *self, struct node *node)
{
    struct words *words = &self->words;
    size_t logins = 0;
    if (node->password) {
        words_clear(words);
        words_text(words, "AUTH");
        if (node->user)
            words_text(words, node->user);
        words_text(words, node->password);
        node_send(node, words);
        logins++;
    }
    if (node->database) {
        words_clear(words);
        words_text(words, "SELECT");
        words_printf(words, "%u", node->database);
        node_send(node, words);
        logins++;
    }
    static const char *const sections[] = {"server", "replication"};
    for (size_t i = 0; i < 2; i++) {
        words_clear(words);
        words_text(words, "INFO");
        words_text(words, sections[i]);
        node_send(node, words);
    }
    for (size_t i = 0; i < SCRIPTS; i++) {
        words_clear(words);
        words_text(words, "SCRIPT");
        words_text(words, "LOAD");
        words_text(words, redis_scripts[i]);
        node_send(node, words);
    }
    words_clear(words);
    words_text(words, "MGET");
    for (unsigned shard = 0; shard < SHARDS_MAX; shard++)
        words_printf(words, "{s%u}meta", shard);
    node_send(node, words);
    return logins;
}

/* One answer of the greeting, of this type; NULL: the node's `why` says why not. */
static redisReply *greeting_answer(struct node *node, int type)
{
    void *answer = NULL;
    if (redisGetReply(node->context, &answer) != REDIS_OK) {
        node_why(node);
        return NULL;
    }
    redisReply *reply = answer;
    if (reply->type == type)
        return reply;
    const char *words = reply->type == REDIS_REPLY_ERROR ? reply->str : "it answers like no Redis";
    if (node->password && strncmp(words, "ERR unknown command", 19) == 0 &&
        strstr(words, node->password)) /* it repeats what it was asked */
        words = "it does not know the command that tells it a password";
    snprintf(node->why, sizeof node->why, "%s", words);
    freeReplyObject(reply);
    return NULL;
}

static bool greeting_take(journal_redis_t *self, struct node *node, size_t logins)
{
    bool good = true;
    for (size_t i = 0; good && i < logins; i++) {
        redisReply *reply = greeting_answer(node, REDIS_REPLY_STATUS);
        good = reply != NULL;
        freeReplyObject(reply);
    }
    redisReply *info[2] = {NULL, NULL};
    for (size_t i = 0; good && i < 2; i++)
        good = (info[i] = greeting_answer(node, REDIS_REPLY_STRING)) != NULL;
    good = good && run_take(node, info[0], info[1]);
    freeReplyObject(info[0]);
    freeReplyObject(info[1]);
    for (size_t i = 0; good && i < SCRIPTS; i++) {
        redisReply *reply = greeting_answer(node, REDIS_REPLY_STRING);
        good = reply && reply->len == SHA_LENGTH;
        if (good)
            memcpy(node->sha[i], reply->str, SHA_LENGTH);
        freeReplyObject(reply);
    }
    redisReply *metas = good ? greeting_answer(node, REDIS_REPLY_ARRAY) : NULL;
    if (metas)
        metas_take(self, node, metas);
    freeReplyObject(metas);
    return metas != NULL;
}

bool node_greet(journal_redis_t *self, struct node *node)
{
    struct words words = self->words; /* the caller's command waits in it */
    self->words = (struct words){0};
    bool good = greeting_take(self, node, greeting_send(self, node));
    words_free(&self->words);
    self->words = words;
    return good;
}
