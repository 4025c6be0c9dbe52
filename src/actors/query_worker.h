/* SPDX-License-Identifier: MIT */
/* query_worker.h - a thread of the query actor's pool: one task at a time.
 *
 *     front ──[struct task][request]──▶ worker ──[ticket][reply]──▶ front
 *
 * Both messages are bytes over the worker's own pipe. The front has asked the
 * journal; a worker reads store and search, and the journal again only for the
 * last numbers of a page.
 */
#ifndef ACTORS_QUERY_WORKER_H
#define ACTORS_QUERY_WORKER_H

#include <czmq.h>

#include "common/message.h"

/* What the front has found out about a request. */
struct task {
    uint32_t ticket;   /* comes back with the reply */
    bool positions;    /* in place of a request, one bool a shard: tell how far the store got
                                        * in those, as an array of struct position, one a shard,
                                        * in place of a reply */
    bool journal_down; /* nothing of what follows is known */
    enum behind behind;
    uint32_t behind_seconds;
    uint64_t epoch;
    uint64_t application_id;
    uint64_t last_chat, last_message;
    uint64_t change; /* seq of the last change in the chat */
    int64_t until;   /* REQUEST_APPLICATIONS: created at or before, µs */
};

/* Whether the request is about one chat or what is in it. */
static inline bool request_needs_chat(const struct request *request)
{
    return request->type == REQUEST_CHAT || request->type == REQUEST_MESSAGES ||
           request->type == REQUEST_MESSAGE || request->type == REQUEST_SEARCH;
}

/* For actor_start(); `args` is a const struct actor_args *. */
void query_worker_actor(zsock_t *pipe, void *args);

#endif
