/* SPDX-License-Identifier: MIT */
/* persist.h - entries of the log into the store.
 *
 * What the persistence actor does with a batch, and what commands do that bring
 * the store up to date without a server. A record that the database refuses as
 * bad data does not stop the rest: it is searched out and put aside. Records that
 * are bad only together are too: the later one is the bad one.
 *
 * One thread per handle.
 */
#ifndef STORAGE_PERSIST_H
#define STORAGE_PERSIST_H

#include "storage/journal.h"
#include "storage/store.h"

typedef struct persist persist_t;

/* Told of each record that is put aside, and why. */
typedef void persist_dead_fn(void *context, const struct record *record, const char *reason);

/* Borrows the store, which must outlive the handle; `dead` may be NULL. */
persist_t *persist_new(store_t *store, persist_dead_fn *dead, void *context);
/* Accepts NULL; leaves *persist_p NULL. */
void persist_destroy(persist_t **persist_p);

/* Applies entries, at least one, that follow `from`; *ret_position is where the
 * store stands then. ERR_CONFLICT: it did not stand at `from`. ERR_CORRUPT,
 * ERR_STORE. */
MUST_CHECK status_t persist_apply(persist_t *persist, unsigned shard, const struct position *from,
                                  const struct entries *entries, struct position *ret_position);

/* As store_apply(), but what the store refuses is marked in `dead`, of
 * change->count, and put aside. What is marked before is put aside as well, with
 * change->dead_reason. ERR_DATA: not for its records; nothing happened. */
MUST_CHECK status_t persist_change(persist_t *persist, struct change *change, bool dead[]);

#endif
