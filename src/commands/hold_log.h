/* SPDX-License-Identifier: MIT */
/* hold_log.h - keeps the log from being trimmed, so that copies of the store and of
 * the log fit together.
 *
 * A follower is registered that does not move. Whatever is copied afterwards, the
 * index before the store before the log, stands behind nothing that the copied log
 * lacks. It writes one row of the store, beside a running server too. What is wrong
 * is told on standard error.
 */
#ifndef COMMANDS_HOLD_LOG_H
#define COMMANDS_HOLD_LOG_H

#include "common/config.h"
#include "storage/store.h"

/* Registers it for all shards. ERR_EXISTS: somebody holds the log already. */
MUST_CHECK status_t hold_log(const struct config *config);

/* Removes it; *ret_held: there was one. */
MUST_CHECK status_t hold_release(const struct config *config, bool *ret_held);

#endif
