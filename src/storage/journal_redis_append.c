/* SPDX-License-Identifier: MIT */
/* journal_redis_append.c - packs a batch for journal_redis_append.lua.
 *
 * The hot path of confab. One round trip a batch; Redis' one thread is what all
 * servers share, so whatever can be done here is not done there: which applications
 * and chats the batch names is found out here, so that the script reads and writes
 * each of them once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "storage/journal_redis.h"

_Static_assert(ERR_MESSAGE_NOT_FOUND == 3 && ERR_KEY_REUSED == 5 && ERR_KEYS_FULL == 6 &&
                   ERR_BACKLOG_FULL == 7 && ERR_OVERLOADED == 8 && ERR_CLOSED == 11 &&
                   ERR_EPOCH == 12 && ERR_UNCHECKED == 13 && ERR_SEQUENCE == 14 && ERR_DATA == 22 &&
                   ERR_EXISTS == 23,
               "the script knows them by number");
_Static_assert(RECORD_IMPORT_ENDED == 13, "the script knows the types by number");

enum {
    META_KEYS = 5,
    NO_PLACE = UINT16_MAX,
    TABLE_SIZE = 4096 /* more than twice as many as a batch has groups */
};

/* ---- which applications and chats ---- */

struct place {
    const char *token;
    size_t token_length;
    uint16_t slots; /* applications: how many chats */
    uint64_t chat;  /* chats: its number, and of which application */
    uint16_t application;
    uint16_t slot; /* chats: which of the application's */
};

/* Finds what was put before, by hash; entries are numbers of places, from 1. */
struct table {
    uint16_t entry[TABLE_SIZE];
};

struct packing {
    struct table applications_of, chats_of;
    struct place applications[BATCH_RECORDS_MAX], chats[BATCH_RECORDS_MAX];
    uint16_t applications_count, chats_count;
};

static size_t hash_of(uint64_t value)
{
    return (size_t) ((value * UINT64_C(0x9E3779B97F4A7C15)) >> 52);
}

static size_t application_hash(const char *token, size_t length)
{
    uint64_t hash = length;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char) token[i]) * UINT64_C(1099511628211);
    return hash_of(hash);
}

static uint16_t application_place(struct packing *packing, const struct record_group *group)
{
    uint16_t count = packing->applications_count;
    struct place *places = packing->applications;
    if (count > 0 && places[count - 1].token_length == group->token_length &&
        memcmp(places[count - 1].token, group->token, group->token_length) == 0)
        return (uint16_t) (count - 1); /* the last one again, as a rule */
    size_t at = application_hash(group->token, group->token_length);
    for (;; at = (at + 1) % TABLE_SIZE) {
        uint16_t place = packing->applications_of.entry[at];
        if (place == 0)
            break;
        if (places[place - 1].token_length == group->token_length &&
            memcmp(places[place - 1].token, group->token, group->token_length) == 0)
            return (uint16_t) (place - 1);
    }
    places[count] = (struct place){.token = group->token, .token_length = group->token_length};
    packing->applications_of.entry[at] = ++packing->applications_count;
    return count;
}

/* Its place among all chats; NO_PLACE: a chat that cannot be. */
static uint16_t chat_place(struct packing *packing, uint16_t application, uint64_t chat)
{
    if (chat == 0 || chat > UINT32_MAX)
        return NO_PLACE;
    struct place *places = packing->chats;
    size_t at = hash_of(chat ^ (uint64_t) application << 40);
    for (;; at = (at + 1) % TABLE_SIZE) {
        uint16_t place = packing->chats_of.entry[at];
        if (place == 0)
            break;
        if (places[place - 1].chat == chat && places[place - 1].application == application)
            return (uint16_t) (place - 1);
    }
    uint16_t count = packing->chats_count++;
    places[count] = (struct place){
        .chat = chat,
        .application = application,
        .slot = packing->applications[application].slots++,
    };
    packing->chats_of.entry[at] = (uint16_t) (count + 1);
    return count;
}

/* ---- packing ---- */

static void buffers_clear(journal_redis_t *self)
{
    buffer_clear(&self->packed);
    buffer_clear(&self->types);
    buffer_clear(&self->places);
    buffer_clear(&self->counts);
    buffer_clear(&self->lengths);
    buffer_clear(&self->groups);
    buffer_clear(&self->numbers);
    buffer_clear(&self->keyed);
    buffer_clear(&self->hashes);
    buffer_clear(&self->slots);
}

