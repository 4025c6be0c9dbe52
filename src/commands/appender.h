/* SPDX-License-Identifier: MIT */
/* appender.h - how commands put groups into the log.
 *
 * What the numbering actor is for a server: a producer of its own, one batch on the
 * way, the same batch again while its outcome is not known. Where the journal is a
 * server, one that is away, full or in a new run (which is checked then) is waited
 * for; where it is a file, nothing will change by waiting.
 *
 * What is wrong is told on standard error. One thread per handle.
 */
#ifndef COMMANDS_APPENDER_H
#define COMMANDS_APPENDER_H

#include "commands/data_set.h"

typedef struct appender appender_t;

/* Borrows the data set, opened for writing. */
appender_t *appender_new(data_set_t *data_set);
/* Accepts NULL; leaves *appender_p NULL. */
void appender_destroy(appender_t **appender_p);

/* Appends the groups as one entry of the shard. OK: each group has its own status.
 * Else nothing was written, but after ERR_OUTCOME_UNKNOWN it may have been. */
MUST_CHECK status_t appender_append(appender_t *appender, unsigned shard,
                                    struct record_group groups[], size_t count);

/* One look, also where the journal has begun a new run: it is checked then. */
MUST_CHECK status_t appender_look(appender_t *appender, struct look *look);

#endif
