/* SPDX-License-Identifier: MIT */
/* wait.h - whether the store has reached the head of the log, and waiting for it.
 *
 * Only reads. What is wrong is told on standard error.
 */
#ifndef COMMANDS_WAIT_H
#define COMMANDS_WAIT_H

#include "commands/data_set.h"

/* Until the store has reached what is now the head of the log. ERR_CLOSED: it never
 * will; ERR_STORE_BEHIND: not in time; ERR_JOURNAL, ERR_STORE. */
MUST_CHECK status_t wait_for_store(data_set_t *data_set);

/* Without a server: has it? ERR_CLOSED, or ERR_DIVERGED if the two do not fit
 * together: only a rebuild helps. */
MUST_CHECK status_t store_at_head(data_set_t *data_set, bool *ret_reached);

#endif
