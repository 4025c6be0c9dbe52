/* SPDX-License-Identifier: MIT */
/* history_counters.c - numbers and tallies of both sides, brought together.
 *
 * Walks over the applications and chats of the store. What exists is the store's to
 * say; a last number is the greater of both sides.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/history_internal.h"
#include "storage/store_scan.h"

enum { PAGE = 256 };

/* ---- the walk ---- */

struct application {
    uint64_t id;
    char token[TOKEN_MAX];
    size_t token_length;
    uint64_t last_chat, chats_deleted;
    bool deleted, importing;
};

struct chat {
    uint64_t number, last_message, messages_deleted;
};

struct walk {
    struct rebuilding *self;
    struct application applications[PAGE];
    size_t applications_count;
    struct chat chats[PAGE]; /* living ones */
    size_t chats_count;

    /* What to do with each, and room for it. `chat` is called after its application. */
    status_t (*application)(struct walk *walk, struct application *application);
    status_t (*chat)(struct walk *walk, const struct application *application,
                     const struct chat *chat);
    const struct position *position; /* counting's */
    struct count counts[PAGE];
    size_t counts_count;
    uint64_t chats_missing, messages_missing;
};

static void application_copy(void *context, const struct scan_application *scanned)
{
    struct walk *walk = context;
    /* An import that was replaced has given its token up, and has another in place. */
    if (!token_valid(scanned->token, scanned->token_length))
        return;
    struct application *application = &walk->applications[walk->applications_count++];
    *application = (struct application){
        .id = scanned->id,
        .token_length = scanned->token_length,
        .last_chat = scanned->last_chat,
        .chats_deleted = scanned->chats_deleted,
        .deleted = scanned->deleted,
        .importing = scanned->importing,
    };
    memcpy(application->token, scanned->token, scanned->token_length);
}

static void chat_copy(void *context, const struct scan_chat *scanned)
{
    struct walk *walk = context;
    if (!scanned->deleted)
        walk->chats[walk->chats_count++] = (struct chat){
            .number = scanned->number,
            .last_message = scanned->last_message,
            .messages_deleted = scanned->messages_deleted,
        };
}

static status_t walk_chats(struct walk *walk, const struct application *application)
{
    const struct situation *situation = &walk->self->situation;
    struct scan scan = {.shards = 1, .within_application = application->id, .limit = PAGE};
    bool more = true;
    status_t status = OK;
    while (status == OK && more) {
        walk->chats_count = 0;
        status = history_store(situation,
                               store_scan_chats(situation->store, &scan, chat_copy, walk, &more));
        for (size_t i = 0; status == OK && i < walk->chats_count; i++)
            status = walk->chat(walk, application, &walk->chats[i]);
    }
    return status;
}

static status_t walk_all(struct walk *walk)
{
    const struct situation *situation = &walk->self->situation;
    struct scan scan = {.shard = situation->shard, .shards = walk->self->shards, .limit = PAGE};
    bool more = true;
    status_t status = OK;
    while (status == OK && more) {
        walk->applications_count = 0;
        status = history_store(situation, store_scan_applications(situation->store, &scan,
                                                                  application_copy, walk, &more));
        for (size_t i = 0; status == OK && i < walk->applications_count; i++) {
            struct application *application = &walk->applications[i];
            status = walk->application(walk, application);
            if (status == OK && !application->deleted)
                status = walk_chats(walk, application);
        }
    }
    return status;
}

static struct walk *walk_new(struct rebuilding *self)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (!walk)
        abort();
    walk->self = self;
    return walk;
}

/* What the journal has of it. */
static status_t look(const struct walk *walk, const struct application *application, uint64_t chat,
                     struct look *ret_look)
{
    const struct situation *situation = &walk->self->situation;
    *ret_look = (struct look){
        .token = application->token, .token_length = application->token_length, .chat = chat};
    return history_journal(situation,
                           journal_rebuild_look(situation->journal, situation->shard, ret_look, 1));
}

/* ---- deletions that the store lost ---- */

static status_t delete_in_store(const struct walk *walk, enum record_type type,
                                const struct application *application, uint64_t chat)
{
    const struct situation *situation = &walk->self->situation;
    struct record record = {
        .type = type,
        .seq = walk->self->base,
        .application_id = application->id,
        .token = application->token,
        .token_length = application->token_length,
        .chat = chat,
        .time = walk->self->last_time,
        .text = "",
    };
    /* The position stays: this is in no log. */
    struct change change = {
        .shard = situation->shard,
        .from = situation->row,
        .to = situation->row,
        .records = &record,
        .count = 1,
    };
    status_t status = store_apply(situation->store, &change);
    if (status == ERR_CONFLICT)
        return history_say(situation->reason, ERR_CONFLICT,
                           "Another process moves the store's position.");
    return history_store(situation, status);
}

static status_t application_delete(struct walk *walk, struct application *application)
{
    struct look seen;
    if (application->deleted || application->importing)
        return OK;
    status_t status = look(walk, application, 0, &seen);
    if (status != OK || seen.application != EXISTS_DELETED)
        return status;
    application->deleted = true;
    return delete_in_store(walk, RECORD_APPLICATION_DELETED, application, 0);
}

static status_t chat_delete(struct walk *walk, const struct application *application,
                            const struct chat *chat)
{
    struct look seen;
    status_t status = look(walk, application, chat->number, &seen);
    if (status != OK || seen.chat_existence != EXISTS_DELETED)
        return status;
    return delete_in_store(walk, RECORD_CHAT_DELETED, application, chat->number);
}

