/* SPDX-License-Identifier: MIT */
/* reindex_anew.h - confab reindex where the index is a server's: a new index beside
 * the old one, while servers go on with that.
 *
 *     store ──scan──▶ new index ◀──the log, from where the scan began── journal
 *                        │
 *                        └──publish──▶ what everybody finds
 *
 * Until then the log is kept by a position of the command's own, which moves along.
 * A server notices at its next write that the index is another, and goes on in the
 * new one from where the command left it. Broken off anywhere, what is there is an
 * unfinished index and a row that holds the log: the next run removes both.
 */
#ifndef COMMANDS_REINDEX_ANEW_H
#define COMMANDS_REINDEX_ANEW_H

#include "commands/data_set.h"
#include "commands/progress.h"

/* *ret_documents: how many the scan found. What is wrong is told on standard error. */
MUST_CHECK status_t reindex_anew(data_set_t *data_set, struct progress *progress,
                                 uint64_t *ret_documents);

#endif
