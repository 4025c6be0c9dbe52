/* SPDX-License-Identifier: MIT */
/* journal_redis_look.c - any number of looks, in one round trip to each server.
 *
 * All servers are asked before any is waited for. The looks of a shard are one call of
 * journal_redis_look.lua, which is their snapshot. The names of keys come from the
 * meta that was seen last: if a rebuild has changed it since, the shard is looked at
 * again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "storage/journal_redis.h"

enum { TRIES = 3, PIECE = 1024 /* looks of one application at once */ };

/* Looks of one shard that stand together in the order. */
struct span {
    size_t from, to;
};

static unsigned look_shard(const journal_redis_t *self, const struct look *look,
                           const unsigned *closed)
{
    if (closed)
        return *closed;
    return self->look_shards ? token_shard(look->token, look->token_length, self->look_shards) : 0;
}

/* ---- asking ---- */

static bool same_application(const struct look *a, const struct look *b)
{
    return a->token_length == b->token_length && memcmp(a->token, b->token, a->token_length) == 0;
}

/* Where the looks of one application end that begin with `from`. */
static size_t piece_end(const journal_redis_t *self, const struct look looks[], struct span span,
                        size_t from)
{
    size_t to = from + 1;
    while (to < span.to && to - from < PIECE &&
           same_application(&looks[self->order[from]], &looks[self->order[to]]))
        to++;
    return to;
}

static void span_send(journal_redis_t *self, struct node *node, unsigned shard,
                      const struct look looks[], struct span span)
{
    struct words *words = &self->words;
    size_t applications = 0;
    for (size_t i = span.from; i < span.to; applications++)
        i = piece_end(self, looks, span, i);
    words_script(words, SCRIPT_LOOK, 1 + applications);
    words_printf(words, "{s%u}meta", shard);
    for (size_t i = span.from; i < span.to; i = piece_end(self, looks, span, i)) {
        const struct look *look = &looks[self->order[i]];
        words_printf(words, "{s%u}%08x:%.*s", shard, self->known[shard].name,
                     (int) look->token_length, look->token);
    }
    for (size_t i = span.from; i < span.to;) {
        size_t to = piece_end(self, looks, span, i);
        words_printf(words, "%zu", to - i);
        for (; i < to; i++)
            words_printf(words, "%" PRIu64, looks[self->order[i]].chat);
    }
    node_send(node, words);
}

/* ---- answers ---- */

static void application_answer(struct look *look, const redisReply *reply, uint64_t *ret_visible)
{
    static const enum existence existence[] = {EXISTS_NEVER, EXISTS, EXISTS_DELETED};
    look->application = look->chat_existence = EXISTS_NEVER;
    look->application_id = look->last_chat = look->application_change = 0;
    look->last_message = look->chat_change = 0;
    *ret_visible = 0;
    if (reply->type != REDIS_REPLY_STRING)
        return;
    struct bytes_reader reader = bytes_reader(reply->str, reply->len);
    unsigned state = (unsigned) bytes_get(&reader, 1);
    look->application = existence[state <= STATE_DELETED ? state : STATE_IMPORTING];
    look->last_chat = bytes_get(&reader, 4);
    look->application_change = bytes_get(&reader, 8);
    *ret_visible = bytes_get(&reader, 8);
    bytes_get(&reader, 4);
    look->application_id = bytes_get(&reader, 8);
}

static void chat_answer(struct look *look, const redisReply *reply, uint64_t visible)
{
    if (look->application != EXISTS || look->chat == 0)
        return;
    if (reply->type == REDIS_REPLY_STRING) {
        struct bytes_reader reader = bytes_reader(reply->str, reply->len);
        look->chat_existence = EXISTS;
        look->last_message = bytes_get(&reader, 4);
        look->chat_change = bytes_get(&reader, 8);
        /* What was imported is there from the end of its import on. */
        if (look->chat_change < visible)
            look->chat_change = visible;
    } else if (look->chat <= look->last_chat) {
        look->chat_existence = EXISTS_DELETED;
        look->chat_change = look->application_change;
    }
}

static void span_fail(const journal_redis_t *self, struct look looks[], struct span span,
                      status_t status)
{
    for (size_t i = span.from; i < span.to; i++)
        looks[self->order[i]].status = status;
}

