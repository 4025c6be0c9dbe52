/* SPDX-License-Identifier: MIT */
/* query_parts.h - a worker of the query actor's pool, inside.
 *
 * query_worker.c is the loop and the plain reads; the two longer answers have
 * files of their own. Included by these three only.
 */
#ifndef ACTORS_QUERY_PARTS_H
#define ACTORS_QUERY_PARTS_H

#include "actors/query_worker.h"
#include "common/actor.h"
#include "storage/journal.h"
#include "storage/search.h"
#include "storage/store_read.h"

/* A hit, verified; its body lies in `bodies`. */
struct hit {
    struct item item;
    size_t start;
};

enum {
    HITS_MAX = 128,           /* proposals verified at a time */
    PAGE_BYTES_MAX = 4 << 20, /* bodies in one page */
};

typedef struct {
    zsock_t *pipe; /* borrowed from our zactor */
    const struct actor_args *args;
    store_t *store; /* NULL: not open, or closed after a failure */
    journal_t *journal;
    search_t *search;
    bool stopped;

    struct task task; /* at hand, with its request */
    zmq_msg_t frame;
    struct request request; /* its strings lie in `frame` */
    struct reply reply;
    struct buffer items, scratch, reply_frame;
    struct look *looks;
    struct entries entries;

    struct buffer needle, folded, bodies; /* search */
    struct hit hits[HITS_MAX];
    size_t hit_count;
} query_worker_t;

/* Opens what is not open; what failed was closed, so that this tries anew.
 * ERR_SEARCH_NONE: this server runs without search. */
MUST_CHECK status_t query_store_ready(query_worker_t *self);
MUST_CHECK status_t query_journal_ready(query_worker_t *self);
MUST_CHECK status_t query_search_ready(query_worker_t *self);

/* Answers REQUEST_STATE into self->items. */
MUST_CHECK status_t query_state(query_worker_t *self);

/* Answers REQUEST_SEARCH into self->items and self->reply; store and search are open. */
MUST_CHECK status_t query_search(query_worker_t *self);

void query_search_free(query_worker_t *self);

#endif
