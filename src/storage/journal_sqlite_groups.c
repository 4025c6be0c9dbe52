/* SPDX-License-Identifier: MIT */
/* journal_sqlite_groups.c - what each type of group does to the counters and the entry. */
#include <assert.h>
#include <string.h>

#include "storage/journal_sqlite.h"

/* Keys removed with each keyed group, so that they go faster than they come. */
enum { KEYS_EXPIRE = 4 };

/* ---- the rows at hand ---- */

static status_t chat_put_back(struct append *append)
{
    append->chat_number = 0;
    if (!append->chat_changed)
        return OK;
    append->chat_changed = false;
    return chat_save(append->sql, &append->chat);
}

status_t append_put_back(struct append *append)
{
    status_t status = chat_put_back(append);
    append->token = NULL;
    if (status != OK || !append->application_changed)
        return status;
    append->application_changed = false;
    return application_save(append->sql, &append->application);
}

static status_t application_take(struct append *append, const struct record_group *group)
{
    if (append->token && append->token_length == group->token_length &&
        memcmp(append->token, group->token, group->token_length) == 0)
        return OK;
    status_t status = append_put_back(append);
    if (status == OK)
        status = application_load(append->sql, group->token, group->token_length,
                                  &append->application);
    if (status == OK) {
        append->token = group->token;
        append->token_length = group->token_length;
    }
    return status;
}

static status_t chat_take(struct append *append, uint64_t chat)
{
    if (append->chat_number == chat && chat != 0)
        return OK;
    status_t status = chat_put_back(append);
    if (status == OK)
        status = chat_load(append->sql, &append->application, chat, &append->chat);
    if (status == OK)
        append->chat_number = chat;
    return status;
}

/* ---- what a group does ---- */

/* Puts the group into the entry. */
static void group_write(struct append *append, struct record_group *group, uint64_t first_number)
{
    uint64_t application_id = append->application.application_id;
    entry_add_group(&append->self->groups, application_id, first_number, group->bytes,
                    group->length);
    append->seq += group->count;
    group->time = append->time;
}

/* The last record of the group just written changed the application or a chat. */
static void application_touch(struct append *append)
{
    append->application.change = append->seq - 1;
    append->application_changed = true;
    append->shard.application_change = append->seq - 1;
}

static void chat_touch(struct append *append)
{
    append->chat.change = append->seq - 1;
    append->chat_changed = true;
}

/* Looks the group's key up. *ret_go_on: the group is to be carried out. */
static status_t key_take(struct append *append, struct record_group *group, bool *ret_go_on)
{
    *ret_go_on = true;
    if (!group->keyed)
        return OK;
    bool known;
    uint64_t removed;
    status_t status = key_load(append->sql, append->now, group, &known);
    if (status == OK)
        status = keys_expire(append->sql, &append->shard, append->now, KEYS_EXPIRE, &removed);
    uint64_t keys = append->shard.keys_next - append->shard.keys_first;
    bool full = append->self->keys_max && keys >= append->self->keys_max;
    if (!known && full)
        group->status = ERR_KEYS_FULL;
    *ret_go_on = !known && !full;
    return status;
}

static status_t key_put(struct append *append, const struct record_group *group, uint64_t number)
{
    return group->keyed ? key_add(append->sql, &append->shard, group, number) : OK;
}

static status_t application_create(struct append *append, struct record_group *group)
{
    bool go_on;
    assert(token_shard(group->token, group->token_length, append->shard.shards) ==
           append->shard.shard);
    status_t status = key_take(append, group, &go_on);
    if (status != OK || !go_on)
        return status;
    status = application_take(append, group);
    if (status != OK)
        return status;
    if (append->application.id) {
        group->status = ERR_EXISTS;
        return OK;
    }
    append->application = (struct application_row){
        .application_id = append->seq * append->shard.shards + append->shard.shard,
        .state = STATE_THERE,
        .change = append->seq,
        .visible = append->seq,
    };
    append->shard.application_change = append->seq;
    memcpy(group->result_token, group->token, group->token_length);
    group->result_token_length = group->token_length;
    group_write(append, group, 0);
    status = application_add(append->sql, append->shard.shard, group->token, group->token_length,
                             &append->application);
    if (status == OK)
        status = key_put(append, group, append->application.application_id);
    return status;
}

