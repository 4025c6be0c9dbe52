/* SPDX-License-Identifier: MIT */
/* verify.c - confab verify: whether all that is stored fits together. */
#include "commands/verify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/command.h"
#include "commands/options.h"
#include "storage/store_scan.h"

const char command_verify_help[] =
    "confab verify reads everything and lists, a line each, what should never be:\n"
    "\n"
    "  gaps and repeats in a numbering, wrong counts, last numbers that are too low,\n"
    "  rows that belong to nothing, dead records, messages that the index lacks, has too\n"
    "  many or has wrong, positions that are not in the log, closed shards, entries of\n"
    "  the log that are damaged or do not follow each other\n"
    "\n"
    "It changes nothing and works beside a server: what is still under way is no fault.\n"
    "Without a server that is listed as pending; the next start does it.\n"
    "\n"
    "Usage: confab verify\n"
    "\n"
    "Exit: 0 no faults; 1 faults, or something cannot be read; 2 called in the wrong way.\n"
    "\n"
    "Example: confab verify --data /var/lib/confab\n";

enum { SLICE = 1000 };

/* ---- lines ---- */

static void line_print(struct verify *verify, const char *kind, const char *format,
                       va_list arguments) __attribute__((format(printf, 3, 0)));

static void line_print(struct verify *verify, const char *kind, const char *format,
                       va_list arguments)
{
    progress_end(&verify->progress);
    printf("%s: ", kind);
    vprintf(format, arguments);
    printf("\n");
}

void verify_fault(struct verify *verify, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_print(verify, "fault", format, arguments);
    va_end(arguments);
    verify->faults++;
}

void verify_pending(struct verify *verify, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_print(verify, "pending", format, arguments);
    va_end(arguments);
}

void verify_note(struct verify *verify, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_print(verify, "note", format, arguments);
    va_end(arguments);
}

status_t verify_failed(struct verify *verify, status_t status)
{
    const data_set_t *data_set = verify->data_set;
    progress_end(&verify->progress);
    if (status != ERR_STOPPED)
        log_error("verify", "status=%s reason=\"%s\" journal=\"%s\" store=\"%s\" index=\"%s\"",
                  status_name(status), status_text(status), journal_errmsg(data_set->journal),
                  store_errmsg(data_set->store),
                  data_set->search ? search_errmsg(data_set->search) : "none");
    return status;
}

/* ---- the store ---- */

static void line_collect(void *lines_p, const char *line)
{
    buffer_append((struct buffer *) lines_p, line, strlen(line) + 1);
}

/* Has counting written all that the store holds, in every shard? */
static status_t counting_stands(struct verify *verify, bool *ret_stands,
                                struct position ret_stored[])
{
    status_t status = OK;
    *ret_stands = true;
    for (unsigned shard = 0; status == OK && shard < verify->shards; shard++) {
        struct position counted;
        bool found = false;
        store_t *store = verify->data_set->store;
        status = store_position(store, FOLLOWER_PERSISTENCE, shard, &ret_stored[shard], &found);
        if (status == OK && found)
            status = store_position(store, FOLLOWER_COUNTING, shard, &counted, &found);
        *ret_stands = *ret_stands && status == OK && found &&
                      position_same_place(&ret_stored[shard], &counted);
    }
    return status;
}

/* Counts are compared only if nothing moved from before the look until after it. */
static status_t store_look(struct verify *verify, struct buffer *lines)
{
    size_t size = verify->shards * sizeof(struct position);
    struct position *before = (struct position *) malloc(size);
    struct position *after = (struct position *) malloc(size);
    assert(before && after);
    bool stands = false, still = false;
    status_t status = counting_stands(verify, &stands, before);
    if (status == OK)
        status = store_verify(verify->data_set->store, stands, line_collect, lines);
    if (status == OK && stands && verify->moving) {
        status = counting_stands(verify, &still, after);
        for (unsigned shard = 0; still && shard < verify->shards; shard++)
            still = position_same_place(&before[shard], &after[shard]);
        if (status == OK && !still) {
            buffer_clear(lines);
            stands = false;
            status = store_verify(verify->data_set->store, false, line_collect, lines);
        }
    }
    verify->counts_compared = stands;
    free(before);
    free(after);
    return status;
}

