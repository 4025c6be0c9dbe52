/* SPDX-License-Identifier: MIT */
/* message.h - what actors say to one another: one frame a message, bytes only.
 *
 *     http ──struct request──▶ numbering, query
 *     http ◀──struct reply──── numbering, query
 *     numbering, persistence ──struct wake──▶ whoever subscribes
 *
 * A frame may come from another host or an older build: a decoder survives any
 * bytes and refuses with ERR_MALFORMED. Strings in a decoded message lie in the
 * frame. The layouts are in docs/PROTOCOL.md.
 */
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/record.h"
#include "common/status.h"
#include "common/text.h"

/* Where the actors of this process are found, or the relays that stand in for them. */
#define NUMBERING_ENDPOINT "inproc://numbering"
#define QUERY_ENDPOINT "inproc://query"
/* Where wake-ups are published. */
#define WAKE_NUMBERING_ENDPOINT "inproc://wake-numbering"
#define WAKE_PERSISTENCE_ENDPOINT "inproc://wake-persistence"
/* With several journal servers each has a numbering actor of its own: NUMBERING_ENDPOINT
 * and WAKE_NUMBERING_ENDPOINT with this behind them, and the server's number, from 0. */
#define SERVER_ENDPOINT_FORMAT "%s-%u"

enum {
    PROTOCOL_VERSION = 1,
    HASH_LENGTH = 16, /* of idempotency keys and keyed requests */
    SPANS_MAX = 16,   /* highlights of one hit */
};

enum request_type {
    /* To numbering: the same numbers as enum record_type. */
    REQUEST_APPLICATION_CREATE = 1,
    REQUEST_CHAT_CREATE = 2,
    REQUEST_MESSAGE_CREATE = 3,
    REQUEST_APPLICATION_RENAME = 4,
    REQUEST_CHAT_RENAME = 5,
    REQUEST_MESSAGE_EDIT = 6,
    REQUEST_APPLICATION_DELETE = 7,
    REQUEST_CHAT_DELETE = 8,
    REQUEST_MESSAGE_DELETE = 9,
    /* To query. */
    REQUEST_APPLICATIONS = 32,
    REQUEST_APPLICATION = 33,
    REQUEST_CHATS = 34,
    REQUEST_CHAT = 35,
    REQUEST_MESSAGES = 36,
    REQUEST_MESSAGE = 37,
    REQUEST_SEARCH = 38,
    REQUEST_STATE = 39,
};

struct request {
    enum request_type type;
    uint64_t id;          /* the asker's; comes back in the reply */
    uint32_t wait_ms_max; /* how long the asker waits for the reply */
    const char *token;    /* valid or empty; of a creation: the new one */
    size_t token_length;
    uint64_t chat, number; /* 0 where the type has none */
    const char *text;      /* name, body, search query; REQUEST_APPLICATIONS: `after` */
    size_t text_length;

    /* Creations. */
    bool keyed;
    uint8_t key[HASH_LENGTH];          /* of scope and Idempotency-Key */
    uint8_t request_hash[HASH_LENGTH]; /* of what else was asked */

    /* Reads. */
    uint64_t after, before; /* strict bounds; before 0: none */
    uint32_t limit;
    bool descending;
    bool stale_allowed; /* an old state is better than none */
};

enum behind { BEHIND_NOT, BEHIND_SECONDS, BEHIND_UNKNOWN };

/* An application, chat, message or hit; fields that it does not have are 0. */
struct item {
    const char *token; /* application */
    size_t token_length;
    uint64_t number;  /* chat, message */
    const char *text; /* name (a chat without one: empty) or body */
    size_t text_length;
    uint64_t count, last;     /* living children, highest number ever given to one */
    int64_t created, updated; /* µs */
    size_t span_count;        /* hit: highlights in the body, in code points */
    struct text_span spans[SPANS_MAX];
};

struct reply {
    uint64_t id;
    status_t status;
    uint64_t number;   /* of what was created */
    int64_t time;      /* µs; of the creation */
    const char *token; /* of the application created */
    size_t token_length;
    bool replayed; /* an idempotency key was recognised */
    bool more;     /* the list goes on */
    bool complete; /* search: every acknowledged change was visible */
    enum behind behind;
    uint32_t behind_seconds;
    uint32_t item_count;
    const void *items; /* walk with item_next() */
    size_t items_length;
};

/* The reply to REQUEST_STATE, as its items. */
struct state {
    bool journal_ok, store_ok, search_ok, search_none;
    bool closed;      /* a shard is closed: `confab rebuild` */
    uint64_t pending; /* records in the log and not in the store */
    uint64_t store_lag_ms, search_lag_ms, counts_lag_ms; /* age of the oldest pending change */
};

enum wake_topic { WAKE_APPENDED = 'A', WAKE_PERSISTED = 'P' };

/* A hint: may be lost, late or repeated. */
struct wake {
    enum wake_topic topic;
    uint32_t shard;
    uint64_t epoch, seq;
};

/* Each clears the buffer first. */
void request_encode(struct buffer *frame, const struct request *request);
void reply_encode(struct buffer *frame, const struct reply *reply);
void wake_encode(struct buffer *frame, const struct wake *wake);
void state_encode(struct buffer *items, const struct state *state);

MUST_CHECK status_t request_decode(const void *frame, size_t length, struct request *ret_request);
MUST_CHECK status_t reply_decode(const void *frame, size_t length, struct reply *ret_reply);
MUST_CHECK status_t wake_decode(const void *frame, size_t length, struct wake *ret_wake);
MUST_CHECK status_t state_decode(const struct reply *reply, struct state *ret_state);

/* Appends an item to those of a reply. */
void item_encode(struct buffer *items, const struct item *item);

/* Reads the items of a decoded reply one after the other. */
MUST_CHECK status_t item_decode(struct bytes_reader *items, struct item *ret_item);

#endif
