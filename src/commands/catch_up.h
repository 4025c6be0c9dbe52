/* SPDX-License-Identifier: MIT */
/* catch_up.h - brings the store up to the head of the log without a server.
 *
 * The data set was opened for writing, and data_set_check() was OK. Where it is
 * shared, a server may do the same at the same time: what it was faster with is read
 * anew. What is wrong is told on standard error. Indexing and counting follow when
 * the next server runs, unless the caller sees to them.
 */
#ifndef COMMANDS_CATCH_UP_H
#define COMMANDS_CATCH_UP_H

#include "commands/data_set.h"
#include "storage/persist.h"

typedef struct {
    data_set_t *data_set; /* borrowed */
    persist_t *persist;
    struct entries entries; /* those that catch_up_step() applied last */
    uint64_t records, dead; /* so far: applied, and put aside among those */
} catch_up_t;

catch_up_t *catch_up_new(data_set_t *data_set);
/* Accepts NULL; leaves *catch_up_p NULL. */
void catch_up_destroy(catch_up_t **catch_up_p);

/* Applies the next batch of a shard; *ret_position is where the store stands then.
 * catch_up->entries is empty: the head is reached. */
MUST_CHECK status_t catch_up_step(catch_up_t *catch_up, unsigned shard,
                                  struct position *ret_position);

/* All shards to their heads. */
MUST_CHECK status_t catch_up_all(catch_up_t *catch_up);

#endif
