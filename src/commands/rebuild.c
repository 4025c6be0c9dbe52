/* SPDX-License-Identifier: MIT */
/* rebuild.c - confab rebuild: a closed shard begins a new epoch. */
#include <stdio.h>
#include <unistd.h>

#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/options.h"
#include "storage/history.h"

const char command_rebuild_help[] =
    "confab rebuild mends a data set whose log and store no longer tell one story: one of\n"
    "them was restored from an older copy, lost its end, or was lost. Such a data set is\n"
    "served for reading only. What both still hold is brought together, and numbers go on\n"
    "above every number that either of them knew. Messages that neither of them holds stay\n"
    "lost; their numbers count as deleted.\n"
    "\n"
    "First make sure that these really are the folder, the files or the servers that you\n"
    "mean. Nothing may be restored meanwhile. If this is broken off, run it again. Where\n"
    "nothing is to be mended, nothing is touched.\n"
    "\n"
    "On the embedded stack the server must be stopped. On the full stack servers go on\n"
    "running: they refuse writes until it is done, then take them again by themselves. It\n"
    "refuses to touch a shard that a running server follows without any trouble: then the\n"
    "address of the journal or the store given to this command is wrong.\n"
    "\n"
    "Usage: confab rebuild [--shard=N]\n"
    "\n"
    "  --shard=N   only this shard\n"
    "\n"
    "Exit: 0 done, or there was nothing to do; 1 could not; 2 called in the wrong way.\n"
    "\n"
    "Example: confab rebuild --data /var/lib/confab\n";

enum { TRIES_MAX = 3, PAUSE_US = 500000 }; /* where somebody else rebuilds, too */

static void step_print(void *context, const char *sentence)
{
    (void) context;
    fprintf(stderr, "rebuild: %s\n", sentence);
}

/* A line for what was done, none for what did not happen. */
static void count_print(unsigned shard, uint64_t count, const char *what)
{
    if (count > 0)
        printf("rebuild: shard %u: %llu %s\n", shard, (unsigned long long) count, what);
}

static void report_print(unsigned shard, const struct rebuild_report *report)
{
    printf("rebuild: shard %u: mended%s; it goes on after %llu in epoch %llu\n", shard,
           report->resumed ? ", completing an earlier rebuild" : "",
           (unsigned long long) report->base, (unsigned long long) (report->epoch >> 32));
    if (report->hole)
        printf("rebuild: shard %u: the store was older than what the log still held\n", shard);
    count_print(shard, report->known, "records of the log were in the store already");
    count_print(shard, report->applied, "records of the log were brought into the store");
    count_print(shard, report->dead, "records did not fit and were put aside: confab dead list");
    count_print(shard, report->messages_missing,
                "messages are lost; their numbers count as deleted");
    count_print(shard, report->chats_missing, "chats are lost; their numbers count as deleted");
    printf("rebuild: shard %u: %llu applications and %llu chats are there\n", shard,
           (unsigned long long) report->applications, (unsigned long long) report->chats);
}

static status_t shard_rebuild(data_set_t *data_set, unsigned shard)
{
    const struct rebuild rebuild = {.say = step_print};
    struct rebuild_report report = {0};
    struct history_reason reason = {""};
    status_t status = ERR_CONFLICT;
    for (int i = 0; status == ERR_CONFLICT && i < TRIES_MAX; i++) {
        if (i > 0)
            usleep(PAUSE_US);
        status = history_rebuild(data_set->journal, data_set->store, shard, &rebuild, &report,
                                 &reason);
    }
    if (status == OK) {
        report_print(shard, &report);
    } else if (status == ERR_EXISTS) {
        printf("rebuild: shard %u: there is nothing to rebuild\n", shard);
        status = OK;
    } else {
        log_error("rebuild_failed", "shard=%u status=%s reason=\"%s\"", shard, status_name(status),
                  reason.text[0] ? reason.text : status_text(status));
    }
    return status;
}

int command_rebuild(const struct config *config, int argc, char **argv)
{
    struct option options[] = {{.name = "shard", .kind = OPTION_NUMBER}};
    struct config without_search = *config;
    without_search.search = "none";
    data_set_t *data_set;
    int words;
    if (!options_read("rebuild", argc, argv, options, 1, 0, &words, stderr))
        return 2;
    if (data_set_open(&without_search, DATA_SET_MEND, &data_set) != OK)
        return 1;
    status_t status = OK;
    uint64_t shards = data_set->config.shards;
    if (options[0].given && options[0].number >= shards) {
        fprintf(stderr, "confab rebuild: there are shards 0 to %llu\n",
                (unsigned long long) shards - 1);
        data_set_close(&data_set);
        return 2;
    }
    /* One that cannot be read says nothing of the others; one that a server follows does:
     * the address is wrong. */
    for (unsigned shard = 0; status != ERR_CONFLICT && shard < shards; shard++)
        if (!options[0].given || options[0].number == shard) {
            status_t one = shard_rebuild(data_set, shard);
            status = one == OK ? status : one;
        }
    data_set_close(&data_set);
    return status == OK ? 0 : 1;
}
