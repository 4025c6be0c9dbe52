/* SPDX-License-Identifier: MIT */
/* journal_redis_advice.c - whether the servers are set up to lose and refuse nothing. */
#include <stdio.h>
#include <string.h>

#include "storage/journal_redis.h"

enum { SENTENCE_SIZE = 400 };

static const struct rule {
    const char *setting, *right, *why;
} rules[] = {
    {"appendonly", "yes", "what it holds is in memory only, and gone when it ends"},
    {"appendfsync", "always", "what was acknowledged may be lost when the machine fails"},
    {"maxmemory-policy", "noeviction", "it removes parts of the log when memory is short"},
    {"aof-load-truncated", "no",
     "after a crash it starts without saying that the end of its file was cut off; confab "
     "finds that out and closes the shards"},
};

/* What the server has the setting at; "": it does not say. */
static status_t setting_read(journal_redis_t *self, struct node *node, const char *setting,
                             char *ret_value, size_t size)
{
    redisReply *reply = NULL;
    words_clear(&self->words);
    words_text(&self->words, "CONFIG");
    words_text(&self->words, "GET");
    words_text(&self->words, setting);
    status_t status = node_ask(self, node, &self->words, &reply);
    ret_value[0] = '\0';
    if (status == OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING && reply->element[1]->len < size)
        memcpy(ret_value, reply->element[1]->str, reply->element[1]->len + 1);
    freeReplyObject(reply);
    return status;
}

static status_t node_advice(journal_redis_t *self, struct node *node,
                            void (*say)(void *context, const char *sentence), void *context)
{
    char sentence[SENTENCE_SIZE], value[64];
    status_t status = node_ready(self, node);
    for (size_t i = 0; status == OK && i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        status_t answer = setting_read(self, node, rule->setting, value, sizeof value);
        if (answer != OK && !node->context)
            return ERR_JOURNAL;
        if (answer != OK) {
            snprintf(sentence, sizeof sentence,
                     "The settings of Redis at %s:%u could not be checked, since it does not allow "
                     "CONFIG GET: see that it has appendonly yes, appendfsync always, "
                     "maxmemory-policy noeviction and aof-load-truncated no.",
                     node->host, node->port);
            say(context, sentence);
            return OK;
        }
        if (strcmp(value, rule->right) == 0)
            continue;
        snprintf(sentence, sizeof sentence, "Redis at %s:%u has %s %s: %s; set %s %s.", node->host,
                 node->port, rule->setting, value, rule->why, rule->setting, rule->right);
        say(context, sentence);
    }
    return status;
}

status_t journal_redis_advice(journal_t *journal, void (*say)(void *context, const char *sentence),
                              void *context)
{
    journal_redis_t *self = journal_redis_cast(journal);
    status_t all = OK;
    for (unsigned i = 0; i < self->nodes_count; i++) {
        status_t status = node_advice(self, &self->nodes[i], say, context);
        if (all == OK)
            all = status;
    }
    return all;
}