static status_t chat_create(struct append *append, struct record_group *group)
{
    bool go_on;
    status_t status = key_take(append, group, &go_on);
    if (status != OK || !go_on)
        return status;
    if (append->application.last_chat >= UINT32_MAX) {
        group->status = ERR_OVERLOADED; /* for good: all numbers are used */
        return OK;
    }
    status = chat_put_back(append);
    if (status != OK)
        return status;
    append->chat = (struct chat_row){.change = append->seq};
    append->chat_number = ++append->application.last_chat;
    group->first_number = append->chat_number;
    group_write(append, group, group->first_number);
    application_touch(append);
    status = chat_add(append->sql, &append->application, append->chat_number, &append->chat);
    if (status == OK)
        status = key_put(append, group, group->first_number);
    return status;
}

static status_t message_create(struct append *append, struct record_group *group)
{
    bool go_on;
    status_t status = key_take(append, group, &go_on);
    if (status != OK || !go_on)
        return status;
    if (append->chat.last_message + group->count > UINT32_MAX) {
        group->status = ERR_OVERLOADED;
        return OK;
    }
    group->first_number = append->chat.last_message + 1;
    append->chat.last_message += group->count;
    group_write(append, group, group->first_number);
    chat_touch(append);
    return key_put(append, group, group->first_number);
}

static status_t application_delete(struct append *append, struct record_group *group)
{
    status_t status = chat_put_back(append);
    if (status != OK)
        return status;
    append->application.state = STATE_DELETED;
    group_write(append, group, 0);
    application_touch(append);
    return leftover_add(append->sql, &append->application);
}

static status_t chat_delete(struct append *append, struct record_group *group)
{
    int64_t id = append->chat.id;
    append->chat_changed = false;
    append->chat_number = 0;
    group_write(append, group, 0);
    application_touch(append);
    return chat_remove(append->sql, &(struct chat_row){.id = id});
}

/* ---- imports ---- */

static status_t application_import(struct append *append, struct record_group *group)
{
    struct application_row *application = &append->application;
    bool exists = application->id != 0;
    if (exists && application->state != STATE_IMPORTING) {
        group->status = ERR_EXISTS;
        return OK;
    }
    status_t status = chat_put_back(append);
    if (status == OK && exists)
        status = application_renew(append->sql, application);
    if (status != OK)
        return status;
    *application = (struct application_row){
        .id = application->id,
        .application_id = append->seq * append->shard.shards + append->shard.shard,
        .state = STATE_IMPORTING,
        .last_chat = group->number,
        .change = append->seq,
    };
    group_write(append, group, 0);
    application_touch(append);
    return exists ? OK
                  : application_add(append->sql, append->shard.shard, group->token,
                                    group->token_length, application);
}

static status_t chat_import(struct append *append, struct record_group *group)
{
    struct application_row *application = &append->application;
    if (group->chat <= application->imported || group->chat > UINT32_MAX) {
        group->status = ERR_DATA;
        return OK;
    }
    status_t status = chat_put_back(append);
    if (status != OK)
        return status;
    application->imported = group->chat;
    if (application->last_chat < group->chat)
        application->last_chat = group->chat;
    append->chat = (struct chat_row){.last_message = group->number, .change = append->seq};
    append->chat_number = group->chat;
    group_write(append, group, 0);
    application_touch(append);
    return chat_add(append->sql, application, group->chat, &append->chat);
}

static void messages_import(struct append *append, struct record_group *group)
{
    struct chat_row *chat = &append->chat;
    if (group->number <= chat->imported || group->number_last < group->number ||
        group->number_last - group->number < group->count - 1) {
        group->status = ERR_DATA;
        return;
    }
    chat->imported = group->number_last;
    if (chat->last_message < group->number_last)
        chat->last_message = group->number_last;
    group_write(append, group, 0);
    chat_touch(append);
}

static void import_end(struct append *append, struct record_group *group)
{
    struct application_row *application = &append->application;
    application->state = STATE_THERE;
    if (application->last_chat < group->number)
        application->last_chat = group->number;
    group_write(append, group, 0);
    application->visible = append->seq - 1;
    application_touch(append);
}

