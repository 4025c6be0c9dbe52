/* SPDX-License-Identifier: MIT */
/* support.h - what several tests need: a folder of one's own, records, entries.
 *
 * Whatever is made here and not given an owner lives until the process ends.
 * One thread.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "common/record.h"

/* Makes a new folder of this test's own (tests run in parallel) and returns its path. */
char *folder_make(void);
/* Removes it with all that is in it; frees and clears the path. Accepts NULL. */
void folder_remove(char **folder_p);

/* printf into a string that lives as long as the process: file names, URLs, SQL. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A file's whole content, terminated; NULL if it cannot be read. */
char *file_read(const char *path, size_t *ret_length);

/* ---- records, as a follower sees them ----
 *
 * seq, application id, token and time are the caller's to set, or come from
 * records_number(). Texts are borrowed. */

struct record record_application_created(const char *token, uint64_t application_id,
                                         const char *name);
struct record record_chat_created(const char *token, uint64_t application_id, uint64_t chat,
                                  const char *name);
struct record record_message_created(const char *token, uint64_t application_id, uint64_t chat,
                                     uint64_t number, const char *body);
/* Any other type; 0 and NULL where it has none. */
struct record record_of(enum record_type type, const char *token, uint64_t application_id,
                        uint64_t chat, uint64_t number, const char *text);
/* An import record with the times of its own. */
struct record record_imported(enum record_type type, const char *token, uint64_t application_id,
                              uint64_t chat, uint64_t number, const char *text, int64_t created,
                              int64_t updated);

/* Gives records the seqs after `seq` and the time `time`. */
void records_number(struct record records[], size_t count, uint64_t seq, int64_t time);

/* The position `count` records after `from`, under the name {producer, sequence}. */
struct position position_after(const struct position *from, size_t count, uint64_t producer,
                               uint64_t sequence, int64_t time);

/* ---- entries, as a journal holds them ---- */

/* Encodes records as one entry that follows `from` (each record a group of its
 * own) into `buffer`, which the entry then borrows. seqs and times come from the
 * entry; a chat's or message's number is the record's. */
struct entry entry_of(struct buffer *buffer, const struct position *from, struct entry_name name,
                      int64_t time, const struct record records[], size_t count);

#endif
