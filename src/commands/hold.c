/* SPDX-License-Identifier: MIT */
/* hold.c - confab hold and confab release: for backup tools of the operator's own. */
#include <stdio.h>

#include "commands/command.h"
#include "commands/hold_log.h"
#include "commands/options.h"

const char command_hold_help[] =
    "confab hold keeps the log from being trimmed until `confab release`. In between the\n"
    "operator's own tools copy the data set: first the index, then the store, then the log,\n"
    "each as one state (a snapshot of all at the same moment will do). On the full stack that\n"
    "is mysqldump --single-transaction, then the files of Redis; the index can be left out. A\n"
    "copied store still holds its log: run `confab release` on the copy too.\n"
    "\n"
    "Works beside servers, on either stack. While the log is held it grows; at its limits writes "
    "get 503.\n"
    "\n"
    "Usage: confab hold\n"
    "\n"
    "Exit: 0 done; 1 could not, or it is held already; 2 called in the wrong way.\n"
    "\n"
    "Example: confab hold --data /var/lib/confab\n";

const char command_release_help[] =
    "confab release ends what `confab hold` began, or a `confab backup` or `confab reindex`\n"
    "that was killed.\n"
    "\n"
    "Works beside a server.\n"
    "\n"
    "Usage: confab release\n"
    "\n"
    "Exit: 0 done, or it was not held; 1 could not; 2 called in the wrong way.\n"
    "\n"
    "Example: confab release --data /var/lib/confab\n";

int command_hold(const struct config *config, int argc, char **argv)
{
    if (!options_none("hold", argc, argv))
        return 2;
    if (hold_log(config) != OK)
        return 1;
    printf("hold: the log is not trimmed until confab release\n");
    return 0;
}

int command_release(const struct config *config, int argc, char **argv)
{
    bool held = false;
    if (!options_none("release", argc, argv))
        return 2;
    if (hold_release(config, &held) != OK)
        return 1;
    printf("release: %s\n", held ? "the log is trimmed again" : "the log was not held");
    return 0;
}
