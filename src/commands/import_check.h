/* SPDX-License-Identifier: MIT */
/* import_check.h - whether lines stand in the order that an import needs.
 *
 * An application, then its chats, each followed by its messages; numbers ascending
 * and at most the last one; no time in the future; no application twice.
 *
 * One thread per handle.
 */
#ifndef COMMANDS_IMPORT_CHECK_H
#define COMMANDS_IMPORT_CHECK_H

#include "commands/transfer.h"

/* Applications as they were met. */
struct import_application {
    const char *token; /* terminated; lives as long as the check */
    size_t token_length;
    uint64_t last; /* chat number ever given */
};

typedef struct {
    int64_t now;                              /* µs; no time may be greater */
    void *tokens;                             /* a tree of struct import_application */
    struct import_application **applications; /* in the order of the lines */
    size_t application_count, capacity;
    struct transfer chat;     /* the chat at hand: only its numbers count */
    uint64_t chats, messages; /* so far */
} import_check_t;

import_check_t *import_check_new(int64_t now);
/* Accepts NULL; leaves *check_p NULL. */
void import_check_destroy(import_check_t **check_p);

/* Takes the next line in. False: it cannot stand here; *ret_why says why, as the
 * end of a sentence. */
bool import_check_next(import_check_t *check, const struct transfer *transfer,
                       const char **ret_why);

/* The application that the last line belongs to. */
const struct import_application *import_check_application(const import_check_t *check);

#endif
