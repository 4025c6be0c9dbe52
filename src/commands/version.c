/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "commands/command.h"
#include "commands/options.h"

const char command_version_help[] = "confab version prints the version.\n"
                                    "\n"
                                    "Usage: confab version\n";

int command_version(const struct config *config, int argc, char **argv)
{
    (void) config;
    if (!options_none("version", argc, argv))
        return 2;
    printf("confab %s\n", CONFAB_VERSION);
    return 0;
}