/* Each group's application and chat, and in which order the script gets the chats. */
static void places_pack(journal_redis_t *self, const struct batch *batch, struct packing *packing,
                        uint16_t order[])
{
    uint16_t applications[BATCH_RECORDS_MAX], chats[BATCH_RECORDS_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        const struct record_group *group = &batch->groups[i];
        applications[i] = application_place(packing, group);
        chats[i] = group->type == RECORD_APPLICATION_IMPORTED
                       ? NO_PLACE
                       : chat_place(packing, applications[i], group->chat);
    }
    uint16_t first[BATCH_RECORDS_MAX], slots = 0;
    for (size_t i = 0; i < packing->applications_count; i++) {
        first[i] = slots;
        slots = (uint16_t) (slots + packing->applications[i].slots);
        bytes_put(&self->slots, packing->applications[i].slots, 2);
    }
    for (size_t i = 0; i < packing->chats_count; i++) {
        const struct place *chat = &packing->chats[i];
        order[first[chat->application] + chat->slot] = (uint16_t) i;
    }
    for (size_t i = 0; i < batch->count; i++) {
        bytes_put(&self->places, applications[i] + 1U, 2);
        const struct place *chat = chats[i] == NO_PLACE ? NULL : &packing->chats[chats[i]];
        unsigned slot = chat ? first[chat->application] + chat->slot + 1U : 0;
        bytes_put(&self->places, slot, 2);
    }
}

/* Returns how many have a key. */
static size_t groups_pack(journal_redis_t *self, const struct batch *batch)
{
    size_t keyed = 0;
    bool numbers = batch->groups[batch->count - 1].type >= RECORD_MESSAGE_EDITED;
    for (size_t i = 0; i < batch->count; i++) {
        const struct record_group *group = &batch->groups[i];
        bytes_put(&self->types, group->type, 1);
        bytes_put(&self->counts, group->count, 4);
        bytes_put(&self->lengths, group->length, 4);
        buffer_append(&self->groups, group->bytes, group->length);
        bytes_put(&self->keyed, group->keyed, 1);
        if (numbers) {
            bytes_put(&self->numbers, group->number, 8);
            bytes_put(&self->numbers, group->number_last, 8);
        }
        if (group->keyed) {
            keyed++;
            buffer_append(&self->hashes, (const char *) group->request_hash, HASH_LENGTH);
        }
    }
    if (keyed == 0)
        buffer_clear(&self->keyed);
    return keyed;
}

static void who_pack(journal_redis_t *self, const struct node *node, const struct batch *batch,
                     const struct packing *packing)
{
    struct buffer *packed = &self->packed;
    bytes_put(packed, node->run, 8);
    bytes_put(packed, batch->epoch, 8);
    bytes_put(packed, batch->producer, 8);
    bytes_put(packed, journal_random(), 8); /* the mark, if the shard has to be closed */
    bytes_put(packed, batch->sequence, 8);
    bytes_put(packed, self->keys_max, 8);
    bytes_put(packed, self->backlog_records_max, 8);
    bytes_put(packed, self->backlog_bytes_max, 8);
    bytes_put(packed, batch->count, 4);
    bytes_put(packed, packing->applications_count, 4);
    bytes_put(packed, packing->chats_count, 4);
    bytes_put(packed, self->known[batch->shard].name, 4);
}

static void words_pack(journal_redis_t *self, const struct batch *batch,
                       const struct packing *packing, const uint16_t order[], size_t keyed)
{
    struct words *words = &self->words;
    unsigned shard = batch->shard;
    uint32_t name = self->known[shard].name;
    words_script(words, SCRIPT_APPEND, META_KEYS + packing->applications_count);
    words_printf(words, "{s%u}meta", shard);
    words_printf(words, "{s%u}log:%08x", shard, name);
    words_printf(words, "{s%u}producers", shard);
    words_printf(words, "{s%u}keys", shard);
    words_printf(words, "{s%u}expiry", shard);
    for (size_t i = 0; i < packing->applications_count; i++)
        words_printf(words, "{s%u}%08x:%.*s", shard, name,
                     (int) packing->applications[i].token_length, packing->applications[i].token);
    const struct buffer *arguments[] = {
        &self->packed, &self->types, &self->places,  &self->counts, &self->lengths,
        &self->groups, &self->slots, &self->numbers, &self->keyed,  &self->hashes,
    };
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        words_add(words, arguments[i]->data, arguments[i]->length);
    for (size_t i = 0; i < packing->chats_count; i++)
        words_printf(words, "%llu", (unsigned long long) packing->chats[order[i]].chat);
    for (size_t i = 0; keyed > 0 && i < batch->count; i++)
        if (batch->groups[i].keyed)
            words_add(words, batch->groups[i].key, HASH_LENGTH);
}

static void batch_pack(journal_redis_t *self, const struct node *node, const struct batch *batch)
{
    assert(batch->count <= BATCH_RECORDS_MAX);
    uint16_t order[BATCH_RECORDS_MAX];
    struct packing *packing = calloc(1, sizeof *packing);
    if (!packing)
        abort();
    buffers_clear(self);
    places_pack(self, batch, packing, order);
    size_t keyed = groups_pack(self, batch);
    who_pack(self, node, batch, packing);
    words_pack(self, batch, packing, order, keyed);
    free(packing);
}

