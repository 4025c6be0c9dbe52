/* SPDX-License-Identifier: MIT */
/* objects.h - applications, chats and messages as JSON.
 *
 * One thread per buffer.
 */
#ifndef HTTP_OBJECTS_H
#define HTTP_OBJECTS_H

#include "common/buffer.h"
#include "common/message.h"

/* Appends one object. `token` of a chat is that of its application. */
typedef void object_writer(struct buffer *buffer, const struct item *item);

object_writer object_write_application, object_write_chat, object_write_message, object_write_hit;

/* Appends the items of the reply as an array, and sets *ret_last to the last of
 * them (all zeros if there is none). Items without a token get the request's.
 * ERR_MALFORMED: they do not decode. */
MUST_CHECK status_t object_write_list(struct buffer *buffer, const struct request *request,
                                      const struct reply *reply, object_writer *writer,
                                      struct item *ret_last);

/* Likewise, the only item of a reply. */
MUST_CHECK status_t object_write_one(struct buffer *buffer, const struct request *request,
                                     const struct reply *reply, object_writer *writer);

#endif