static status_t store_part(struct verify *verify)
{
    struct buffer lines = {0};
    status_t status = store_look(verify, &lines);
    for (size_t at = 0; status == OK && at < lines.length; at += strlen(lines.data + at) + 1)
        verify_fault(verify, "%s", lines.data + at);
    buffer_free(&lines);
    return status;
}

/* ---- how much there is ---- */

struct tally {
    struct verify *verify;
    uint64_t *ids; /* of living applications, ascending */
    size_t count, capacity, at;
};

static void application_count(void *tally_p, const struct scan_application *application)
{
    struct tally *tally = (struct tally *) tally_p;
    if (application->deleted)
        return;
    if (tally->count == tally->capacity) {
        tally->capacity = tally->capacity ? 2 * tally->capacity : SLICE;
        tally->ids = (uint64_t *) realloc(tally->ids, tally->capacity * sizeof *tally->ids);
        assert(tally->ids);
    }
    tally->ids[tally->count++] = application->id;
    tally->verify->applications += !application->importing;
}

static void chat_count(void *tally_p, const struct scan_chat *chat)
{
    struct tally *tally = (struct tally *) tally_p;
    while (tally->at < tally->count && tally->ids[tally->at] < chat->application_id)
        tally->at++;
    if (!chat->deleted && tally->at < tally->count && tally->ids[tally->at] == chat->application_id)
        tally->verify->chats++;
}

static status_t size_part(struct verify *verify)
{
    store_t *store = verify->data_set->store;
    struct tally tally = {.verify = verify};
    struct scan scan = {.shards = 1, .limit = SLICE};
    status_t status = OK;
    for (bool more = true; status == OK && more;)
        status = store_scan_applications(store, &scan, application_count, &tally, &more);
    scan = (struct scan){.shards = 1, .limit = SLICE};
    for (bool more = true; status == OK && more;)
        status = store_scan_chats(store, &scan, chat_count, &tally, &more);
    free(tally.ids);
    return status;
}

/* ---- the command ---- */

static const char *index_word(const struct verify *verify)
{
    if (!verify->data_set->search)
        return "no index";
    return verify->index_complete ? "index complete" : "index not complete";
}

static status_t data_set_verify(struct verify *verify)
{
    progress_start(&verify->progress, "verify", "messages");
    status_t status = verify_log(verify);
    if (status == OK) {
        status = store_part(verify);
        if (status == OK)
            status = size_part(verify);
        if (status != OK)
            verify_failed(verify, status);
    }
    progress_start(&verify->progress, "verify", "messages");
    if (status == OK)
        status = verify_index(verify);
    progress_end(&verify->progress);
    if (status == OK)
        printf("verify: %llu applications, %llu chats, %llu messages, %s, %s%llu faults\n",
               (unsigned long long) verify->applications, (unsigned long long) verify->chats,
               (unsigned long long) verify->messages, index_word(verify),
               verify->counts_compared ? "" : "counts not compared, ",
               (unsigned long long) verify->faults);
    return status;
}

int command_verify(const struct config *config, int argc, char **argv)
{
    struct verify verify = {.faults = 0};
    if (!options_none("verify", argc, argv))
        return 2;
    if (data_set_open(config, DATA_SET_READ, &verify.data_set) != OK)
        return 1;
    verify.shards = (unsigned) verify.data_set->config.shards;
    status_t status = data_set_served(verify.data_set, &verify.served);
    verify.moving = verify.served || data_set_shared(config);
    status = status == OK ? data_set_verify(&verify) : verify_failed(&verify, status);
    data_set_close(&verify.data_set);
    return status == OK && verify.faults == 0 ? 0 : 1;
}