/* ---- sending ---- */

/* Under which name the shard's counters are in the batch's epoch. */
static status_t names_learn(journal_redis_t *self, struct node *node, const struct batch *batch)
{
    if (self->known[batch->shard].name && self->known[batch->shard].epoch == batch->epoch)
        return OK;
    struct journal_meta meta;
    uint32_t name;
    bool found = false;
    status_t status = meta_load(self, node, batch->shard, &meta, &name, &found);
    if (status != OK)
        return status;
    if (found && meta.mark)
        return ERR_CLOSED;
    return found && meta.epoch == batch->epoch ? OK : ERR_EPOCH;
}

static status_t answer_take(journal_redis_t *self, struct node *node, const redisReply *reply,
                            struct batch *batch)
{
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0 && reply->integer <= ERR_STOPPED) {
        status_t status = (status_t) reply->integer;
        return journal_fail(&self->journal, status, "%s", status_text(status));
    }
    if (reply->type == REDIS_REPLY_STRING && batch_answer_decode(reply->str, reply->len, batch))
        return OK;
    node_surprised(self, node);
    return ERR_OUTCOME_UNKNOWN;
}

/* Whom to ask; connected, and with all that packing needs to know. */
static status_t batch_prepare(journal_redis_t *self, struct batch *batch, struct node **ret_node)
{
    status_t status = shard_node(self, batch->shard, ret_node);
    if (status == OK)
        status = node_ready(self, *ret_node);
    return status == OK ? names_learn(self, *ret_node, batch) : status;
}

/* Once more, by itself: Redis had forgotten the script, or the counters have another
 * name than this handle remembered. Over the connection whose run it names, or not at all. */
static status_t batch_again(journal_redis_t *self, struct node *node, struct batch *batch)
{
    redisReply *reply = NULL;
    status_t status = names_learn(self, node, batch);
    if (status != OK)
        return status;
    batch_pack(self, node, batch);
    status = node_ask_on(self, node, &self->words, &reply);
    if (status == OK)
        status = answer_take(self, node, reply, batch);
    freeReplyObject(reply);
    return status;
}

/* *ret_again: nothing was written, and batch_again() will tell more. */
static status_t batch_answer(journal_redis_t *self, struct node *node, struct batch *batch,
                             bool *ret_again)
{
    redisReply *reply = NULL;
    status_t status = node_answer(self, node, &reply);
    if (status != OK)
        return status;
    if (reply->type == REDIS_REPLY_ERROR) {
        *ret_again = strncmp(reply->str, "NOSCRIPT", 8) == 0;
        status = node_error(self, node, reply);
    } else {
        status = answer_take(self, node, reply, batch);
    }
    freeReplyObject(reply);
    struct shard_known *known = &self->known[batch->shard];
    if (status == ERR_EPOCH && known->epoch == batch->epoch) {
        *known = (struct shard_known){0};
        *ret_again = true;
    }
    return status;
}

/* First all are made ready, since to learn a name is a question of its own; then all
 * are sent; then all are answered. A connection that breaks on the way leaves it open
 * what became of those that were sent over it. */
void journal_redis_append(journal_t *journal, struct batch batches[], size_t count)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct node *nodes[SHARDS_MAX];
    bool again[SHARDS_MAX] = {false};
    assert(count <= SHARDS_MAX);
    for (size_t i = 0; i < count; i++)
        batches[i].status = batch_prepare(self, &batches[i], &nodes[i]);
    for (size_t i = 0; i < count; i++) {
        if (batches[i].status == OK && !nodes[i]->context) /* it broke while others were prepared */
            batches[i].status = node_fail(self, nodes[i], ERR_JOURNAL, nodes[i]->why);
        if (batches[i].status != OK)
            continue;
        batch_pack(self, nodes[i], &batches[i]);
        node_send(nodes[i], &self->words);
    }
    status_t status = OK;
    for (size_t i = 0; i < count; i++)
        if (batches[i].status == OK && nodes[i]->context)
            status = node_flush(self, nodes[i]);
    for (size_t i = 0; i < count; i++)
        if (batches[i].status == OK)
            batches[i].status = batch_answer(self, nodes[i], &batches[i], &again[i]);
    for (size_t i = 0; i < count; i++)
        if (again[i])
            batches[i].status = batch_again(self, nodes[i], &batches[i]);
    if (count == 1 && status != OK)
        batches[0].status = status; /* cut off within its only command: it was not carried out */
    buffer_shrink(&self->groups);
}
