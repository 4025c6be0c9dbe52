/* SPDX-License-Identifier: MIT */
/* recount.c - confab recount: every count from the rows themselves. */
#include <stdio.h>
#include <unistd.h>

#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/options.h"

const char command_recount_help[] =
    "confab recount counts the chats of every application and the messages of every chat,\n"
    "and writes what it finds in place of the counts that are stored.\n"
    "\n"
    "On the embedded stack the server must be stopped; on the full stack servers may run.\n"
    "`confab verify` tells whether this is needed.\n"
    "\n"
    "Usage: confab recount\n"
    "\n"
    "Exit: 0 done; 1 could not; 2 called in the wrong way.\n"
    "\n"
    "Example: confab recount --data /var/lib/confab\n";

enum { TRIES_MAX = 20, PAUSE_US = 100000 };

static status_t recount_once(data_set_t *data_set, unsigned shard)
{
    struct position position;
    bool found;
    status_t status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &position,
                                     &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    if (status == OK)
        status = store_recount(data_set->store, shard, (unsigned) data_set->config.shards,
                               &position);
    return status;
}

/* A server that counts at the same time may be in its way: MySQL then ends one of the
 * two as a deadlock. */
static status_t shard_recount(data_set_t *data_set, unsigned shard)
{
    status_t status = recount_once(data_set, shard);
    for (int i = 1; status == ERR_STORE && i < TRIES_MAX; i++) {
        usleep(PAUSE_US);
        status = recount_once(data_set, shard);
    }
    if (status != OK)
        log_error("recount", "shard=%u status=%s reason=\"%s\" detail=\"%s\"", shard,
                  status_name(status), status_text(status), store_errmsg(data_set->store));
    return status;
}

int command_recount(const struct config *config, int argc, char **argv)
{
    struct config without_search = *config;
    without_search.search = "none";
    data_set_t *data_set;
    if (!options_none("recount", argc, argv))
        return 2;
    if (data_set_open(&without_search, DATA_SET_WRITE, &data_set) != OK)
        return 1;
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < data_set->config.shards; shard++)
        status = shard_recount(data_set, shard);
    data_set_close(&data_set);
    if (status == OK)
        printf("recount: every count was taken anew\n");
    return status == OK ? 0 : 1;
}
