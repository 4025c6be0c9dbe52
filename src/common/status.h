/* SPDX-License-Identifier: MIT */
/* status.h - what became of a call: one enum for the whole program.
 *
 * A status is a class of failure that the caller can act on; the backend's own
 * words stay with the handle (journal_errmsg and its like). Its numbers cross
 * sockets (docs/PROTOCOL.md): append new ones at the end. HTTP codes exist in
 * http/ only.
 */
#ifndef COMMON_STATUS_H
#define COMMON_STATUS_H

#define STATUS_LIST(X)                                                                            \
    X(OK, "ok")                                                                                   \
    X(ERR_APPLICATION_NOT_FOUND, "there is no such application")                                  \
    X(ERR_CHAT_NOT_FOUND, "there is no such chat")                                                \
    X(ERR_MESSAGE_NOT_FOUND, "there is no such message")                                          \
    X(ERR_CURSOR_NOT_FOUND, "the page token names no application")                                \
    X(ERR_KEY_REUSED, "the idempotency key was used for another request")                         \
    X(ERR_KEYS_FULL, "as many idempotency keys are alive as the server keeps")                    \
    X(ERR_BACKLOG_FULL, "the log's backlog is at its limit")                                      \
    X(ERR_OVERLOADED, "a queue is full")                                                          \
    X(ERR_JOURNAL, "the journal cannot be used; nothing was taken")                               \
    X(ERR_OUTCOME_UNKNOWN, "the journal did not answer; the change may or may not be in the log") \
    X(ERR_CLOSED, "the shard is closed: its history was lost; confab rebuild mends it")           \
    X(ERR_EPOCH, "the log is of another epoch")                                                   \
    X(ERR_UNCHECKED, "this run of the journal has not been checked against the store")            \
    X(ERR_SEQUENCE, "the producer's sequence does not follow its last")                           \
    X(ERR_STORE, "the store cannot be used")                                                      \
    X(ERR_STORE_BEHIND, "the store has not reached the change that the read must show")           \
    X(ERR_SEARCH, "the search service cannot be used")                                            \
    X(ERR_SEARCH_NONE, "this server runs without search")                                         \
    X(ERR_CONFLICT, "somebody else has moved what this call was based on")                        \
    X(ERR_DIVERGED, "the log does not continue where the position stands")                        \
    X(ERR_CORRUPT, "an entry does not have the checksum or the version that it should")           \
    X(ERR_DATA, "the database refuses a record as bad data")                                      \
    X(ERR_EXISTS, "it exists already")                                                            \
    X(ERR_UNAVAILABLE, "the database cannot be used")                                             \
    X(ERR_SCHEMA, "the database has another schema than this program")                            \
    X(ERR_LOCKED, "another process has locked the data folder")                                   \
    X(ERR_CONFIG, "the configuration is wrong")                                                   \
    X(ERR_MALFORMED, "a frame that does not decode")                                              \
    X(ERR_STOPPED, "the actor was told to stop")

typedef enum {
#define STATUS_ENUM(name, text) name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
} status_t;

#define MUST_CHECK __attribute__((warn_unused_result))

/* One English phrase, without a full stop. */
const char *status_text(status_t status);

/* The enum's own spelling, for log lines: "ERR_STORE". */
const char *status_name(status_t status);

#endif
