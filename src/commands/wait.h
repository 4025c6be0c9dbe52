/* SPDX-License-Identifier: MIT */
/* wait.h - whether the store has reached the head of the log, and waiting for it.
 *
 * What is wrong is told on standard error.
 */
#ifndef COMMANDS_WAIT_H
#define COMMANDS_WAIT_H

#include "commands/catch_up.h"
#include "commands/data_set.h"

/* Until the store has reached what is now the head of the log, by a server's doing.
 * Only reads. ERR_CLOSED: it never will; ERR_STORE_BEHIND: it has not moved for a
 * while; ERR_JOURNAL, ERR_STORE. */
MUST_CHECK status_t wait_for_store(data_set_t *data_set);

/* The same for a data set that was opened for writing: what no server does is done
 * here (catch_up.h; where the data set is locked, that is all). */
MUST_CHECK status_t wait_or_catch_up(catch_up_t *catch_up);
MUST_CHECK status_t wait_or_catch_up_shard(catch_up_t *catch_up, unsigned shard);

/* Without a server: has it? ERR_CLOSED, or ERR_DIVERGED if the two do not fit
 * together: only a rebuild helps. */
MUST_CHECK status_t store_at_head(data_set_t *data_set, bool *ret_reached);

#endif
