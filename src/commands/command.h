/* SPDX-License-Identifier: MIT */
/* command.h - what `confab NAME` can be: one file a command.
 *
 * A command gets the configuration and the words that are left of its command
 * line, and returns the exit status: 0 done, 1 could not be done or found
 * something wrong, 2 called in the wrong way. Results go to standard output, all
 * else to standard error.
 */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "common/config.h"

/* X(name, one line of help), in the order of `confab help`. */
#define COMMAND_LIST(X)                                                   \
    X(serve, "run the server until SIGTERM or SIGINT")                    \
    X(migrate, "make or update the tables, the log and the index")        \
    X(verify, "look for anything that should not be")                     \
    X(recount, "count all chats and messages anew")                       \
    X(reindex, "make the search index anew")                              \
    X(rebuild, "mend a log whose history was lost")                       \
    X(dead, "list, retry or drop records that were put aside")            \
    X(export, "write everything as lines of JSON")                        \
    X(import, "read such lines into the data set")                        \
    X(backup, "copy the data set, also while it is served")               \
    X(hold, "keep the log from being trimmed, for a backup of one's own") \
    X(release, "end that")                                                \
    X(log, "print what is in the log")                                    \
    X(health, "ask a running server how it is")                           \
    X(version, "print the version")

struct command {
    const char *name;
    int (*run)(const struct config *config, int argc, char **argv);
    const char *summary; /* one line */
    const char *help;    /* what it does, its options, an example */
};

#define COMMAND_DECLARE(name, summary)                                      \
    int command_##name(const struct config *config, int argc, char **argv); \
    extern const char command_##name##_help[];
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
