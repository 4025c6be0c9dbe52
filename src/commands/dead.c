/* SPDX-License-Identifier: MIT */
/* dead.c - confab dead: records that the store refused as bad data. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/appender.h"
#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/options.h"
#include "commands/records.h"
#include "commands/wait.h"
#include "common/text.h"
#include "storage/reindex.h"

const char command_dead_help[] =
    "confab dead deals with dead records: changes that were acknowledged and that could\n"
    "not be applied, so that they were put aside: the store's database refuses them as\n"
    "bad data, or a rebuild found that what they belong to was lost. What belongs to a\n"
    "dead creation joins it. Their numbers stay used.\n"
    "\n"
    "Usage: confab dead list\n"
    "       confab dead retry SHARD:SEQ|all\n"
    "       confab dead drop SHARD:SEQ|all\n"
    "\n"
    "  list    one line each: SHARD:SEQ, time, type, the application's first 8 characters,\n"
    "          chat, number, length of the text, why\n"
    "  retry   apply it, and what joined it, in order; and put it into the index. What\n"
    "          was deleted meanwhile is only forgotten\n"
    "  drop    forget it, and what joined it, for ever; a chat or an application that it\n"
    "          should have made is deleted\n"
    "\n"
    "For retry and drop the server must be stopped on the embedded stack. On the full stack\n"
    "they work beside servers, too.\n"
    "\n"
    "Exit: 0 done; 1 could not, or a record is still bad; 2 called in the wrong way.\n"
    "\n"
    "Example: confab dead retry 0:4711 --data /var/lib/confab\n";

enum { TRIES_MAX = 10, PAUSE_US = 100000 };

struct dead_list {
    struct dead {
        unsigned shard;
        struct record record; /* without its strings */
        char token[TOKEN_MAX];
        bool root;
    } * dead;
    size_t count, capacity;
};

static void dead_print(void *context, const struct dead_record *dead)
{
    (void) context;
    printf("%u:", dead->shard);
    record_print(stdout, &dead->record, false);
    printf("  %s\n", dead->reason);
}

static void dead_collect(void *list_p, const struct dead_record *dead)
{
    struct dead_list *list = (struct dead_list *) list_p;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->dead = (struct dead *) realloc(list->dead, list->capacity * sizeof *list->dead);
        assert(list->dead);
    }
    struct dead *added = &list->dead[list->count++];
    *added = (struct dead){.shard = dead->shard, .record = dead->record, .root = dead->root};
    assert(dead->record.token_length <= sizeof added->token);
    memcpy(added->token, dead->record.token, dead->record.token_length);
    added->record.token = added->record.text = NULL;
}

static const struct dead *dead_find(const struct dead_list *list, unsigned shard, uint64_t seq)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->dead[i].shard == shard && list->dead[i].record.seq == seq)
            return &list->dead[i];
    return NULL;
}

static status_t failed(data_set_t *data_set, const struct dead *dead, status_t status)
{
    fprintf(stderr, "confab dead: %u:%llu: %s (%s)\n", dead->shard,
            (unsigned long long) dead->record.seq,
            status == ERR_DATA ? "it is still bad, or what it belongs to is not there"
                               : status_text(status),
            store_errmsg(data_set->store));
    return status;
}

typedef status_t dead_action(data_set_t *data_set, const struct dead *dead);

static status_t retry(data_set_t *data_set, const struct dead *dead)
{
    const struct record *record = &dead->record;
    status_t status = store_dead_retry(data_set->store, dead->shard, record->seq);
    for (int i = 1; status == ERR_STORE && i < TRIES_MAX; i++) { /* a server was in its way? */
        usleep(PAUSE_US);
        status = store_dead_retry(data_set->store, dead->shard, record->seq);
    }
    if (status != OK)
        return failed(data_set, dead, status);
    if (data_set->search)
        status = reindex_record(data_set->store, data_set->search, dead->shard, record);
    if (status == OK && data_set->search)
        status = search_flush(data_set->search);
    if (status != OK) {
        fprintf(stderr,
                "confab dead: %u:%llu is in the store, but not in the index: %s; run "
                "confab reindex\n",
                dead->shard, (unsigned long long) record->seq, search_errmsg(data_set->search));
        return status;
    }
    printf("dead: %u:%llu was applied\n", dead->shard, (unsigned long long) record->seq);
    return OK;
}

/* ---- dropping what should have been made ---- */

static status_t journal_has(appender_t *appender, const struct dead *dead, bool *ret_has)
{
    const struct record *record = &dead->record;
    struct look look = {
        .token = dead->token, .token_length = record->token_length, .chat = record->chat};
    status_t status = appender_look(appender, &look);
    *ret_has = status == OK && look.application == EXISTS &&
               look.application_id == record->application_id &&
               (record->chat == 0 || look.chat_existence == EXISTS);
    return status;
}

static status_t deletion_append(appender_t *appender, const struct dead *dead)
{
    const struct record *record = &dead->record;
    const struct group_record nothing = {.text = ""};
    struct record_group group = {
        .type = record->chat ? RECORD_CHAT_DELETED : RECORD_APPLICATION_DELETED,
        .token = dead->token,
        .token_length = record->token_length,
        .chat = record->chat,
        .count = 1,
    };
    struct buffer bytes = {0};
    group_encode(&bytes, group.type, group.token, group.token_length, group.chat, &nothing, 1);
    group.bytes = bytes.data;
    group.length = bytes.length;
    status_t status = appender_append(appender, dead->shard, &group, 1);
    buffer_free(&bytes);
    return status == OK ? group.status : status;
}