/* What the meta says of looks at the shard. *ret_again: its counters have another name. */
static status_t meta_judge(journal_redis_t *self, struct node *node, unsigned shard,
                           const redisReply *reply, bool closed, uint64_t *ret_epoch,
                           bool *ret_again)
{
    struct journal_meta meta;
    uint32_t name = 0, named = self->known[shard].name;
    *ret_epoch = 0;
    if (reply->type == REDIS_REPLY_NIL)
        return journal_fail(&self->journal, ERR_JOURNAL, "the journal does not hold shard %u",
                            shard);
    if (!meta_decode(self, node, reply, &meta, &name))
        return node_fail(self, node, ERR_JOURNAL,
                         "the shard's meta is not one of this version of confab");
    *ret_epoch = meta.epoch;
    *ret_again = name != named;
    meta_note(self, node, shard, reply);
    if (closed)
        return OK;
    if (meta.mark)
        return journal_fail(&self->journal, ERR_CLOSED, "shard %u is closed", shard);
    if (meta.epoch == 0)
        return journal_fail(&self->journal, ERR_JOURNAL, "the journal does not hold shard %u",
                            shard);
    if (!self->read_only && meta.checked != node->run)
        return journal_fail(&self->journal, ERR_UNCHECKED,
                            "this run of Redis at %s:%u has not been checked against the store",
                            node->host, node->port);
    return OK;
}

/* What the script answered. */
static status_t answer_take(journal_redis_t *self, struct node *node, unsigned shard,
                            const redisReply *answer, struct look looks[], struct span span,
                            bool closed, bool *ret_again)
{
    if (answer->type == REDIS_REPLY_ERROR) {
        *ret_again = strncmp(answer->str, "NOSCRIPT", 8) == 0;
        node->forgetful = node->forgetful || *ret_again;
        return *ret_again || node_error(self, node, answer) == OK ? OK : ERR_JOURNAL;
    }
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements < 2)
        return node_surprised(self, node);
    uint64_t epoch;
    status_t status = meta_judge(self, node, shard, answer->element[0], closed, &epoch, ret_again);
    if (status != OK || *ret_again)
        return status;
    size_t element = 1;
    for (size_t i = span.from; i < span.to; element++) {
        size_t from = i, to = piece_end(self, looks, span, i);
        const redisReply *row = element < answer->elements ? answer->element[element] : NULL;
        if (!row || row->type != REDIS_REPLY_ARRAY || row->elements != to - from + 1)
            return node_surprised(self, node);
        for (; i < to; i++) {
            struct look *look = &looks[self->order[i]];
            uint64_t visible;
            look->status = OK;
            look->epoch = epoch;
            application_answer(look, row->element[0], &visible);
            chat_answer(look, row->element[1 + i - from], visible);
        }
    }
    return OK;
}

/* Takes the answer to span_send(). True: it is to be sent once more. */
static bool span_take(journal_redis_t *self, struct node *node, unsigned shard, struct look looks[],
                      struct span span, bool closed)
{
    redisReply *reply = NULL;
    bool again = false;
    status_t status = node_answer(self, node, &reply);
    if (status == OK)
        status = answer_take(self, node, shard, reply, looks, span, closed, &again);
    freeReplyObject(reply);
    if (status != OK)
        span_fail(self, looks, span, status == ERR_OUTCOME_UNKNOWN ? ERR_JOURNAL : status);
    return again;
}

/* ---- all of them ---- */

struct sorting {
    const journal_redis_t *self;
    const struct look *looks;
};

/* By shard; within one, as they came. */
static int order_compare(const void *a, const void *b, void *context)
{
    const struct sorting *sorting = context;
    size_t i = *(const size_t *) a, j = *(const size_t *) b;
    unsigned left = look_shard(sorting->self, &sorting->looks[i], NULL);
    unsigned right = look_shard(sorting->self, &sorting->looks[j], NULL);
    if (left != right)
        return left < right ? -1 : 1;
    return i < j ? -1 : i > j;
}

