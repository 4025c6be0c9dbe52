/* SPDX-License-Identifier: MIT */
/* migrate.c - confab migrate: everything that serving needs is made or updated. */
#include <stdio.h>

#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/options.h"
#include "common/url.h"

const char command_migrate_help[] =
    "confab migrate makes the data set if there is none, and brings the tables of the log,\n"
    "the store and the index up to this version. `confab serve` does the same when it\n"
    "starts. With --search=none it also takes indexing off, so that the log no longer waits\n"
    "for an index; the next start with an index makes that anew.\n"
    "\n"
    "Tables that are as they should be are left alone: only where some are to be made or\n"
    "altered does the account of --store need the rights for that, here as in serve.\n"
    "\n"
    "On the embedded stack the server must be stopped. On the full stack older servers may\n"
    "run while tables are made or altered; then restart each with the new version.\n"
    "\n"
    "Usage: confab migrate\n"
    "\n"
    "Exit: 0 done; 1 could not; 2 called in the wrong way.\n"
    "\n"
    "Example: confab migrate --data /var/lib/confab\n";

/* Without its position indexing holds nothing up, and begins anew when it comes back. */
static status_t indexing_remove(data_set_t *data_set)
{
    status_t status = store_position_remove(data_set->store, FOLLOWER_INDEXING);
    if (status != OK)
        log_error("migrate", "status=%s reason=\"%s\"", status_name(status),
                  store_errmsg(data_set->store));
    return status;
}

int command_migrate(const struct config *config, int argc, char **argv)
{
    data_set_t *data_set;
    if (!options_none("migrate", argc, argv))
        return 2;
    if (data_set_open(config, DATA_SET_MAKE, &data_set) != OK)
        return 1;
    status_t status = data_set->search ? OK : indexing_remove(data_set);
    char public[URL_PUBLIC_SIZE];
    if (status == OK)
        printf("migrate: %s is up to date, %llu shard%s, %s index\n",
               config->data_used ? config->data : url_public(config->store, public),
               (unsigned long long) data_set->config.shards,
               data_set->config.shards == 1 ? "" : "s", data_set->search ? "with an" : "without");
    data_set_close(&data_set);
    return status == OK ? 0 : 1;
}