/* What is wrong is told. */
static status_t shard_catch_up(data_set_t *data_set, unsigned shard)
{
    catch_up_t *catch_up = catch_up_new(data_set);
    status_t status = wait_or_catch_up_shard(catch_up, shard);
    catch_up_destroy(&catch_up);
    return status;
}

/* For the journal it is there: what came for it later would be acknowledged, and
 * then dropped. So it is deleted first. What is wrong is told. */
static status_t root_delete(data_set_t *data_set, const struct dead *dead)
{
    bool there = false;
    appender_t *appender = appender_new(data_set);
    status_t status = journal_has(appender, dead, &there);
    if (status == OK && there)
        status = deletion_append(appender, dead);
    appender_destroy(&appender);
    if (status != OK) {
        fprintf(stderr, "confab dead: %u:%llu: what it should have made cannot be deleted: %s\n",
                dead->shard, (unsigned long long) dead->record.seq, status_text(status));
        return status;
    }
    return there ? shard_catch_up(data_set, dead->shard) : OK;
}

static bool makes_parent(enum record_type type)
{
    return type == RECORD_APPLICATION_CREATED || type == RECORD_APPLICATION_IMPORTED ||
           type == RECORD_CHAT_CREATED || type == RECORD_CHAT_IMPORTED;
}

static status_t drop(data_set_t *data_set, const struct dead *dead)
{
    status_t status = OK;
    if (dead->root && makes_parent(dead->record.type))
        status = root_delete(data_set, dead);
    if (status != OK)
        return status;
    status = store_dead_drop(data_set->store, dead->shard, dead->record.seq);
    if (status != OK)
        return failed(data_set, dead, status);
    printf("dead: %u:%llu was dropped\n", dead->shard, (unsigned long long) dead->record.seq);
    return OK;
}

/* ---- which ones ---- */

/* One that joined another goes with that: it is gone when its turn comes. */
static status_t act_on_all(data_set_t *data_set, const struct dead_list *list, dead_action *action)
{
    status_t worst = OK;
    for (size_t i = 0; i < list->count; i++) {
        struct dead_list left = {0};
        status_t status = store_dead_each(data_set->store, dead_collect, &left);
        if (status == OK && dead_find(&left, list->dead[i].shard, list->dead[i].record.seq))
            status = action(data_set, &list->dead[i]);
        free(left.dead);
        worst = status != OK ? status : worst;
    }
    return worst;
}

/* SHARD:SEQ */
static bool place_read(const char *text, unsigned *ret_shard, uint64_t *ret_seq)
{
    uint64_t shard;
    size_t length = strcspn(text, ":");
    if (!text[length] || !text_read_number(text, length, &shard) || shard > 255 ||
        !text_read_number(text + length + 1, strlen(text + length + 1), ret_seq))
        return false;
    *ret_shard = (unsigned) shard;
    return true;
}

static status_t act(data_set_t *data_set, const char *action, const char *place)
{
    struct dead_list list = {0};
    unsigned shard = 0;
    uint64_t seq = 0;
    bool all = !place_read(place, &shard, &seq);
    dead_action *act_on_one = strcmp(action, "retry") == 0 ? retry : drop;
    status_t status = store_dead_each(data_set->store, dead_collect, &list);
    const struct dead *dead = dead_find(&list, shard, seq);
    if (status == OK && all) {
        status = act_on_all(data_set, &list, act_on_one);
    } else if (status == OK && !dead) {
        fprintf(stderr, "confab dead: %s is not a dead record; see confab dead list\n", place);
        status = ERR_CONFLICT;
    } else if (status == OK) {
        status = act_on_one(data_set, dead);
    }
    free(list.dead);
    return status;
}

static bool call_valid(int words, char **argv)
{
    unsigned shard;
    uint64_t seq;
    if (words == 1 && strcmp(argv[0], "list") == 0)
        return true;
    return words == 2 && (strcmp(argv[0], "retry") == 0 || strcmp(argv[0], "drop") == 0) &&
           (strcmp(argv[1], "all") == 0 || place_read(argv[1], &shard, &seq));
}

int command_dead(const struct config *config, int argc, char **argv)
{
    data_set_t *data_set;
    int words;
    if (!options_read("dead", argc, argv, NULL, 0, 2, &words, stderr))
        return 2;
    if (!call_valid(words, argv)) {
        fprintf(stderr, "confab dead: list, or retry or drop with SHARD:SEQ or all, is "
                        "expected; see confab help dead\n");
        return 2;
    }
    bool list = words == 1;
    struct config used = *config;
    if (list)
        used.search = "none";
    used.backlog_records = used.backlog_bytes = 0; /* a deletion is always taken */
    if (data_set_open(&used, list ? DATA_SET_READ : DATA_SET_WRITE, &data_set) != OK)
        return 1;
    status_t status = list ? store_dead_each(data_set->store, dead_print, NULL)
                           : act(data_set, argv[0], argv[1]);
    if (list && status != OK)
        log_error("store", "status=%s reason=\"%s\"", status_name(status),
                  store_errmsg(data_set->store));
    data_set_close(&data_set);
    return status == OK ? 0 : 1;
}
