/* SPDX-License-Identifier: MIT */
/* reindex.c - confab reindex: the search index from what the store holds. */
#include "storage/reindex.h"

#include <stdio.h>

#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "commands/reindex_anew.h"
#include "common/text.h"

const char command_reindex_help[] =
    "confab reindex makes the search index anew from the store.\n"
    "\n"
    "On Elasticsearch servers may run: a new index is made beside the one in use, follows\n"
    "the log, and takes its place in one step at the end; only then the old one is removed.\n"
    "If this is broken off, nothing has changed, and the next reindex cleans up.\n"
    "\n"
    "On the embedded stack the server must be stopped. If this is broken off, the index is\n"
    "not complete, and the next start or reindex begins anew. A server does the same by\n"
    "itself when its index is lost or cut off.\n"
    "\n"
    "Usage: confab reindex\n"
    "\n"
    "Exit: 0 done; 1 could not; 2 called in the wrong way.\n"
    "\n"
    "Example: confab reindex --data /var/lib/confab\n";

struct work {
    struct progress progress;
    uint64_t before, documents; /* of the shards before, and of this one */
};

static bool documents_show(void *work_p, uint64_t documents)
{
    struct work *work = (struct work *) work_p;
    work->documents = documents;
    progress_show(&work->progress, work->before + documents, 0, 0);
    return true;
}

static status_t shard_reindex(data_set_t *data_set, unsigned shard, struct work *work)
{
    struct position position;
    work->documents = 0;
    status_t status = reindex_shard(data_set->store, data_set->search, shard,
                                    (unsigned) data_set->config.shards, documents_show, work,
                                    &position);
    work->before += work->documents;
    if (status == OK)
        return OK;
    progress_end(&work->progress);
    log_error("reindex", "shard=%u status=%s reason=\"%s\" index=\"%s\" store=\"%s\"", shard,
              status_name(status), status_text(status), search_errmsg(data_set->search),
              store_errmsg(data_set->store));
    return status;
}

static status_t in_place(data_set_t *data_set, struct work *work)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < data_set->config.shards; shard++)
        status = shard_reindex(data_set, shard, work);
    return status;
}

int command_reindex(const struct config *config, int argc, char **argv)
{
    data_set_t *data_set;
    struct work work = {.before = 0};
    if (!options_none("reindex", argc, argv))
        return 2;
    if (data_set_open(config, DATA_SET_WRITE, &data_set) != OK)
        return 1;
    status_t status = OK;
    progress_start(&work.progress, "reindex", "documents");
    if (!data_set->search) {
        log_error("reindex", "search=none reason=\"there is no index to be made\"");
        status = ERR_CONFIG;
    } else if (text_has_scheme(config->search, "sqlite")) {
        status = in_place(data_set, &work);
    } else {
        status = reindex_anew(data_set, &work.progress, &work.before);
    }
    progress_end(&work.progress);
    data_set_close(&data_set);
    if (status == OK)
        printf("reindex: %llu messages are in the index\n", (unsigned long long) work.before);
    return status == OK ? 0 : 1;
}
