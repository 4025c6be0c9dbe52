/* SPDX-License-Identifier: MIT */
/* verify.h - what the parts of `confab verify` share.
 *
 *     verify.c          the command; the store
 *     verify_log.c      entries, and the followers' positions
 *     verify_index.c    a walk over store and index side by side
 *     verify_doubts.c   whether a difference found there is one
 *
 * Beside a server things move: what a follower has not reached yet is no fault,
 * and is not even told. Without one it is told as pending, since the next server
 * will do it.
 *
 * Whatever cannot be read at all is told on standard error and ends the command.
 */
#ifndef COMMANDS_VERIFY_H
#define COMMANDS_VERIFY_H

#include "commands/data_set.h"
#include "commands/progress.h"

struct verify {
    data_set_t *data_set;
    unsigned shards;
    bool served; /* another process works on the data set */
    bool moving; /* or one may begin to: a difference may be what it is doing */
    struct progress progress;

    /* What was found. */
    uint64_t faults;
    uint64_t applications, chats, messages;
    bool counts_compared, index_complete;
};

/* A line of standard output each. */
void verify_fault(struct verify *verify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void verify_pending(struct verify *verify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void verify_note(struct verify *verify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells what could not be read, and returns `status`. */
status_t verify_failed(struct verify *verify, status_t status);

/* Closed shards, damaged or missing entries, positions that are not in the log. */
MUST_CHECK status_t verify_log(struct verify *verify);

/* Index against store; counts the messages. */
MUST_CHECK status_t verify_index(struct verify *verify);

/* ---- differences between index and store ---- */

/* What one side holds of a message: the hash is search_hash() of the folded body. */
struct sighting {
    uint64_t application_id, chat, number, seq, hash;
};

typedef struct verify_doubts verify_doubts_t;

verify_doubts_t *verify_doubts_new(struct verify *verify);
/* Accepts NULL; leaves *doubts_p NULL. */
void verify_doubts_destroy(verify_doubts_t **doubts_p);

/* Store and index differ in this message; it is looked at again later. */
MUST_CHECK status_t verify_doubts_add(verify_doubts_t *doubts, const struct sighting *sighting);

/* Looks at all of them again, and tells the faults among them. */
MUST_CHECK status_t verify_doubts_settle(verify_doubts_t *doubts);

#endif
