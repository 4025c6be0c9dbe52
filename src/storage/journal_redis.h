/* SPDX-License-Identifier: MIT */
/* journal_redis.h - what the files of the Redis journal share.
 *
 *     journal_redis.c          opening, shards, who holds which
 *     journal_redis_url.c      the addresses of its servers
 *     journal_redis_node.c     a connection to one server: commands, scripts, failures
 *     journal_redis_greeting.c who it is, and what it holds
 *     journal_redis_words.c    the words of a command
 *     journal_redis_append.c   an append: one call of journal_redis_append.lua
 *     journal_redis_reply.c    what that answers
 *     journal_redis_look.c     any number of looks in one round trip
 *     journal_redis_read.c     entries
 *     journal_redis_trim.c     removing what nobody needs any more
 *     journal_redis_rebuild.c  counters anew, under names of their own; and
 *     journal_redis_rebuilt.c  its end
 *     journal_redis_advice.c   whether the servers are set up to lose nothing
 *
 * Included by these only.
 *
 * What a server keeps for shard 7 (numbers little-endian, layouts never change):
 *
 *     {s7}meta       120 bytes: data set 8, shards 4, shard 4, name of the counters 4,
 *                    version 4, epoch 8, mark 8, checked 8, last entry's producer 8 and
 *                    sequence 8, last seq 8, last time 8, application change 8, bytes of
 *                    all entries that there ever were 8, trimmed up to which seq 8 and
 *                    byte 8, when to look for old producers 8
 *     {s7}log:NAME   a stream, an entry each append; its id is the seq of its last record.
 *                    h: epoch 8, producer 8, sequence 8, predecessor 16, time 8, bytes
 *                    before 8, records 4; then of all groups the application ids 8, the
 *                    first numbers 4, the lengths 4. g: the groups as they were encoded
 *     {s7}NAME:TOKEN a hash. a: state 1, last chat 4, change 8, visible 8, imported 4, id
 *                    8; and for each chat that is there, under its number: last message
 *                    4, change 8, while it is being imported also imported 4. A deleted
 *                    application's is only a.
 *     {s7}producers  a hash. producer: sequence 8, time 8, the stored reply
 *     {s7}keys       a hash. key: request hash 16, time 8, number 4, token
 *     {s7}expiry     a list of time 8 and key 16, in their order
 *     {s7}old        a set of names of counters that are to be removed
 *
 * NAME is drawn anew by each rebuild, so that what it writes is seen by nobody until
 * the meta names it, and two of them at once do not meet. All names are eight
 * hexadecimal digits.
 *
 * Keys are in one hash with a list beside it, not keys of Redis with a time to live:
 * they go by the journal's time, can be counted at once, and cost about 135 bytes
 * instead of 180.
 */
#ifndef STORAGE_JOURNAL_REDIS_H
#define STORAGE_JOURNAL_REDIS_H

#include <hiredis/hiredis.h>

#include "storage/journal_adapter.h"

enum {
    META_LENGTH = 120,
    META_VERSION = 1,
    SHA_LENGTH = 40,
    SERVERS_MAX = 64,
    NODE_WORDS_SIZE = 200,
    REBUILD_APPLICATIONS = 256, /* collected, and read and written together */
};

enum script {
    SCRIPT_APPEND,
    SCRIPT_CHECKED,
    SCRIPT_LOOK,
    SCRIPT_MARK,
    SCRIPT_REBUILT,
    SCRIPT_TRIM,
    SCRIPTS
};

/* Kept in the log: never change one. */
enum application_state { STATE_IMPORTING = 0, STATE_THERE = 1, STATE_DELETED = 2 };

/* ---- a command ---- */

/* Words of a command. Those added by words_add() are borrowed until it is sent. */
struct words {
    struct word {
        const char *at; /* NULL: in `text` at `offset` */
        size_t offset, length;
    } * word;
    size_t count, capacity;
    struct buffer text;
    const char **argv;
    size_t *lengths, argv_capacity;
};

extern const char *const redis_scripts[SCRIPTS];

