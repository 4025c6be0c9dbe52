/* SPDX-License-Identifier: MIT */
/* log.c - confab log: what is in the log, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/options.h"
#include "commands/records.h"
#include "common/timestamp.h"

const char command_log_help[] =
    "confab log prints the log: a line for each entry, which is what one append made\n"
    "durable, and below it a line for each of its records. The log holds what some\n"
    "follower has not taken in yet; usually that is little or nothing.\n"
    "\n"
    "Works beside a server. Tokens are cut to 8 characters, texts are left out.\n"
    "\n"
    "Usage: confab log [--from=SEQ] [--shard=N] [--limit=N] [--bodies]\n"
    "\n"
    "  --from=SEQ   begin with the entry that holds this seq, or the first after it, also where\n"
    "               nobody needs it any more\n"
    "  --shard=N    only this shard\n"
    "  --limit=N    at most so many records of a shard\n"
    "  --bodies     print names and bodies too\n"
    "\n"
    "Exit: 0 done; 1 the log cannot be read, or an entry is damaged; 2 called in the wrong way.\n"
    "\n"
    "Example: confab log --from 4711 --limit 10 --data /var/lib/confab\n";

enum { RECORDS_MAX = 1000, BYTES_MAX = 4 << 20 }; /* about, of one read */

enum { OPTION_FROM, OPTION_SHARD, OPTION_LIMIT, OPTION_BODIES, OPTION_COUNT };

struct printing {
    uint64_t left; /* records that may still be printed */
    bool bodies;
};

static void head_print(unsigned shard, const struct journal_meta *meta)
{
    char time[TIMESTAMP_SIZE];
    printf("shard %u: epoch %llu.%08llx, %llu records in %llu bytes, first %llu, last %llu", shard,
           (unsigned long long) (meta->epoch >> 32), (unsigned long long) (uint32_t) meta->epoch,
           (unsigned long long) (meta->last_seq + 1 - meta->first_seq),
           (unsigned long long) meta->bytes, (unsigned long long) meta->first_seq,
           (unsigned long long) meta->last_seq);
    if (meta->last_seq)
        printf(" at %s", timestamp_write(meta->last_time, time));
    printf("%s\n", meta->mark ? ", closed: its history was lost, see confab help rebuild" : "");
}

static status_t entry_print(const struct entry *entry, struct printing *printing)
{
    char time[TIMESTAMP_SIZE];
    printf("entry %llu: %u record%s, %s, %016" PRIx64 "/%" PRIu64 " after %016" PRIx64 "/%" PRIu64
           "\n",
           (unsigned long long) entry->seq, entry->count, entry->count == 1 ? "" : "s",
           timestamp_write(entry->time, time), entry->name.producer, entry->name.sequence,
           entry->predecessor.producer, entry->predecessor.sequence);
    struct entry_walk walk;
    struct record record;
    bool more = true;
    entry_walk_start(&walk, entry);
    while (printing->left > 0) {
        status_t status = entry_next(&walk, &record, &more);
        if (status != OK || !more)
            return status;
        printf("  ");
        record_print(stdout, &record, printing->bodies);
        printf("\n");
        printing->left--;
    }
    return OK;
}

/* `from` 0: the first entry that is still needed. */
static status_t shard_print(journal_t *journal, unsigned shard, uint64_t from,
                            struct printing *printing)
{
    struct journal_meta meta;
    bool found = false;
    status_t status = journal_meta(journal, shard, &meta, &found);
    if (status != OK || !found)
        return status;
    head_print(shard, &meta);
    from = from ? from : meta.first_seq;
    struct entries entries = {0};
    do {
        status = journal_read_from(journal, shard, from, RECORDS_MAX, BYTES_MAX, &entries);
        for (size_t i = 0; status == OK && i < entries.count && printing->left > 0; i++) {
            status = entry_print(&entries.entry[i], printing);
            from = entry_last_seq(&entries.entry[i]) + 1;
        }
    } while (status == OK && entries.count > 0 && printing->left > 0);
    entries_free(&entries);
    return status;
}

int command_log(const struct config *config, int argc, char **argv)
{
    struct option options[OPTION_COUNT] = {
        [OPTION_FROM] = {.name = "from", .kind = OPTION_NUMBER},
        [OPTION_SHARD] = {.name = "shard", .kind = OPTION_NUMBER},
        [OPTION_LIMIT] = {.name = "limit", .kind = OPTION_NUMBER, .number = UINT64_MAX},
        [OPTION_BODIES] = {.name = "bodies", .kind = OPTION_SWITCH},
    };
    struct config without_search = *config;
    without_search.search = "none";
    data_set_t *data_set;
    int words;
    if (!options_read("log", argc, argv, options, OPTION_COUNT, 0, &words, stderr))
        return 2;
    if (data_set_open(&without_search, DATA_SET_READ, &data_set) != OK)
        return 1;
    status_t worst = OK;
    for (unsigned shard = 0; shard < data_set->config.shards; shard++) {
        struct printing printing = {options[OPTION_LIMIT].number, options[OPTION_BODIES].given};
        if (options[OPTION_SHARD].given && options[OPTION_SHARD].number != shard)
            continue;
        status_t status = shard_print(data_set->journal, shard, options[OPTION_FROM].number,
                                      &printing);
        if (status != OK) /* another journal server may hold the rest */
            log_error("log", "shard=%u status=%s reason=\"%s\" detail=\"%s\"", shard,
                      status_name(status), status_text(status), journal_errmsg(data_set->journal));
        worst = status == OK ? worst : status;
    }
    data_set_close(&data_set);
    return worst == OK ? 0 : 1;
}
