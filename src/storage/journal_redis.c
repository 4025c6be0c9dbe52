/* SPDX-License-Identifier: MIT */
/* journal_redis.c - the journal in one Redis or several: shards, and who holds which.
 *
 * A shard is on the server that holds its meta. Each server is asked for all metas
 * whenever it is connected to, so that none has to be configured. A shard that no
 * server holds would be on server shard % K, but that is only known when all of
 * them have been asked.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "storage/journal_redis.h"

/* ---- opening ---- */

/* hiredis writes without MSG_NOSIGNAL. */
static void pipe_signal_ignore(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static status_t journal_redis_open(const struct journal_options *options, journal_t **ret_journal)
{
    journal_redis_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->journal.adapter = &journal_redis;
    *ret_journal = &self->journal;
    self->read_only = options->read_only;
    self->keys_max = options->keys_max;
    self->backlog_records_max = options->backlog_records_max;
    self->backlog_bytes_max = options->backlog_bytes_max;
    pipe_signal_ignore();
    return redis_urls_read(self, options->url);
}

static void journal_redis_close(journal_t *journal)
{
    journal_redis_t *self = journal_redis_cast(journal);
    for (unsigned i = 0; i < self->nodes_count; i++) {
        node_close(&self->nodes[i]);
        free(self->nodes[i].host);
        free(self->nodes[i].user);
        free(self->nodes[i].password);
    }
    struct buffer *buffers[] = {
        &self->packed, &self->types,   &self->places, &self->counts, &self->lengths,
        &self->groups, &self->numbers, &self->keyed,  &self->hashes, &self->slots,
    };
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        buffer_free(buffers[i]);
    words_free(&self->words);
    free(self->order);
    free(self->rebuild_applications);
    free(self->rebuild_chats);
    free(self->nodes);
    free(self);
}

/* ---- who holds a shard ---- */

/* *ret_holders: how many. The last of them, or NULL. */
static struct node *holder_find(journal_redis_t *self, unsigned shard, unsigned *ret_holders)
{
    struct node *holder = NULL;
    *ret_holders = 0;
    for (unsigned i = 0; i < self->nodes_count; i++)
        if (self->nodes[i].holds[shard]) {
            holder = &self->nodes[i];
            (*ret_holders)++;
        }
    return holder;
}

/* A server that never answered is asked again only for shards that no other holds, so
 * that it holds up nobody else. */
static status_t nodes_ask(journal_redis_t *self, bool again)
{
    status_t status = OK;
    for (unsigned i = 0; i < self->nodes_count; i++) {
        struct node *node = &self->nodes[i];
        if (!node->asked && (again || node->connection == 0) && node_ready(self, node) != OK)
            status = ERR_JOURNAL;
    }
    return status;
}

status_t shard_node(journal_redis_t *self, unsigned shard, struct node **ret_node)
{
    *ret_node = &self->nodes[0];
    if (self->nodes_count == 1)
        return OK;
    unsigned holders;
    status_t asked = nodes_ask(self, holder_find(self, shard, &holders) == NULL);
    struct node *holder = holder_find(self, shard, &holders);
    if (holders > 1)
        return journal_fail(&self->journal, ERR_JOURNAL,
                            "two servers of the journal hold shard %u, one of them %s:%u: one is a "
                            "copy, or of another data set; take it out of the addresses",
                            shard, holder->host, holder->port);
    if (!holder && asked != OK)
        return asked;
    *ret_node = holder ? holder : &self->nodes[shard % self->nodes_count];
    return OK;
}

static unsigned journal_redis_servers(const journal_t *journal)
{
    return ((const journal_redis_t *) journal)->nodes_count;
}

static bool journal_redis_server_of(journal_t *journal, unsigned shard, unsigned *ret_server)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct node *node;
    if (shard_node(self, shard, &node) != OK)
        return false;
    *ret_server = (unsigned) (node - self->nodes);
    return true;
}

/* ---- the meta ---- */

static struct bytes_reader meta_reader(const redisReply *reply)
{
    bool fits = reply->type == REDIS_REPLY_STRING && reply->len == META_LENGTH;
    struct bytes_reader reader = bytes_reader(fits ? reply->str : "", fits ? reply->len : 0);
    reader.bad = !fits;
    return reader;
}