status_t rebuild_delete(struct rebuilding *self)
{
    struct walk *walk = walk_new(self);
    walk->application = application_delete;
    walk->chat = chat_delete;
    status_t status = walk_all(walk);
    free(walk);
    return status;
}

/* ---- counts ---- */

static status_t counts_write(struct walk *walk)
{
    const struct situation *situation = &walk->self->situation;
    status_t status = OK;
    if (walk->counts_count)
        status = store_counts(situation->store, situation->shard, walk->position, walk->position,
                              walk->counts, walk->counts_count);
    walk->counts_count = 0;
    if (status == ERR_CONFLICT)
        return history_say(situation->reason, ERR_CONFLICT,
                           "Another process moves counting's position.");
    return history_store(situation, status);
}

static status_t count_add(struct walk *walk, uint64_t application_id, uint64_t chat, uint64_t last)
{
    walk->counts[walk->counts_count++] = (struct count){
        .application_id = application_id, .chat = chat, .last = last};
    return walk->counts_count == PAGE ? counts_write(walk) : OK;
}

static status_t application_raise(struct walk *walk, struct application *application)
{
    struct look seen;
    if (application->deleted)
        return OK;
    walk->chats_missing += application->chats_deleted;
    status_t status = look(walk, application, 0, &seen);
    if (status != OK || seen.last_chat <= application->last_chat)
        return status;
    return count_add(walk, application->id, 0, seen.last_chat);
}

static status_t chat_raise(struct walk *walk, const struct application *application,
                           const struct chat *chat)
{
    struct look seen;
    walk->messages_missing += chat->messages_deleted;
    status_t status = look(walk, application, chat->number, &seen);
    if (status != OK || seen.last_message <= chat->last_message)
        return status;
    return count_add(walk, application->id, chat->number, seen.last_message);
}

static status_t application_tally(struct walk *walk, struct application *application)
{
    if (!application->deleted)
        walk->chats_missing += application->chats_deleted;
    return OK;
}

static status_t chat_tally(struct walk *walk, const struct application *application,
                           const struct chat *chat)
{
    (void) application;
    walk->messages_missing += chat->messages_deleted;
    return OK;
}

static uint64_t more_than(uint64_t after, uint64_t before)
{
    return after > before ? after - before : 0;
}

/* Counting anew makes the tally of each what its last number has over its rows;
 * by how much the tallies grow is how many are missing. */
status_t rebuild_count(struct rebuilding *self, const struct position *position)
{
    const struct situation *situation = &self->situation;
    struct walk *walk = walk_new(self);
    walk->position = position;
    walk->application = application_raise;
    walk->chat = chat_raise;
    status_t status = history_store(
        situation,
        store_position_set(situation->store, FOLLOWER_COUNTING, situation->shard, position));
    if (status == OK)
        status = walk_all(walk);
    if (status == OK)
        status = counts_write(walk);
    if (status == OK)
        status = history_store(
            situation, store_recount(situation->store, situation->shard, self->shards, position));
    uint64_t chats = walk->chats_missing, messages = walk->messages_missing;
    walk->chats_missing = walk->messages_missing = 0;
    walk->application = application_tally;
    walk->chat = chat_tally;
    if (status == OK)
        status = walk_all(walk);
    self->report->chats_missing = more_than(walk->chats_missing, chats);
    self->report->messages_missing = more_than(walk->messages_missing, messages);
    free(walk);
    return status;
}

/* ---- the journal's counters ---- */

static status_t application_give(struct walk *walk, struct application *application)
{
    const struct situation *situation = &walk->self->situation;
    enum existence existence = application->deleted     ? EXISTS_DELETED
                               : application->importing ? EXISTS_NEVER
                                                        : EXISTS;
    uint64_t last = 0;
    status_t status = history_store(situation,
                                    store_last_chat(situation->store, application->id, &last));
    if (last < application->last_chat)
        last = application->last_chat;
    walk->self->report->applications += existence == EXISTS;
    if (status != OK)
        return status;
    return history_journal(situation,
                           journal_rebuild_application(situation->journal, application->token,
                                                       application->token_length, application->id,
                                                       existence, last));
}

static status_t chat_give(struct walk *walk, const struct application *application,
                          const struct chat *chat)
{
    const struct situation *situation = &walk->self->situation;
    uint64_t last = 0;
    status_t status = history_store(
        situation, store_last_message(situation->store, application->id, chat->number, &last));
    walk->self->report->chats++;
    if (status != OK)
        return status;
    return history_journal(situation,
                           journal_rebuild_chat(situation->journal, application->token,
                                                application->token_length, chat->number, last));
}

status_t rebuild_counters(struct rebuilding *self)
{
    const struct situation *situation = &self->situation;
    struct walk *walk = walk_new(self);
    walk->application = application_give;
    walk->chat = chat_give;
    status_t status = history_journal(
        situation, journal_rebuild_begin(situation->journal, situation->shard, self->base));
    if (status == OK)
        status = walk_all(walk);
    free(walk);
    if (status != OK)
        return status;
    struct journal_meta meta = {
        .data_set = situation->data_set.id,
        .shards = self->shards,
        .shard = situation->shard,
        .epoch = self->epoch,
        .checked = situation->meta.run,
        .last_seq = self->base,
        .last_name = {self->epoch, 0},
        .last_time = self->last_time,
    };
    status = journal_rebuild_end(situation->journal, self->epoch, &meta);
    if (status == ERR_CONFLICT)
        return history_say(situation->reason, ERR_CONFLICT,
                           "Another rebuild has put its mark in place of ours.");
    return history_journal(situation, status);
}
