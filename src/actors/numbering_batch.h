/* SPDX-License-Identifier: MIT */
/* numbering_batch.h - the numbering actor's requests at hand, and the batches of them, inside.
 *
 * All creations of messages in one chat that have no idempotency key are one group;
 * everything else is a group of its own. Included by numbering*.c only.
 */
#ifndef ACTORS_NUMBERING_BATCH_H
#define ACTORS_NUMBERING_BATCH_H

#include <zmq.h>

#include "common/message.h"
#include "storage/journal.h"

/* A request of the batch at hand: whom to answer, and the frame that it came in. */
struct asker {
    zmq_msg_t sender, frame;
    struct request request; /* its strings lie in `frame` */
    unsigned shard;
    size_t group;   /* in which it went to the journal */
    uint32_t place; /* in that group */
};

struct asker_batch {
    size_t count;
    struct asker askers[BATCH_RECORDS_MAX];
    struct asker *order[BATCH_RECORDS_MAX]; /* sorted as the groups stand */
    struct record_group groups[BATCH_RECORDS_MAX];
    struct group_record records[BATCH_RECORDS_MAX];
    struct buffer encoded;            /* the groups' bytes */
    struct batch batches[SHARDS_MAX]; /* one a shard, in the order of the shards */
    size_t starts[SHARDS_MAX + 1];    /* of a batch's askers in `order`, to the next one's */
};

/* Sorts the askers and makes the batches with their groups; returns how many. They last
 * until the next call. */
size_t asker_batch_make(struct asker_batch *batch);

#endif