static void order_make(journal_redis_t *self, const struct look looks[], size_t count,
                       const unsigned *closed)
{
    if (self->order_capacity < count) {
        self->order_capacity = count;
        self->order = realloc(self->order, count * sizeof *self->order);
        if (!self->order)
            abort();
    }
    for (size_t i = 0; i < count; i++)
        self->order[i] = i;
    if (count == 1 || closed)
        return;
    struct sorting sorting = {.self = self, .looks = looks};
    qsort_r(self->order, count, sizeof *self->order, order_compare, &sorting);
}

struct visit {
    struct span span;
    struct node *node; /* NULL: could not be asked */
    unsigned shard;
};

static size_t visits_make(journal_redis_t *self, struct look looks[], size_t count,
                          const unsigned *closed, struct visit visits[])
{
    size_t visits_count = 0;
    for (size_t from = 0, to; from < count; from = to) {
        unsigned shard = look_shard(self, &looks[self->order[from]], closed);
        for (to = from + 1;
             to < count && look_shard(self, &looks[self->order[to]], closed) == shard;)
            to++;
        struct visit *visit = &visits[visits_count++];
        *visit = (struct visit){.span = {from, to}, .shard = shard};
        status_t status = shard_node(self, shard, &visit->node);
        if (status == OK)
            status = node_ready(self, visit->node);
        if (status == OK)
            continue;
        visit->node = NULL;
        span_fail(self, looks, visit->span, status);
    }
    return visits_count;
}

/* All are sent before any answer is waited for. */
static void visits_send(journal_redis_t *self, struct look looks[], struct visit visits[],
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (visits[i].node)
            span_send(self, visits[i].node, visits[i].shard, looks, visits[i].span);
    for (size_t i = 0; i < count; i++) {
        if (!visits[i].node)
            continue;
        status_t status = visits[i].node->context ? node_flush(self, visits[i].node) : ERR_JOURNAL;
        if (status == OK)
            continue;
        span_fail(self, looks, visits[i].span, status);
        visits[i].node = NULL;
    }
}

/* The data set may have been made since the journal was connected to. */
static void shards_learn(journal_redis_t *self)
{
    for (unsigned i = 0; self->shards == 0 && i < self->nodes_count; i++) {
        struct node *node = &self->nodes[i];
        bool fresh = node->context == NULL;
        if (node_ready(self, node) != OK || self->shards || fresh)
            continue;
        node_close(node);
        status_t status = node_ready(self, node); /* asks for all metas */
        (void) status;
    }
}

/* Those that looked beneath an old name, or whose script was forgotten, are sent again. */
static void visits_take(journal_redis_t *self, struct look looks[], const unsigned *closed,
                        struct visit visits[], size_t count)
{
    for (int tries = 0; count > 0; tries++) {
        size_t again = 0;
        for (size_t i = 0; i < count; i++) {
            struct visit visit = visits[i];
            if (!visit.node)
                continue;
            if (span_take(self, visit.node, visit.shard, looks, visit.span, closed != NULL))
                visits[again++] = visit;
        }
        count = again;
        if (tries == TRIES) {
            for (size_t i = 0; i < count; i++)
                span_fail(self, looks, visits[i].span, ERR_JOURNAL);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            struct node *node = visits[i].node;
            status_t status = node->forgetful ? node_scripts_load(self, node) : OK;
            if (status == OK && node->context)
                continue;
            span_fail(self, looks, visits[i].span, ERR_JOURNAL);
            visits[i].node = NULL;
        }
        visits_send(self, looks, visits, count);
    }
}

status_t journal_redis_look(journal_t *journal, struct look looks[], size_t count,
                            const unsigned *closed)
{
    journal_redis_t *self = journal_redis_cast(journal);
    if (!closed)
        shards_learn(self);
    self->look_shards = self->shards; /* whatever a server says that is connected to on the way */
    order_make(self, looks, count, closed);
    struct visit *visits = malloc(SHARDS_MAX * sizeof *visits);
    if (!visits)
        abort();
    size_t visits_count = visits_make(self, looks, count, closed, visits);
    visits_send(self, looks, visits, visits_count);
    visits_take(self, looks, closed, visits, visits_count);
    free(visits);
    for (size_t i = 0; i < count; i++)
        if (looks[i].status != OK)
            return looks[i].status;
    return OK;
}