bool meta_decode(const journal_redis_t *self, const struct node *node, const redisReply *reply,
                 struct journal_meta *ret_meta, uint32_t *ret_name)
{
    struct bytes_reader reader = meta_reader(reply);
    struct journal_meta meta = {.run = self->read_only ? 0 : node->run};
    meta.data_set = bytes_get(&reader, 8);
    meta.shards = (uint32_t) bytes_get(&reader, 4);
    meta.shard = (uint32_t) bytes_get(&reader, 4);
    *ret_name = (uint32_t) bytes_get(&reader, 4);
    bool version = bytes_get(&reader, 4) == META_VERSION;
    meta.epoch = bytes_get(&reader, 8);
    meta.mark = bytes_get(&reader, 8);
    meta.checked = bytes_get(&reader, 8);
    meta.last_name.producer = bytes_get(&reader, 8);
    meta.last_name.sequence = bytes_get(&reader, 8);
    meta.last_seq = bytes_get(&reader, 8);
    meta.last_time = (int64_t) bytes_get(&reader, 8);
    meta.application_change = bytes_get(&reader, 8);
    meta.bytes = bytes_get(&reader, 8);
    meta.first_seq = bytes_get(&reader, 8) + 1;
    meta.bytes -= bytes_get(&reader, 8);
    *ret_meta = meta;
    return !reader.bad && version;
}

void meta_encode(struct buffer *buffer, const struct journal_meta *meta, uint32_t name)
{
    bytes_put(buffer, meta->data_set, 8);
    bytes_put(buffer, meta->shards, 4);
    bytes_put(buffer, meta->shard, 4);
    bytes_put(buffer, name, 4);
    bytes_put(buffer, META_VERSION, 4);
    bytes_put(buffer, meta->epoch, 8);
    bytes_put(buffer, meta->mark, 8);
    bytes_put(buffer, meta->checked, 8);
    bytes_put(buffer, meta->epoch, 8); /* the last entry's name: there is none */
    bytes_put(buffer, 0, 8);
    bytes_put(buffer, meta->last_seq, 8);
    bytes_put(buffer, (uint64_t) meta->last_time, 8);
    bytes_put(buffer, meta->last_seq, 8); /* application change */
    bytes_put(buffer, 0, 8);              /* bytes */
    bytes_put(buffer, meta->last_seq, 8); /* trimmed */
    bytes_put(buffer, 0, 8);
    bytes_put(buffer, 0, 8);
}

void meta_note(journal_redis_t *self, struct node *node, unsigned shard, const redisReply *reply)
{
    struct journal_meta meta;
    uint32_t name;
    if (!meta_decode(self, node, reply, &meta, &name))
        return;
    node->holds[shard] = true;
    self->known[shard] = (struct shard_known){.epoch = meta.epoch, .name = name};
    if (meta.shards > 0 && meta.shards <= SHARDS_MAX)
        self->shards = meta.shards;
}

/* The meta and Redis' clock, in one round trip. */
static status_t meta_ask(journal_redis_t *self, struct node *node, unsigned shard,
                         redisReply *replies[2])
{
    status_t status = node_ready(self, node);
    if (status != OK)
        return status;
    words_clear(&self->words);
    words_text(&self->words, "TIME");
    node_send(node, &self->words);
    words_clear(&self->words);
    words_text(&self->words, "GET");
    words_printf(&self->words, "{s%u}meta", shard);
    node_send(node, &self->words);
    status = node_flush(self, node);
    for (int i = 0; status == OK && i < 2; i++)
        status = node_answer(self, node, &replies[i]);
    for (int i = 0; status == OK && i < 2; i++)
        if (replies[i]->type == REDIS_REPLY_ERROR)
            status = node_error(self, node, replies[i]);
    return status == OK ? OK : ERR_JOURNAL;
}

/* What TIME answers: seconds and µs. */
static bool clock_read(const redisReply *reply, int64_t *ret_clock)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !reply->element[0]->str ||
        !reply->element[1]->str)
        return false;
    *ret_clock = strtoll(reply->element[0]->str, NULL, 10) * 1000000 +
                 strtoll(reply->element[1]->str, NULL, 10);
    return true;
}

status_t meta_load(journal_redis_t *self, struct node *node, unsigned shard,
                   struct journal_meta *ret_meta, uint32_t *ret_name, bool *ret_found)
{
    redisReply *replies[2] = {NULL, NULL};
    status_t status = meta_ask(self, node, shard, replies);
    int64_t clock = 0;
    if (status == OK && !clock_read(replies[0], &clock))
        status = node_surprised(self, node);
    *ret_found = status == OK && replies[1]->type != REDIS_REPLY_NIL;
    if (*ret_found && !meta_decode(self, node, replies[1], ret_meta, ret_name))
        status = node_fail(self, node, ERR_JOURNAL,
                           "the shard's meta is not one of this version of confab");
    if (status == OK && *ret_found) {
        ret_meta->clock = clock;
        meta_note(self, node, shard, replies[1]);
    }
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    return status;
}

