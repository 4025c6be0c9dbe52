/* SPDX-License-Identifier: MIT */
/* query_front.h - the front of the query actor, inside.
 *
 *     gather ▶ incoming ──look──▶ light, heavy, states ──dispatch──▶ workers ──collect──▶ answer
 *                          └──▶ parked ──unpark──┘
 *
 * query.c is the loop, query_look.c asks the journal and parks, query_pool.c
 * speaks to the workers. Included by these three only.
 */
#ifndef ACTORS_QUERY_FRONT_H
#define ACTORS_QUERY_FRONT_H

#include <assert.h>

#include "actors/query_worker.h"
#include "common/actor.h"
#include "storage/journal.h"

enum {
    TICKETS_MAX = 4096,    /* requests in hand; more wait at the socket */
    BATCH_MAX = 256,       /* looked up together */
    READERS = 4,           /* workers that read */
    WORKERS = READERS + 1, /* and one for the state, which must be told when all of them hang */
    WORKER_DEPTH = 8,      /* single items that one worker may have waiting */
    PARK_MS_MAX = 1000,
    LOOK_MS = 100,                  /* how often positions are asked for while reads are parked */
    LOOK_SHARED_MS = 10,            /* the same where other processes may move them */
    PAUSE_MS_MAX = 5000,            /* for which a journal server that hangs is left alone */
    POSITIONS_TICKET = TICKETS_MAX, /* of the question how far the store got */
};

/* A change that a read must see. */
struct wait {
    unsigned shard;
    uint64_t epoch, seq;
};

/* A request in hand. */
struct ticket {
    zmq_msg_t sender, frame;
    struct request request; /* its strings lie in `frame` */
    struct task task;
    struct wait *waits; /* all of these; room for one a shard */
    unsigned wait_count;
    int64_t deadline_us; /* parked: until then (monotonic) */
};

/* Tickets by number, first in, first out. */
struct queue {
    uint32_t tickets[TICKETS_MAX];
    size_t first, count;
};

struct worker {
    zactor_t *actor;
    unsigned outstanding; /* tasks it has not answered */
    bool heavy;           /* one of them may take long: nothing is put behind it */
};

typedef struct {
    zsock_t *pipe;     /* borrowed from our zactor */
    zsock_t *requests; /* ROUTER, MANDATORY: [sender][request] */
    zsock_t *wakeups;  /* SUB: how far persistence got; a hint, asked for too */
    journal_t *journal;
    unsigned shards;
    unsigned servers;           /* of the journal */
    unsigned *homes;            /* by shard: the journal server that it is on, as far as is known */
    int64_t *pauses;            /* by journal server: not asked before that (monotonic) */
    bool shared;                /* other processes may follow: their wake-ups do not come here */
    struct position *positions; /* by shard: what is known of the store */
    struct worker workers[WORKERS];
    bool positions_asked; /* a worker is asking the store */
    int64_t positions_us; /* when one was last told to (monotonic) */

    struct ticket *tickets;
    struct wait *waits; /* the tickets' */
    struct queue free, incoming, parked, light, heavy, states;
    struct look looks[BATCH_MAX]; /* to be asked */
    struct buffer frame;
} query_t;

static inline void queue_put(struct queue *queue, uint32_t ticket)
{
    assert(queue->count < TICKETS_MAX);
    queue->tickets[(queue->first + queue->count++) % TICKETS_MAX] = ticket;
}

static inline uint32_t queue_first(const struct queue *queue)
{
    assert(queue->count > 0);
    return queue->tickets[queue->first];
}

static inline uint32_t queue_take(struct queue *queue)
{
    assert(queue->count > 0);
    uint32_t ticket = queue->tickets[queue->first];
    queue->first = (queue->first + 1) % TICKETS_MAX;
    queue->count--;
    return ticket;
}

static inline bool request_is_heavy(const struct request *request)
{
    return request->type == REQUEST_SEARCH || request->type == REQUEST_MESSAGES ||
           request->type == REQUEST_CHATS || request->type == REQUEST_APPLICATIONS;
}

/* query.c: answers by what a worker made, which is taken over, or by a status;
 * either frees the ticket. */
void ticket_forward(query_t *self, struct ticket *ticket, zmq_msg_t *reply);
void ticket_fail(query_t *self, struct ticket *ticket, status_t status);

/* query_look.c: one look at the journal for all that came in; what does not exist
 * is answered, what the store has not reached is parked, the rest is ready. */
void query_look(query_t *self);
/* Parked tickets that the store has reached by now are ready; those whose time is
 * over get an old state, or fail. */
void query_unpark(query_t *self);

/* query_pool.c: takes what workers answered and how far the store got. */
void query_collect(query_t *self);
/* Gives what is ready to workers, as far as they have room. */
void query_dispatch(query_t *self);

#endif
