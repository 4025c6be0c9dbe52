/* SPDX-License-Identifier: MIT */
/* fake_numbering.h - plays the numbering actor of one shard, for tests.
 *
 * Add groups, send them as one batch, look at what the journal made of them. The
 * groups of the last batch stay readable until the next one is begun.
 *
 * One thread per fake. Not for batches of more than 64 groups.
 */
#ifndef FAKE_NUMBERING_H
#define FAKE_NUMBERING_H

#include "storage/journal.h"

enum { FAKE_GROUPS_MAX = 64 };

struct fake_numbering {
    journal_t *journal; /* borrowed */
    struct batch batch; /* producer and sequence are the test's to change */
    bool sent;
    struct record_group groups[FAKE_GROUPS_MAX];
    struct buffer bytes[FAKE_GROUPS_MAX];
};

/* A new producer that has sent nothing. */
void fake_numbering_start(struct fake_numbering *fake, journal_t *journal, unsigned shard,
                          uint64_t epoch);
void fake_numbering_stop(struct fake_numbering *fake);

/* Adds a group of one record to the batch that is sent next. 0 and NULL where the
 * type has none. The token is borrowed until the batch after it. */
struct record_group *fake_group(struct fake_numbering *fake, enum record_type type,
                                const char *token, uint64_t chat, uint64_t number,
                                const char *text);
/* A group of `count` new messages. */
struct record_group *fake_messages(struct fake_numbering *fake, const char *token, uint64_t chat,
                                   uint32_t count, const char *text);
/* A group of imported messages with these numbers. */
struct record_group *fake_imported(struct fake_numbering *fake, const char *token, uint64_t chat,
                                   const uint64_t numbers[], uint32_t count);
/* Gives the group a key and a request hash that are made of these bytes. */
void fake_key(struct record_group *group, uint8_t key, uint8_t request);

/* Sends the batch under the next sequence. */
status_t fake_send(struct fake_numbering *fake);
/* Sends the same batch again, under the same sequence. */
status_t fake_resend(struct fake_numbering *fake);

/* A batch of one group: its status if it was sent, and its number, 0 if refused. */
status_t fake_one(struct fake_numbering *fake, enum record_type type, const char *token,
                  uint64_t chat, uint64_t number, const char *text);
uint64_t fake_chat(struct fake_numbering *fake, const char *token);
uint64_t fake_message(struct fake_numbering *fake, const char *token, uint64_t chat,
                      const char *text);

#endif
