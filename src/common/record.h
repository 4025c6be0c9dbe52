/* SPDX-License-Identifier: MIT */
/* record.h - what is in the log: records in groups in entries.
 *
 *     entry      what one append made durable: a header and its groups
 *       group    records of one type beneath one parent, sharing their fate
 *         record one change
 *
 * The numbering actor encodes a group once, with a CRC over it. The journal
 * never looks inside: it puts before each group what only it can know (the
 * application's id, the first number) and before them all the header (the first
 * seq, the time, the names). Followers take entries apart with entry_next().
 *
 * An entry comes from a disk or a network: what does not fit is refused with
 * ERR_CORRUPT, never asserted. The layouts are in docs/PROTOCOL.md.
 */
#ifndef COMMON_RECORD_H
#define COMMON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/bytes.h"
#include "common/status.h"

enum {
    SHARDS_MAX = 256,
    TOKEN_MAX = 64, /* imported tokens; issued ones have 36 */
    TOKEN_ISSUED = 36,
    NAME_CHARACTERS_MAX = 255,
    BODY_BYTES_MAX = 65535,
    BATCH_RECORDS_MAX = 512, /* of one append; one group over it goes alone */
    BATCH_BYTES_MAX = 1 << 20,
};

/* Numbers are kept in the log: never change one. The order is that of a batch. */
enum record_type {
    RECORD_APPLICATION_CREATED = 1, /* text: name */
    RECORD_CHAT_CREATED = 2,        /* text: name, empty for none */
    RECORD_MESSAGE_CREATED = 3,     /* text: body */
    RECORD_APPLICATION_RENAMED = 4, /* text: name */
    RECORD_CHAT_RENAMED = 5,        /* text: name, empty for none */
    RECORD_MESSAGE_EDITED = 6,      /* text: body */
    RECORD_APPLICATION_DELETED = 7,
    RECORD_CHAT_DELETED = 8,
    RECORD_MESSAGE_DELETED = 9,
    RECORD_APPLICATION_IMPORTED = 10, /* text: name; number: last chat number */
    RECORD_CHAT_IMPORTED = 11,    /* text: name; chat: its number; number: last message number */
    RECORD_MESSAGE_IMPORTED = 12, /* text: body */
    RECORD_IMPORT_ENDED = 13,     /* the application becomes visible */
};

static inline bool record_is_import(enum record_type type)
{
    return type >= RECORD_APPLICATION_IMPORTED && type <= RECORD_IMPORT_ENDED;
}

/* Times: microseconds since 1970, UTC. */
struct record {
    enum record_type type;
    uint64_t seq; /* its place in the shard's log */
    uint64_t application_id;
    const char *token; /* of the application; not terminated */
    size_t token_length;
    uint64_t chat;            /* number of the chat, 0 where there is none */
    uint64_t number;          /* of the message; else see above */
    int64_t time;             /* of the entry */
    int64_t created, updated; /* imports only: the record's own times */
    const char *text;         /* name or body; not terminated */
    size_t text_length;
};

/* The name of an entry: which batch of which numbering actor it was. The
 * predecessor of an epoch's first entry is {epoch, 0}. */
struct entry_name {
    uint64_t producer; /* random, never 0 */
    uint64_t sequence; /* 1, 2, 3... for each producer and shard */
};

static inline bool entry_name_equal(struct entry_name a, struct entry_name b)
{
    return a.producer == b.producer && a.sequence == b.sequence;
}

/* How far somebody got in a shard: up to and including `seq`, which is the last
 * of the entry called `name`. */
struct position {
    uint64_t epoch; /* a counter in the upper half, a random part in the lower */
    uint64_t seq;   /* 0: nothing yet, then name is {epoch, 0} */
    struct entry_name name;
    int64_t time; /* of that entry */
    uint64_t run; /* of the journal that it was read from */
};

/* The same place in one history, whichever run of the journal it was read from. */
static inline bool position_same_place(const struct position *a, const struct position *b)
{
    return a->epoch == b->epoch && a->seq == b->seq && entry_name_equal(a->name, b->name);
}

/* Equal in all that there is of them. */
static inline bool position_equal(const struct position *a, const struct position *b)
{
    return position_same_place(a, b) && a->time == b->time && a->run == b->run;
}

struct entry {
    uint64_t epoch;
    uint64_t seq;   /* of its first record */
    uint32_t count; /* records */
    int64_t time;
    struct entry_name name, predecessor;
    const void *groups; /* borrowed from whoever read it */
    size_t groups_length;
};

static inline uint64_t entry_last_seq(const struct entry *entry)
{
    return entry->seq + entry->count - 1;
}

/* One record of a group to be encoded. */
struct group_record {
    const char *text;
    size_t text_length;
    uint64_t number;          /* message: edits, deletions, imports; application and chat
                                        * imports: the last number below; else 0 */
    int64_t created, updated; /* imports only */
};

/* Appends the encoded group to `buffer`. `records` share type, token and chat. */
void group_encode(struct buffer *buffer, enum record_type type, const char *token,
                  size_t token_length, uint64_t chat, const struct group_record records[],
                  size_t count);

/* Appends what a journal puts before a group's bytes, and the bytes. */
void entry_add_group(struct buffer *buffer, uint64_t application_id, uint64_t first_number,
                     const void *group, size_t group_length);

/* A walk over the records of an entry. */
struct entry_walk {
    const struct entry *entry;
    struct bytes_reader groups, group;
    struct record record; /* the group's part of each record */
    uint64_t next_seq, next_number;
    uint32_t left; /* records of this group still to come */
};

void entry_walk_start(struct entry_walk *walk, const struct entry *entry);

/* The next record, whose strings lie in the entry; *ret_more false after the
 * last. ERR_CORRUPT: the checksum, version or shape is wrong; the walk ends. */
MUST_CHECK status_t entry_next(struct entry_walk *walk, struct record *ret_record, bool *ret_more);

/* ERR_CORRUPT as entry_next(), for the entry as a whole. */
MUST_CHECK status_t entry_check(const struct entry *entry);

/* Where a follower stands after `entry`. */
struct position entry_position(const struct entry *entry, uint64_t run);

/* True if `entry` is what comes directly after `position`. */
bool entry_follows(const struct entry *entry, const struct position *position);

/* The shard of an application: a CRC of its token, modulo `shards`. Part of the
 * data's format. */
unsigned token_shard(const char *token, size_t token_length, unsigned shards);

/* 1 to TOKEN_MAX characters of [A-Za-z0-9_-]. Anything else names nothing. */
bool token_valid(const char *token, size_t token_length);

#endif
