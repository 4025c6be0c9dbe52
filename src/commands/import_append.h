/* SPDX-License-Identifier: MIT */
/* import_append.h - puts imported things into the log, batch by batch.
 *
 *     lines ──add──▶ a batch for each shard ──append──▶ journal
 *
 * Messages that follow each other in a chat share a group.
 * Until import_append_end() none of the applications is visible, and each is
 * replaced by the next import of its token.
 *
 * One thread per handle.
 */
#ifndef COMMANDS_IMPORT_APPEND_H
#define COMMANDS_IMPORT_APPEND_H

#include "commands/appender.h"
#include "commands/data_set.h"
#include "commands/import_check.h"
#include "commands/transfer.h"

typedef struct import_append import_append_t;

/* Called after each append to a shard. */
typedef status_t import_appended_fn(void *context, unsigned shard);

/* Borrows data set and appender. */
import_append_t *import_append_new(data_set_t *data_set, appender_t *appender,
                                   import_appended_fn *appended, void *context);
/* Accepts NULL; leaves *append_p NULL. */
void import_append_destroy(import_append_t **append_p);

/* Takes the next line, checked and in order; `application` is what it belongs to
 * and lives as long as the handle. What is wrong is told on standard error. */
MUST_CHECK status_t import_append_add(import_append_t *append,
                                      const struct import_application *application,
                                      const struct transfer *transfer);

/* Appends what is left, then makes all applications visible. */
MUST_CHECK status_t import_append_end(import_append_t *append,
                                      struct import_application *const applications[],
                                      size_t count);

#endif