static status_t journal_redis_meta(journal_t *journal, unsigned shard,
                                   struct journal_meta *ret_meta, bool *ret_found)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct node *node;
    uint32_t name;
    status_t status = shard_node(self, shard, &node);
    return status == OK ? meta_load(self, node, shard, ret_meta, &name, ret_found) : status;
}

uint32_t counters_name(uint32_t other)
{
    uint32_t name;
    do
        name = (uint32_t) journal_random();
    while (name == 0 || name == other);
    return name;
}

/* ---- changing it ---- */

static status_t journal_redis_create(journal_t *journal, const struct journal_meta *meta)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct node *node;
    status_t status = shard_node(self, meta->shard, &node);
    if (status != OK)
        return status;
    struct buffer bytes = {0};
    redisReply *reply = NULL;
    struct words *words = &self->words;
    meta_encode(&bytes, meta, counters_name(0));
    words_clear(words);
    words_text(words, "SET");
    words_printf(words, "{s%u}meta", meta->shard);
    words_add(words, bytes.data, bytes.length);
    words_text(words, "NX");
    status = node_get(self, node, words, &reply);
    if (status == OK) {
        node->holds[meta->shard] = true;
        status = reply->type == REDIS_REPLY_NIL ? ERR_EXISTS : OK;
    }
    freeReplyObject(reply);
    buffer_free(&bytes);
    return status;
}

/* Calls a script with the shard's meta as its only key. */
static status_t meta_script(journal_redis_t *self, unsigned shard, long long *ret_answer)
{
    struct node *node;
    redisReply *reply = NULL;
    status_t status = shard_node(self, shard, &node);
    if (status == OK)
        status = node_get(self, node, &self->words, &reply);
    if (status != OK)
        return status;
    *ret_answer = reply->integer;
    if (reply->type != REDIS_REPLY_INTEGER)
        status = node_surprised(self, node);
    else
        node->holds[shard] = node->holds[shard] || reply->integer;
    freeReplyObject(reply);
    return status;
}

static status_t journal_redis_checked(journal_t *journal, unsigned shard, uint64_t before,
                                      uint64_t run)
{
    journal_redis_t *self = journal_redis_cast(journal);
    long long changed = 0;
    words_script(&self->words, SCRIPT_CHECKED, 1);
    words_printf(&self->words, "{s%u}meta", shard);
    words_add(&self->words, &before, sizeof before);
    words_add(&self->words, &run, sizeof run);
    status_t status = meta_script(self, shard, &changed);
    if (status != OK)
        return status;
    return changed ? OK : ERR_CONFLICT;
}

static status_t journal_redis_mark(journal_t *journal, unsigned shard, uint64_t mark, bool replace)
{
    journal_redis_t *self = journal_redis_cast(journal);
    struct journal_meta empty = {.shard = shard, .mark = mark};
    struct buffer bytes = {0};
    long long answer;
    meta_encode(&bytes, &empty, counters_name(0));
    words_script(&self->words, SCRIPT_MARK, 1);
    words_printf(&self->words, "{s%u}meta", shard);
    words_add(&self->words, &mark, sizeof mark);
    words_text(&self->words, replace ? "1" : "0");
    words_add(&self->words, bytes.data, bytes.length);
    status_t status = meta_script(self, shard, &answer);
    buffer_free(&bytes);
    return status;
}

static status_t journal_redis_backup(journal_t *journal, const char *path)
{
    (void) path;
    return journal_fail(journal, ERR_CONFIG,
                        "a journal in Redis is copied by Redis' own means (BGSAVE, or a copy of "
                        "its append-only files) while `confab hold` keeps the log");
}

const struct journal_adapter journal_redis = {
    .scheme = "redis",
    .open = journal_redis_open,
    .close = journal_redis_close,
    .servers = journal_redis_servers,
    .server_of = journal_redis_server_of,
    .advice = journal_redis_advice,
    .meta = journal_redis_meta,
    .create = journal_redis_create,
    .checked = journal_redis_checked,
    .mark = journal_redis_mark,
    .append = journal_redis_append,
    .look = journal_redis_look,
    .read = journal_redis_read,
    .trim = journal_redis_trim,
    .rebuild_begin = journal_redis_rebuild_begin,
    .rebuild_application = journal_redis_rebuild_application,
    .rebuild_chat = journal_redis_rebuild_chat,
    .rebuild_end = journal_redis_rebuild_end,
    .backup = journal_redis_backup,
};
