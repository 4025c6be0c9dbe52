/* SPDX-License-Identifier: MIT */
/* transfer.h - the lines that `confab export` writes and `confab import` reads.
 *
 *     {"type":"application","token":"…","name":"…","last_chat_number":2,…}
 *     {"type":"chat","application_token":"…","chat_number":1,"name":null,
 *      "last_message_number":7,…}
 *     {"type":"message","application_token":"…","chat_number":1,"message_number":1,
 *      "message_body":"…",…}
 *
 * One object a line, each with created_at and updated_at to the microsecond, so
 * that nothing is lost. An application comes first, then its chats, each followed
 * by its messages, numbers ascending. docs/OPERATING.md shows them to operators.
 *
 * No state: any thread may call anything.
 */
#ifndef COMMANDS_TRANSFER_H
#define COMMANDS_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum transfer_type { TRANSFER_APPLICATION, TRANSFER_CHAT, TRANSFER_MESSAGE };

struct transfer {
    enum transfer_type type;
    const char *token; /* of the application */
    size_t token_length;
    uint64_t chat;    /* chats, messages: the chat's number */
    uint64_t message; /* messages: its number */
    uint64_t last;    /* applications, chats: last number given below */
    const char *text; /* name or body; a chat without a name: empty */
    size_t text_length;
    int64_t created, updated; /* µs since 1970 */
};

/* Appends a line, its end included. */
void transfer_write(struct buffer *lines, const struct transfer *transfer);

/* Reads one line without its end, in place: the strings lie in `text`, which is in
 * pieces afterwards. Members that it does not know are ignored. False: the line is
 * no such object, or what it holds is more than the API would take; *ret_why says
 * what, as the end of a sentence. */
bool transfer_read(char *text, size_t length, struct transfer *ret_transfer, const char **ret_why);

#endif
