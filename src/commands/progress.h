/* SPDX-License-Identifier: MIT */
/* progress.h - one line on a terminal that tells how far long work got.
 *
 *     export: 120000 messages, 54000/s, 45 %
 *
 * Written to standard error and rewritten at most five times a second; nothing
 * at all is written when that is no terminal.
 *
 * One thread.
 */
#ifndef COMMANDS_PROGRESS_H
#define COMMANDS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *command, *things; /* "export", "messages" */
    int64_t started_us, next_us;
    bool terminal;
};

void progress_start(struct progress *progress, const char *command, const char *things);

/* `part` of `whole` is done, in whatever unit; whole 0: nobody knows how much there is. */
void progress_show(struct progress *progress, uint64_t things, uint64_t part, uint64_t whole);

/* Takes the line away, before anything else is written. */
void progress_end(struct progress *progress);

#endif