void words_free(struct words *words);
void words_clear(struct words *words);
void words_add(struct words *words, const void *at, size_t length);
void words_text(struct words *words, const char *text);
void words_printf(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Begins a call of a script with so many keys. */
void words_script(struct words *words, enum script script, size_t keys);

/* ---- a server ---- */

struct node {
    char *host, *user, *password; /* the latter may be NULL */
    unsigned port, database;
    redisContext *context; /* NULL: not connected */
    uint64_t connection;   /* the how-manieth */
    uint64_t run;
    bool forgetful; /* it has lost its scripts */
    bool asked;     /* which shards it holds */
    bool holds[SHARDS_MAX];
    int64_t pause_until; /* it failed just now */
    char why[NODE_WORDS_SIZE];
    char sha[SCRIPTS][SHA_LENGTH + 1];
};

struct shard_known {
    uint64_t epoch;
    uint32_t name; /* of its counters */
};

/* Application and chats given to a rebuild that are not written yet. */
struct rebuild_application {
    char token[TOKEN_MAX];
    size_t token_length;
    uint64_t id, last_chat;
    enum application_state state;
    uint64_t imported;
    size_t chats; /* of rebuild_chat, in their order */
};

struct rebuild_chat {
    uint64_t number, last_message;
};

typedef struct {
    struct journal journal;
    struct node *nodes;
    unsigned nodes_count;
    bool read_only;
    uint64_t keys_max, backlog_records_max, backlog_bytes_max;
    uint32_t shards; /* of the data set; 0: not known */
    struct shard_known known[SHARDS_MAX];
    size_t entry_bytes[SHARDS_MAX]; /* about; of the entries read last */
    struct words words;

    /* The append at hand. */
    struct buffer packed, types, places, counts, lengths, groups, numbers, keyed, hashes;
    struct buffer slots; /* of applications, and of their chats */

    /* The look at hand. */
    size_t *order, order_capacity;
    uint32_t look_shards; /* of the data set, all the while; 0: not known */

    /* Removing old counters. */
    unsigned sweep_shard;
    uint32_t sweep_name;
    char sweep_cursor[24];

    /* Between rebuild_begin and rebuild_end. */
    unsigned rebuild_shard;
    uint64_t rebuild_base, rebuild_connection;
    uint32_t rebuild_old, rebuild_new;
    struct rebuild_application *rebuild_applications;
    struct rebuild_chat *rebuild_chats;
    size_t rebuild_applications_count, rebuild_chats_count;
} journal_redis_t;

static inline journal_redis_t *journal_redis_cast(journal_t *journal)
{
    return (journal_redis_t *) journal;
}

/* ---- journal_redis_url.c ---- */

MUST_CHECK status_t redis_urls_read(journal_redis_t *self, const char *url);

/* ---- journal_redis_node.c ---- */

/* Connects if need be, or if the connection has gone. ERR_JOURNAL: it is away, or was
 * a moment ago. */
MUST_CHECK status_t node_ready(journal_redis_t *self, struct node *node);
void node_close(struct node *node);

/* Sends one command and waits for its answer, which the caller frees; connects if
 * need be. ERR_OUTCOME_UNKNOWN: it may have been carried out. ERR_JOURNAL: it was
 * not. Answers that are errors become one of these. */
MUST_CHECK status_t node_ask(journal_redis_t *self, struct node *node, struct words *words,
                             redisReply **ret_reply);
/* The same without connecting: ERR_JOURNAL if it is not connected. */
MUST_CHECK status_t node_ask_on(journal_redis_t *self, struct node *node, struct words *words,
                                redisReply **ret_reply);
/* As node_ask(), for what can be asked again: never ERR_OUTCOME_UNKNOWN. */
MUST_CHECK status_t node_get(journal_redis_t *self, struct node *node, struct words *words,
                             redisReply **ret_reply);

/* The same in two halves, for many commands in one round trip, to a node that is
 * ready. Each that was sent has to be answered, or the node closed. */
void node_send(struct node *node, struct words *words);
MUST_CHECK status_t node_answer(journal_redis_t *self, struct node *node, redisReply **ret_reply);
/* Asks a new connection who the server is, what it holds, and gives it the scripts.
 * False: the node's `why` says why not. */
MUST_CHECK bool node_greet(journal_redis_t *self, struct node *node);
/* Sets `why` from the context's error. */
void node_why(struct node *node);
/* Gives it the scripts again. */
MUST_CHECK status_t node_scripts_load(journal_redis_t *self, struct node *node);
/* Writes out what was sent, without waiting for answers. */
MUST_CHECK status_t node_flush(journal_redis_t *self, struct node *node);

/* What an answer that is an error means: ERR_JOURNAL, nothing was carried out, or
 * ERR_OUTCOME_UNKNOWN. */
status_t node_error(journal_redis_t *self, struct node *node, const redisReply *reply);
/* Another type than the one that was to be expected. */
status_t node_surprised(journal_redis_t *self, struct node *node);
/* Keeps the words: "Redis at host:port: ...". */
status_t node_fail(journal_redis_t *self, struct node *node, status_t status, const char *words);

/* ---- journal_redis.c ---- */

/* Who holds the shard, or would. ERR_JOURNAL: not known, or two do. */
MUST_CHECK status_t shard_node(journal_redis_t *self, unsigned shard, struct node **ret_node);
/* The shard's meta, as bytes of META_LENGTH, without the clock. False: it is something else. */
bool meta_decode(const journal_redis_t *self, const struct node *node, const redisReply *reply,
                 struct journal_meta *ret_meta, uint32_t *ret_name);
/* Appends a meta's bytes: of a shard without entries. */
void meta_encode(struct buffer *buffer, const struct journal_meta *meta, uint32_t name);
/* Notes what a meta says, for the names of keys. An answer that is none is passed over. */
void meta_note(journal_redis_t *self, struct node *node, unsigned shard, const redisReply *reply);
/* Loads the meta; *ret_found false: there is none. */
MUST_CHECK status_t meta_load(journal_redis_t *self, struct node *node, unsigned shard,
                              struct journal_meta *ret_meta, uint32_t *ret_name, bool *ret_found);
/* A name for counters that is not `other`. */
uint32_t counters_name(uint32_t other);

/* ---- journal_redis_reply.c ---- */

MUST_CHECK bool batch_answer_decode(const char *bytes, size_t length, struct batch *batch);

/* ---- journal_redis_rebuild.c, for journal_redis_rebuilt.c ---- */

struct application_value {
    enum application_state state;
    uint64_t last_chat, imported, id;
};

/* False: it is none. */
bool application_decode(const redisReply *reply, struct application_value *ret_value);
/* ERR_JOURNAL: the connection that the rebuild began with has broken. */
MUST_CHECK status_t rebuild_node(journal_redis_t *self, struct node **ret_node);
/* One answer of a pipeline; errors are failures. */
MUST_CHECK status_t rebuild_answer(journal_redis_t *self, struct node *node,
                                   redisReply **ret_reply);
/* Writes what was collected, and begins anew with the application given last, which
 * more chats may follow. */
MUST_CHECK status_t rebuild_write(journal_redis_t *self);

/* ---- the adapter's functions that have a file of their own ---- */

void journal_redis_append(journal_t *journal, struct batch batches[], size_t count);
status_t journal_redis_look(journal_t *journal, struct look looks[], size_t count,
                            const unsigned *closed);
status_t journal_redis_read(journal_t *journal, unsigned shard, uint64_t seq, size_t records_max,
                            size_t bytes_max, struct entries *entries,
                            struct journal_meta *ret_meta, bool *ret_found);
status_t journal_redis_trim(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more);
status_t journal_redis_advice(journal_t *journal, void (*say)(void *context, const char *sentence),
                              void *context);
status_t journal_redis_rebuild_begin(journal_t *journal, unsigned shard, uint64_t base);
status_t journal_redis_rebuild_application(journal_t *journal, const char *token,
                                           size_t token_length, uint64_t application_id,
                                           enum existence existence, uint64_t last_chat);
status_t journal_redis_rebuild_chat(journal_t *journal, const char *token, size_t token_length,
                                    uint64_t chat, uint64_t last_message);
status_t journal_redis_rebuild_end(journal_t *journal, uint64_t mark,
                                   const struct journal_meta *meta);

#endif
