/* SPDX-License-Identifier: MIT */
/* journal_redis_node.c - a connection to one server.
 *
 * After any failure the connection is given up: an answer that comes late would be
 * taken for that of the next command. Whoever asks next connects anew, but not
 * within a moment of a server that could not be reached, so that what waits for it
 * fails at once. Who a server is (its run) and what it holds is asked at each
 * connect, together with the scripts.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/journal_redis.h"

enum { CONNECT_MS = 1000, COMMAND_MS = 1000, PAUSE_US = 250 * 1000 };

/* ---- failures ---- */

status_t node_fail(journal_redis_t *self, struct node *node, status_t status, const char *words)
{
    return journal_fail(&self->journal, status, "Redis at %s:%u: %s", node->host, node->port,
                        words);
}

void node_close(struct node *node)
{
    if (node->context)
        redisFree(node->context);
    node->context = NULL;
}

status_t node_surprised(journal_redis_t *self, struct node *node)
{
    node_close(node);
    return node_fail(self, node, ERR_JOURNAL, "it answers what is not to be expected of it");
}

/* It could not be reached: nobody asks it for a moment. */
static status_t node_lost(journal_redis_t *self, struct node *node)
{
    node_close(node);
    node->pause_until = journal_clock() + PAUSE_US;
    return node_fail(self, node, ERR_JOURNAL, node->why);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Errors before which nothing was carried out; a script that meets one of the first
 * kind at its first write has written nothing either. */
static bool error_refuses(const char *words)
{
    static const char *const refusals[] = {
        "OOM",        "MISCONF",     "NOREPLICAS", "READONLY", "LOADING",
        "BUSY",       "NOSCRIPT",    "NOAUTH",     "NOPERM",   "WRONGPASS",
        "MASTERDOWN", "CLUSTERDOWN", "MOVED",      "CONFAB",   "ERR max number of clients",
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (begins(words, refusals[i]))
            return true;
    return strstr(words, "OOM command not allowed") != NULL;
}

status_t node_error(journal_redis_t *self, struct node *node, const redisReply *reply)
{
    const char *words = reply->str;
    status_t status = error_refuses(words) ? ERR_JOURNAL : ERR_OUTCOME_UNKNOWN;
    node_fail(self, node, status, words);
    if (begins(words, "READONLY") || begins(words, "LOADING") || begins(words, "NOAUTH"))
        node_close(node);
    if (begins(words, "BUSY ") || begins(words, "LOADING")) {
        snprintf(node->why, sizeof node->why, "%s", words);
        node->pause_until = journal_clock() + PAUSE_US;
    }
    return status;
}

/* ---- sending and receiving ---- */

void node_send(struct node *node, struct words *words)
{
    if (words->argv_capacity < words->count) {
        words->argv_capacity = words->capacity;
        words->argv = realloc(words->argv, words->argv_capacity * sizeof *words->argv);
        words->lengths = realloc(words->lengths, words->argv_capacity * sizeof *words->lengths);
        if (!words->argv || !words->lengths)
            abort();
    }
    for (size_t i = 0; i < words->count; i++) {
        const struct word *word = &words->word[i];
        words->argv[i] = word->at ? word->at : words->text.data + word->offset;
        words->lengths[i] = word->length;
    }
    if (words->count > 1 && words->word[1].length < SCRIPTS &&
        words->word[1].at == redis_scripts[words->word[1].length]) {
        words->argv[1] = node->sha[words->word[1].length];
        words->lengths[1] = SHA_LENGTH;
    }
    if (redisAppendCommandArgv(node->context, (int) words->count, words->argv, words->lengths) !=
        REDIS_OK)
        abort(); /* out of memory */
}

/* A time-out is told as such, not as "Resource temporarily unavailable". */
void node_why(struct node *node)
{
    const redisContext *context = node->context;
    bool late = context->err == REDIS_ERR_IO && strstr(context->errstr, "temporarily unavailable");
    snprintf(node->why, sizeof node->why, "%s", late ? "it does not answer" : context->errstr);
}

status_t node_flush(journal_redis_t *self, struct node *node)
{
    int done = 0;
    while (!done)
        if (redisBufferWrite(node->context, &done) != REDIS_OK) {
            node_why(node);
            node_close(node);
            return node_fail(self, node, ERR_JOURNAL, node->why);
        }
    return OK;
}

status_t node_answer(journal_redis_t *self, struct node *node, redisReply **ret_reply)
{
    void *reply = NULL;
    if (!node->context) /* it was given up */
        return node_fail(self, node, ERR_OUTCOME_UNKNOWN, node->why);
    if (redisGetReply(node->context, &reply) == REDIS_OK) {
        *ret_reply = reply;
        return OK;
    }
    node_why(node);
    node_close(node);
    return node_fail(self, node, ERR_OUTCOME_UNKNOWN, node->why);
}

/* ---- connecting ---- */

static struct timeval timeval_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static status_t node_connect(journal_redis_t *self, struct node *node)
{
    node->connection++;
    node->context = redisConnectWithTimeout(node->host, (int) node->port, timeval_of(CONNECT_MS));
    if (!node->context)
        abort(); /* out of memory */
    if (node->context->err) {
        snprintf(node->why, sizeof node->why, "cannot connect: %s", node->context->errstr);
        return node_lost(self, node);
    }
    redisSetTimeout(node->context, timeval_of(COMMAND_MS));
    redisEnableKeepAlive(node->context);
    return node_greet(self, node) ? OK : node_lost(self, node);
}

/* A server that has gone tells so before anything is sent to it. */
static bool node_gone(const struct node *node)
{
    struct pollfd fd = {.fd = node->context->fd, .events = POLLIN};
    return poll(&fd, 1, 0) != 0;
}

status_t node_ready(journal_redis_t *self, struct node *node)
{
    int64_t now = journal_clock();
    if (now < node->pause_until && node->pause_until - now <= PAUSE_US)
        return node_fail(self, node, ERR_JOURNAL, node->why);
    if (node->context && node_gone(node))
        node_close(node);
    return node->context ? OK : node_connect(self, node);
}

/* ---- asking ---- */

static status_t ask_once(journal_redis_t *self, struct node *node, struct words *words,
                         redisReply **ret_reply)
{
    if (!node->context)
        return node_fail(self, node, ERR_JOURNAL, node->why);
    node_send(node, words);
    status_t status = node_flush(self, node);
    return status == OK ? node_answer(self, node, ret_reply) : status;
}

status_t node_scripts_load(journal_redis_t *self, struct node *node)
{
    struct words words = {0};
    status_t status = OK;
    node->forgetful = false;
    for (size_t i = 0; status == OK && i < SCRIPTS; i++) {
        redisReply *reply = NULL;
        words_clear(&words);
        words_text(&words, "SCRIPT");
        words_text(&words, "LOAD");
        words_text(&words, redis_scripts[i]);
        status = ask_once(self, node, &words, &reply);
        freeReplyObject(reply);
    }
    words_free(&words);
    return status == OK ? OK : ERR_JOURNAL;
}

status_t node_ask_on(journal_redis_t *self, struct node *node, struct words *words,
                     redisReply **ret_reply)
{
    redisReply *reply = NULL;
    status_t status = ask_once(self, node, words, &reply);
    if (status == OK && reply->type == REDIS_REPLY_ERROR && begins(reply->str, "NOSCRIPT")) {
        freeReplyObject(reply);
        reply = NULL;
        status = node_scripts_load(self, node); /* somebody has emptied their cache */
        if (status == OK)
            status = ask_once(self, node, words, &reply);
    }
    if (status == OK && reply->type == REDIS_REPLY_ERROR) {
        status = node_error(self, node, reply);
        freeReplyObject(reply);
        reply = NULL;
    }
    *ret_reply = reply;
    return status;
}

status_t node_ask(journal_redis_t *self, struct node *node, struct words *words,
                  redisReply **ret_reply)
{
    status_t status = node_ready(self, node);
    return status == OK ? node_ask_on(self, node, words, ret_reply) : status;
}

status_t node_get(journal_redis_t *self, struct node *node, struct words *words,
                  redisReply **ret_reply)
{
    status_t status = node_ask(self, node, words, ret_reply);
    return status == ERR_OUTCOME_UNKNOWN ? ERR_JOURNAL : status;
}
