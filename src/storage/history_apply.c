/* SPDX-License-Identifier: MIT */
/* history_apply.c - one entry of the log, and what the store makes of it. */
#include <stdlib.h>
#include <string.h>

#include "storage/history_internal.h"
#include "storage/store_scan.h"

static void drain_reserve(struct drain *drain, size_t count)
{
    if (count <= drain->capacity)
        return;
    drain->capacity = count;
    drain->records = realloc(drain->records, count * sizeof *drain->records);
    drain->dead = realloc(drain->dead, count * sizeof *drain->dead);
    if (!drain->records || !drain->dead)
        abort();
}

void drain_free(struct drain *drain)
{
    persist_destroy(&drain->persist);
    entries_free(&drain->entries);
    free(drain->records);
    free(drain->dead);
}

status_t entry_take(struct drain *drain, const struct entry *entry)
{
    struct entry_walk walk;
    bool more = true;
    drain_reserve(drain, (size_t) entry->count + 1);
    entry_walk_start(&walk, entry);
    for (size_t i = 0; more; i++) {
        status_t status = i <= entry->count ? entry_next(&walk, &drain->records[i], &more)
                                            : ERR_CORRUPT;
        if (status != OK)
            return history_say(drain->self->situation.reason, ERR_CORRUPT,
                               "The entry at %llu cannot be read.",
                               (unsigned long long) entry->seq);
    }
    memset(drain->dead, 0, entry->count * sizeof *drain->dead);
    return OK;
}

/* ---- is it there? ---- */

struct found {
    bool found;
    int64_t created, updated;
    uint64_t seq; /* messages */
};

static void application_found(void *context, const struct scan_application *application)
{
    *(struct found *) context = (struct found){
        .found = true, .created = application->created, .updated = application->updated};
}

static void chat_found(void *context, const struct scan_chat *chat)
{
    *(struct found *) context = (struct found){
        .found = true, .created = chat->created, .updated = chat->updated};
}

static void message_found(void *context, const struct scan_message *message)
{
    *(struct found *) context = (struct found){.found = true,
                                               .created = message->created,
                                               .updated = message->updated,
                                               .seq = message->seq};
}

/* Looks for the application, with `chat` for a chat, with `number` for a message. */
static status_t find(const struct situation *situation, uint64_t application_id, uint64_t chat,
                     uint64_t number, struct found *ret_found)
{
    struct scan scan = {
        .shards = 1,
        .within_application = application_id,
        .within_chat = chat,
        .limit = 1,
    };
    bool more;
    *ret_found = (struct found){0};
    status_t status;
    if (number)
        status = store_messages_by_number(situation->store, application_id, chat, &number, 1,
                                          message_found, ret_found);
    else if (chat)
        status = store_scan_chats(situation->store, &scan, chat_found, ret_found, &more);
    else
        status = store_scan_applications(situation->store, &scan, application_found, ret_found,
                                         &more);
    return history_store(situation, status);
}

/* ---- what follows the position ---- */

static bool needs_chat(enum record_type type)
{
    switch (type) {
    case RECORD_MESSAGE_CREATED:
    case RECORD_CHAT_RENAMED:
    case RECORD_MESSAGE_EDITED:
    case RECORD_CHAT_DELETED:
    case RECORD_MESSAGE_DELETED:
    case RECORD_MESSAGE_IMPORTED:
        return true;
    case RECORD_APPLICATION_CREATED:
    case RECORD_CHAT_CREATED:
    case RECORD_APPLICATION_RENAMED:
    case RECORD_APPLICATION_DELETED:
    case RECORD_APPLICATION_IMPORTED:
    case RECORD_CHAT_IMPORTED:
    case RECORD_IMPORT_ENDED:
        return false;
    }
    return false;
}

static bool needs_nothing(enum record_type type)
{
    return type == RECORD_APPLICATION_CREATED || type == RECORD_APPLICATION_IMPORTED;
}

/* Does a record before `index` of the entry make what this one needs? */
static bool made_before(const struct drain *drain, size_t index)
{
    const struct record *record = &drain->records[index];
    for (size_t i = 0; i < index; i++) {
        const struct record *earlier = &drain->records[i];
        bool makes = needs_chat(record->type) ? (earlier->type == RECORD_CHAT_CREATED ||
                                                 earlier->type == RECORD_CHAT_IMPORTED) &&
                                                    earlier->chat == record->chat
                                              : needs_nothing(earlier->type);
        if (makes && earlier->application_id == record->application_id)
            return !drain->dead[i];
    }
    return false;
}

/* A hole may have swallowed the creation of what a record belongs to. */
static status_t parents_check(struct drain *drain, size_t count)
{
    uint64_t application_id = 0, chat = 0; /* found last */
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &drain->records[i];
        uint64_t needed = needs_chat(record->type) ? record->chat : 0;
        if (needs_nothing(record->type) ||
            (record->application_id == application_id && needed == chat))
            continue;
        struct found found;
        status_t status = find(&drain->self->situation, record->application_id, needed, 0, &found);
        if (status != OK)
            return status;
        if (found.found || made_before(drain, i)) {
            application_id = record->application_id;
            chat = needed;
        } else {
            drain->dead[i] = true;
        }
    }
    return OK;
}

status_t entry_apply(struct drain *drain, const struct entry *entry)
{
    struct situation *situation = &drain->self->situation;
    struct change change = {
        .shard = situation->shard,
        .from = situation->row,
        .to = entry_position(entry, situation->row.run),
        .records = drain->records,
        .count = entry->count,
        .dead_reason = "what it belongs to was lost",
    };
    status_t status = parents_check(drain, entry->count);
    if (status != OK)
        return status;
    if (!drain->persist)
        drain->persist = persist_new(situation->store, NULL, NULL);
    status = persist_change(drain->persist, &change, drain->dead);
    if (status == ERR_CONFLICT)
        return history_say(situation->reason, ERR_CONFLICT,
                           "Another process moves the store's position.");
    if (status != OK)
        return history_store(situation, status);
    situation->row = change.to;
    for (size_t i = 0; i < entry->count; i++)
        *(drain->dead[i] ? &drain->self->report->dead : &drain->self->report->applied) += 1;
    return OK;
}

/* ---- what does not follow it ---- */

status_t entry_known(struct drain *drain, const struct entry *entry, bool *ret_known)
{
    *ret_known = false;
    for (size_t i = 0; !*ret_known && i < entry->count; i++) {
        const struct record *record = &drain->records[i];
        bool message = record->type == RECORD_MESSAGE_CREATED ||
                       record->type == RECORD_MESSAGE_IMPORTED ||
                       record->type == RECORD_MESSAGE_EDITED;
        bool imported = record->type == RECORD_APPLICATION_IMPORTED ||
                        record->type == RECORD_CHAT_IMPORTED ||
                        record->type == RECORD_MESSAGE_IMPORTED;
        struct found found;
        status_t status = find(&drain->self->situation, record->application_id, record->chat,
                               message ? record->number : 0, &found);
        if (status != OK)
            return status;
        bool changed = record->type == RECORD_APPLICATION_RENAMED ||
                       record->type == RECORD_CHAT_RENAMED;
        bool made = record->type <= RECORD_MESSAGE_CREATED || imported;
        int64_t created = imported ? record->created : record->time;
        *ret_known = found.found &&
                     ((made && found.created == created) ||
                      (changed && found.updated == record->time) ||
                      (message && found.seq == record->seq && found.updated == record->time));
    }
    return OK;
}
