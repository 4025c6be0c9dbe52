/* SPDX-License-Identifier: MIT */
/* journal.h - the log: the port.
 *
 *     numbering ──append──▶ journal ──read──▶ persistence, indexing, counting
 *                              ▲
 *                              └──look── query
 *
 * A journal holds for each shard its entries, and counters from which an append
 * checks existence, numbers, recognises repeats and stamps the time, all in one
 * atomic, durable step. docs/ARCHITECTURE.md has the rules; the contract test
 * (test/contract_journal.c) holds every adapter to them.
 *
 * One thread per handle, any number of handles on one journal.
 */
#ifndef STORAGE_JOURNAL_H
#define STORAGE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"
#include "common/record.h"
#include "common/status.h"

typedef struct journal journal_t;

struct journal_options {
    const char *url;   /* sqlite:PATH, or redis://[:password@]host:port[/db], several of
                                        * these separated by commas */
    bool read_only;    /* looks and reads only (tools beside a server) */
    uint64_t run;      /* this life of an embedded journal's process; 0 for read_only.
                                        * Others know their own. */
    uint64_t keys_max; /* idempotency keys a shard keeps; at it keyed groups are
                                        * refused; 0: no limit */
    uint64_t backlog_records_max, backlog_bytes_max; /* of a shard; at either, every append is
                                                      * refused; 0: no limit */
};

MUST_CHECK status_t journal_open(const struct journal_options *options, journal_t **ret_journal);
/* Accepts NULL; leaves *journal_p NULL. */
void journal_close(journal_t **journal_p);
/* The backend's words about the last failure; NULL: of this thread's last journal_open(). */
const char *journal_errmsg(const journal_t *journal);

/* How many servers the journal has; a dead one stops only its own shards. Embedded: 1. */
unsigned journal_servers(const journal_t *journal);
/* Which of them, from 0, holds the shard, or would; without asking any server that was
 * asked before. False: not known, since a server that may hold it does not answer. */
bool journal_server_of(journal_t *journal, unsigned shard, unsigned *ret_server);

/* Settings of the journal's servers under which what was acknowledged may be lost or
 * refused: one sentence at a time, with what to do. ERR_JOURNAL: could not be asked. */
MUST_CHECK status_t journal_advice(journal_t *journal,
                                   void (*say)(void *context, const char *sentence), void *context);

/* 63 random bits, never 0: runs, marks, producers, data sets. */
uint64_t journal_random(void);

/* ---- what a shard is ---- */

struct journal_meta {
    uint64_t data_set;      /* random, the same for all shards and for the store */
    uint32_t shards, shard; /* N, and which of them this is */
    uint64_t epoch;
    uint64_t mark;               /* not 0: the shard is closed, under this mark */
    uint64_t checked;            /* the run that was last found to fit the store */
    uint64_t last_seq;           /* 0 in a new data set */
    struct entry_name last_name; /* {epoch, 0} when the epoch has no entry */
    int64_t last_time;           /* µs */
    uint64_t application_change; /* seq of the last change to any application or chat */
    /* The backlog: what is still kept. first_seq is last_seq + 1 when nothing is. */
    uint64_t first_seq, bytes;
    int64_t clock; /* µs; the journal's own */
    uint64_t run;  /* of the process that serves it now */
};

/* *ret_found false: the journal holds nothing for that shard. */
MUST_CHECK status_t journal_meta(journal_t *journal, unsigned shard, struct journal_meta *ret_meta,
                                 bool *ret_found);

/* Makes shard meta->shard with meta's data_set, shards, epoch, mark, last_seq,
 * last_time and checked, and no entries. ERR_EXISTS if the shard exists. */
MUST_CHECK status_t journal_create(journal_t *journal, const struct journal_meta *meta);

/* Enters the run that was checked; refused (ERR_CONFLICT) if it was not `before`. */
MUST_CHECK status_t journal_checked(journal_t *journal, unsigned shard, uint64_t before,
                                    uint64_t run);

/* Closes the shard, an empty journal's too: from now on appends are refused. A
 * mark that is there already stays unless `replace`. */
MUST_CHECK status_t journal_mark(journal_t *journal, unsigned shard, uint64_t mark, bool replace);

/* ---- append ---- */

/* Records that share their fate. (A plain "group" is taken: grp.h has one.) */
struct record_group {
    enum record_type type;
    const char *token; /* APPLICATION_CREATED: the token to be given */
    size_t token_length;
    uint64_t chat;        /* beneath an application: which chat */
    uint64_t number;      /* message edited or deleted; imports: the first number, or
                                        * the last number below an application or a chat */
    uint64_t number_last; /* MESSAGE_IMPORTED: the last of the group */
    uint32_t count;       /* records; 1 unless MESSAGE_CREATED or MESSAGE_IMPORTED */
    bool keyed;           /* creations with an idempotency key; count is 1 */
    uint8_t key[HASH_LENGTH], request_hash[HASH_LENGTH];
    const void *bytes; /* by group_encode() */
    size_t length;

    /* What the journal says of it. */
    status_t status;              /* OK; or nothing of this group was written */
    bool replayed;                /* OK: the key was known, this is what it stood for */
    uint64_t first_number;        /* creations of chats and messages */
    int64_t time;                 /* µs */
    char result_token[TOKEN_MAX]; /* APPLICATION_CREATED: the token; replayed: the first one */
    size_t result_token_length;
};

struct batch {
    unsigned shard;
    uint64_t epoch;              /* the actor's idea of it */
    uint64_t producer, sequence; /* 1, 2, 3... for each producer and shard */
    struct record_group *groups; /* in the order of enum record_type; imports alone */
    size_t count;
    status_t status;   /* ret */
    uint64_t last_seq; /* ret: of the shard after the call */
};

