/* SPDX-License-Identifier: MIT */
/* import_follow.h - brings store, counts and index along while an import appends.
 *
 * Where the folder is locked there is no server that would: so the log stays short,
 * and what was imported can be exported, verified, found and served at once.
 * Persistence is catch_up.h's; records of an import set their counts themselves.
 *
 * Where the data set is shared, servers do all that; if none runs, the store is
 * brought along, and the rest is done by the next server.
 *
 * What is wrong is told on standard error. One thread per handle.
 */
#ifndef COMMANDS_IMPORT_FOLLOW_H
#define COMMANDS_IMPORT_FOLLOW_H

#include "commands/data_set.h"

typedef struct import_follow import_follow_t;

/* Borrows the data set, opened for writing and checked. */
import_follow_t *import_follow_new(data_set_t *data_set);
/* Accepts NULL; leaves *follow_p NULL. */
void import_follow_destroy(import_follow_t **follow_p);

/* Before the first append: brings all up to what is in the log already. */
MUST_CHECK status_t import_follow_start(import_follow_t *follow);

/* After some appends: follows a shard to its head, and trims its log. */
MUST_CHECK status_t import_follow_shard(import_follow_t *follow, unsigned shard);

/* After the last: all shards, until the store has everything. */
MUST_CHECK status_t import_follow_end(import_follow_t *follow);

/* Records that the store refused and put aside. */
uint64_t import_follow_dead(const import_follow_t *follow);

#endif