static status_t group_import(struct append *append, struct record_group *group)
{
    status_t status = application_take(append, group);
    if (status != OK)
        return status;
    group->status = OK;
    if (group->number > UINT32_MAX || group->number_last > UINT32_MAX) {
        group->status = ERR_DATA;
        return OK;
    }
    if (group->type == RECORD_APPLICATION_IMPORTED)
        return application_import(append, group);
    if (append->application.id == 0 || append->application.state != STATE_IMPORTING) {
        group->status = ERR_APPLICATION_NOT_FOUND;
        return OK;
    }
    if (group->type == RECORD_CHAT_IMPORTED)
        return chat_import(append, group);
    if (group->type == RECORD_IMPORT_ENDED) {
        import_end(append, group);
        return OK;
    }
    status = chat_take(append, group->chat);
    if (status == OK && append->chat.id == 0)
        group->status = ERR_CHAT_NOT_FOUND;
    else if (status == OK)
        messages_import(append, group);
    return status;
}

/* ---- any group ---- */

/* Is there what the group stands beneath? *ret_go_on false: its status says no, or
 * that there is nothing to do. */
static status_t parents_check(struct append *append, struct record_group *group, bool *ret_go_on)
{
    *ret_go_on = false;
    status_t status = application_take(append, group);
    if (status != OK)
        return status;
    const struct application_row *application = &append->application;
    if (application->id == 0 || application->state != STATE_THERE) {
        bool again = group->type == RECORD_APPLICATION_DELETED && application->id &&
                     application->state == STATE_DELETED;
        group->status = again ? OK : ERR_APPLICATION_NOT_FOUND;
        return OK;
    }
    *ret_go_on = true;
    group->status = OK;
    if (group->type == RECORD_CHAT_CREATED || group->type == RECORD_APPLICATION_RENAMED ||
        group->type == RECORD_APPLICATION_DELETED)
        return OK;
    status = chat_take(append, group->chat);
    if (status == OK && append->chat.id == 0) {
        bool again = group->type == RECORD_CHAT_DELETED && group->chat > 0 &&
                     group->chat <= application->last_chat;
        group->status = again ? OK : ERR_CHAT_NOT_FOUND;
        *ret_go_on = false;
    }
    return status;
}

/* Edits and deletions; a message counts as there if its number was ever given. */
static void message_change(struct append *append, struct record_group *group)
{
    if (group->number == 0 || group->number > append->chat.last_message) {
        group->status = ERR_MESSAGE_NOT_FOUND;
        return;
    }
    group_write(append, group, 0);
    chat_touch(append);
}

status_t append_group(struct append *append, struct record_group *group)
{
    bool go_on = false;
    status_t status = OK;
    if (group->type == RECORD_APPLICATION_CREATED) {
        group->status = OK;
        return application_create(append, group);
    }
    if (group->type >= RECORD_APPLICATION_IMPORTED)
        return group_import(append, group);
    status = parents_check(append, group, &go_on);
    if (status != OK || !go_on)
        return status;

    switch (group->type) {
    case RECORD_CHAT_CREATED:
        return chat_create(append, group);
    case RECORD_MESSAGE_CREATED:
        return message_create(append, group);
    case RECORD_APPLICATION_RENAMED:
        group_write(append, group, 0);
        application_touch(append);
        return OK;
    case RECORD_CHAT_RENAMED:
        group_write(append, group, 0);
        application_touch(append);
        chat_touch(append);
        return OK;
    case RECORD_MESSAGE_EDITED:
    case RECORD_MESSAGE_DELETED:
        message_change(append, group);
        return OK;
    case RECORD_APPLICATION_DELETED:
        return application_delete(append, group);
    case RECORD_CHAT_DELETED:
        return chat_delete(append, group);
    case RECORD_APPLICATION_CREATED:
    case RECORD_APPLICATION_IMPORTED:
    case RECORD_CHAT_IMPORTED:
    case RECORD_MESSAGE_IMPORTED:
    case RECORD_IMPORT_ENDED:
        break;
    }
    assert(false); /* journal.c knows all types */
    return ERR_DATA;
}
