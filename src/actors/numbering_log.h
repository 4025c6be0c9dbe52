/* SPDX-License-Identifier: MIT */
/* numbering_log.h - the numbering actor's way into the log, inside.
 *
 *     groups ──▶ append ──▶ OK: on disk
 *                  │ no answer: the same batch again, until it is time to give up
 *                  │ another life of the journal: checked against the store, then again
 *                  └ away, closed, of another epoch, full: told, nothing was written
 *
 * Under which name and sequence the actor appends to each shard is known here alone.
 * Included by numbering*.c only.
 */
#ifndef ACTORS_NUMBERING_LOG_H
#define ACTORS_NUMBERING_LOG_H

#include "common/actor.h"
#include "storage/journal.h"

typedef struct numbering_log numbering_log_t;

MUST_CHECK status_t numbering_log_open(const struct actor_args *args, numbering_log_t **ret_log);
/* Accepts NULL; leaves *log_p NULL. */
void numbering_log_close(numbering_log_t **log_p);
/* The words about the last failure. */
const char *numbering_log_errmsg(const numbering_log_t *log);

/* Makes the groups of batches, of different shards, durable in one round trip; fills in
 * the rest of each batch. Its status goes for all its groups, but with OK each has its
 * own. A batch without an answer goes again until its `deadlines_us` of the monotonic
 * clock. */
void numbering_log_append(numbering_log_t *log, struct batch batches[], size_t count,
                          const int64_t deadlines_us[]);

#endif