/* Makes each batch durable as one entry of its shard; they are of different shards,
 * and those of one server go in one round trip. Each has its own status; returned is
 * OK, or the first that is not. OK: each group of the batch has its own status:
 *   ERR_APPLICATION_NOT_FOUND  never there, deleted, or being imported; deletions of a deleted
 *                              application are OK and write nothing
 *   ERR_CHAT_NOT_FOUND         likewise for a chat
 *   ERR_MESSAGE_NOT_FOUND      edit or deletion of a number above the chat's last
 *   ERR_KEY_REUSED             the key was used with another request hash
 *   ERR_KEYS_FULL              keys_max is reached
 *   ERR_EXISTS                 an issued or imported token is taken already
 *   ERR_OVERLOADED             all 2^32 numbers below it have been given
 *   ERR_DATA                   an import's numbers do not ascend, or are 2^32 or more
 * The producer's last sequence again: the stored reply, nothing is written. Any
 * other result means that this call wrote nothing of the batch, now or later, but for
 * ERR_OUTCOME_UNKNOWN (send the same batch again, or give it up for ever):
 * ERR_EPOCH, ERR_CLOSED, ERR_UNCHECKED, ERR_BACKLOG_FULL, ERR_JOURNAL,
 * ERR_SEQUENCE (lower, or a gap: history was lost; the shard is closed then).
 * Of an earlier call of the same batch whose outcome is unknown they say nothing:
 * after it only OK, or giving up, settles the batch. */
status_t journal_append(journal_t *journal, struct batch batches[], size_t count);

/* ---- look ---- */

enum existence { EXISTS_NEVER, EXISTS, EXISTS_DELETED };

struct look {
    const char *token;
    size_t token_length;
    uint64_t chat; /* 0: only the application */

    /* What the counters say. */
    status_t status; /* OK; or nothing below is known: ERR_JOURNAL, ERR_CLOSED, ERR_UNCHECKED */
    uint64_t epoch;
    enum existence application, chat_existence;
    uint64_t application_id;
    uint64_t last_chat, last_message;
    uint64_t application_change; /* seq: the application itself or one of its chats */
    uint64_t chat_change;        /* seq: anything in the chat */
};

/* Fills in any number of looks in one round trip to each server and one snapshot a
 * shard. Looks of one application should stand together. Each has its own status:
 * a shard that is closed or unchecked, or a dead server, hides nothing of the
 * others. Returns OK, or the first that is not. */
MUST_CHECK status_t journal_look(journal_t *journal, struct look looks[], size_t count);

/* ---- follow ---- */

/* Entries as read; the bytes belong to the struct until the next read. */
struct entries {
    struct entry *entry;
    size_t count;
    struct buffer bytes;
    size_t capacity;
};
void entries_free(struct entries *entries);

/* Reads entries after `after`, at least one if there is any, and no more than
 * about records_max records and bytes_max bytes. All is checked: that the first
 * continues `after`, that each follows the other, the checksums. No entries:
 * nothing is new. ERR_DIVERGED: `after` is not in the log. ERR_CORRUPT. */
MUST_CHECK status_t journal_read(journal_t *journal, unsigned shard, const struct position *after,
                                 size_t records_max, size_t bytes_max, struct entries *entries);

/* Reads the first entries that are left, whatever comes before them (rebuild,
 * `confab log`), from the one that holds `seq` or the first after it. */
MUST_CHECK status_t journal_read_from(journal_t *journal, unsigned shard, uint64_t seq,
                                      size_t records_max, size_t bytes_max,
                                      struct entries *entries);

/* True if the position is in the log: the entry at its seq has its name, or the
 * first entry left names it as its predecessor, or nothing is left and it is
 * the last name of the meta; and the epochs are the same. */
MUST_CHECK status_t journal_holds(journal_t *journal, unsigned shard,
                                  const struct position *position, bool *ret_holds);

/* Removes entries up to and including `seq`, a bounded slice at a call;
 * ret_more true: call again. */
MUST_CHECK status_t journal_trim(journal_t *journal, unsigned shard, uint64_t seq, bool *ret_more);

/* ---- rebuild: counters anew for a closed shard, from what the store holds ---- */

/* As journal_look(), also while the shard is closed or unchecked. All looks are of
 * that shard. */
MUST_CHECK status_t journal_rebuild_look(journal_t *journal, unsigned shard, struct look looks[],
                                         size_t count);

/* Between begin and end nothing is visible: begin opens counters of the new
 * epoch, end replaces meta, if it still carries `mark`, with the new one (its
 * last_seq is the base; every change is set to it), else ERR_CONFLICT, and the
 * entries are gone. What is there is what was given; numbers are the greater of
 * those given and those that the journal still has. Of what only the journal has,
 * applications become deleted ones (unfinished imports are forgotten) and chats go,
 * so that no append is taken for what the store does not hold; their numbers stay
 * used. Producers and keys stay. */
MUST_CHECK status_t journal_rebuild_begin(journal_t *journal, unsigned shard, uint64_t base);
/* EXISTS_NEVER: its import has not ended. */
MUST_CHECK status_t journal_rebuild_application(journal_t *journal, const char *token,
                                                size_t token_length, uint64_t application_id,
                                                enum existence existence, uint64_t last_chat);
MUST_CHECK status_t journal_rebuild_chat(journal_t *journal, const char *token, size_t token_length,
                                         uint64_t chat, uint64_t last_message);
MUST_CHECK status_t journal_rebuild_end(journal_t *journal, uint64_t mark,
                                        const struct journal_meta *meta);

/* Copies the journal to a file while it is in use (embedded only). */
MUST_CHECK status_t journal_backup(journal_t *journal, const char *path);

#endif
