/* SPDX-License-Identifier: MIT */
/* export.c - confab export: everything that can be read, from one snapshot.
 *
 * What was acknowledged before it began is in it. Beside a server it waits until
 * the store has taken that in; without one it does that itself, and locks the folder
 * if there is one.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/catch_up.h"
#include "commands/command.h"
#include "commands/data_set.h"
#include "commands/export_file.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "commands/transfer.h"
#include "commands/wait.h"
#include "storage/store_read.h"
#include "storage/store_scan.h"

const char command_export_help[] =
    "confab export writes all applications, chats and messages as lines of JSON, from one\n"
    "snapshot that holds everything acknowledged before it began. `confab import` reads\n"
    "them into another data set without losing anything: tokens, numbers and times, and\n"
    "which numbers were used and deleted. Deleted applications are left out.\n"
    "\n"
    "Works beside a server, or without one.\n"
    "\n"
    "Usage: confab export [--output=FILE]\n"
    "\n"
    "  --output=FILE   write to FILE instead of standard output; it appears when it is whole\n"
    "\n"
    "Exit: 0 done; 1 could not; 2 called in the wrong way.\n"
    "\n"
    "Example: confab export --output all.ndjson --data /var/lib/confab\n";

enum { PAGE = 256, SLICE_MESSAGES = 1000 };

/* Applications and chats are copied by the page, since asking for what is below
 * them needs the store again. */
struct parent {
    struct transfer transfer; /* without its strings */
    struct buffer token, text;
};

struct exporting {
    store_t *store;
    export_file_t *file;
    struct parent applications[PAGE], chats[PAGE];
    size_t application_count, chat_count;
    const struct parent *application; /* whose chats are written */
    struct buffer line;
    struct progress progress;
    uint64_t written[TRANSFER_MESSAGE + 1];
};

/* ---- lines ---- */

static void line_write(struct exporting *self, const struct transfer *transfer)
{
    buffer_clear(&self->line);
    transfer_write(&self->line, transfer);
    export_file_write(self->file, self->line.data, self->line.length);
    self->written[transfer->type]++;
    if (transfer->type == TRANSFER_MESSAGE)
        progress_show(&self->progress, self->written[TRANSFER_MESSAGE], 0, 0);
}

static void parent_set(struct parent *parent, const struct transfer *transfer)
{
    parent->transfer = *transfer;
    buffer_clear(&parent->token);
    buffer_append(&parent->token, transfer->token, transfer->token_length);
    buffer_clear(&parent->text);
    buffer_append(&parent->text, transfer->text, transfer->text_length);
    parent->transfer.token = parent->token.data;
    parent->transfer.text = parent->text.data;
}

/* ---- messages of a chat ---- */

static void message_write(void *self_p, const struct scan_message *message)
{
    struct exporting *self = (struct exporting *) self_p;
    const struct transfer *application = &self->application->transfer;
    const struct transfer transfer = {
        .type = TRANSFER_MESSAGE,
        .token = application->token,
        .token_length = application->token_length,
        .chat = message->chat,
        .message = message->number,
        .text = message->body,
        .text_length = message->body_length,
        .created = message->created,
        .updated = message->updated,
    };
    line_write(self, &transfer);
}

static status_t chat_export(struct exporting *self, uint64_t application_id, struct parent *chat)
{
    struct transfer *transfer = &chat->transfer;
    struct scan scan = {
        .within_application = application_id,
        .within_chat = transfer->chat,
        .limit = SLICE_MESSAGES,
    };
    bool more = true;
    status_t status = store_last_message(self->store, application_id, transfer->chat,
                                         &transfer->last);
    if (status == OK)
        line_write(self, transfer);
    while (status == OK && more)
        status = store_scan_messages(self->store, &scan, message_write, self, &more);
    return status;
}

/* ---- chats of an application ---- */

static void chat_add(void *self_p, const struct scan_chat *chat)
{
    struct exporting *self = (struct exporting *) self_p;
    const struct transfer *application = &self->application->transfer;
    const struct transfer transfer = {
        .type = TRANSFER_CHAT,
        .token = application->token,
        .token_length = application->token_length,
        .chat = chat->number,
        .text = chat->name,
        .text_length = chat->name_length,
        .created = chat->created,
        .updated = chat->updated,
    };
    if (!chat->deleted)
        parent_set(&self->chats[self->chat_count++], &transfer);
}

static status_t application_export(struct exporting *self, struct parent *application)
{
    struct transfer *transfer = &application->transfer;
    uint64_t id;
    bool more = true;
    self->application = application;
    status_t status = store_find_application(self->store, transfer->token, transfer->token_length,
                                             &id);
    if (status == OK)
        status = store_last_chat(self->store, id, &transfer->last);
    if (status != OK)
        return status;
    line_write(self, transfer);
    struct scan scan = {.within_application = id, .limit = PAGE};
    while (status == OK && more) {
        self->chat_count = 0;
        status = store_scan_chats(self->store, &scan, chat_add, self, &more);
        for (size_t i = 0; status == OK && i < self->chat_count; i++)
            status = chat_export(self, id, &self->chats[i]);
    }
    return status;
}

/* ---- all applications, in the order of the API ---- */

static void application_add(void *self_p, const struct item *item)
{
    struct exporting *self = (struct exporting *) self_p;
    const struct transfer transfer = {
        .type = TRANSFER_APPLICATION,
        .token = item->token,
        .token_length = item->token_length,
        .text = item->text,
        .text_length = item->text_length,
        .created = item->created,
        .updated = item->updated,
    };
    parent_set(&self->applications[self->application_count++], &transfer);
}

static status_t applications_export(struct exporting *self)
{
    struct buffer after = {0};
    bool more = true;
    status_t status = OK;
    buffer_append_text(&after, "");
    while (status == OK && more && export_file_good(self->file)) {
        self->application_count = 0;
        status = store_applications(self->store, after.data, after.length, INT64_MAX, PAGE,
                                    application_add, self, &more);
        for (size_t i = 0; status == OK && i < self->application_count; i++)
            status = application_export(self, &self->applications[i]);
        if (status != OK || self->application_count == 0)
            break;
        const struct parent *last = &self->applications[self->application_count - 1];
        buffer_clear(&after);
        buffer_append(&after, last->token.data, last->token.length);
    }
    buffer_free(&after);
    return status;
}

static status_t snapshot_export(struct exporting *self)
{
    progress_start(&self->progress, "export", "messages");
    status_t status = store_snapshot_begin(self->store);
    if (status == OK) {
        status = applications_export(self);
        store_snapshot_end(self->store);
    }
    progress_end(&self->progress);
    for (size_t i = 0; i < PAGE; i++) {
        buffer_free(&self->applications[i].token);
        buffer_free(&self->applications[i].text);
        buffer_free(&self->chats[i].token);
        buffer_free(&self->chats[i].text);
    }
    buffer_free(&self->line);
    return status;
}

/* ---- the command ---- */

static status_t catch_up_open(const struct config *config, data_set_t **ret_data_set)
{
    status_t status = data_set_open(config, DATA_SET_WRITE, ret_data_set);
    if (status == OK)
        status = data_set_check(*ret_data_set);
    if (status != OK)
        return status;
    catch_up_t *catch_up = catch_up_new(*ret_data_set);
    status = wait_or_catch_up(catch_up);
    catch_up_destroy(&catch_up);
    return status;
}

/* Opens the data set with a store that has reached the head of the log. Only what
 * has to be written locks the folder. */
static status_t head_open(const struct config *config, data_set_t **ret_data_set)
{
    bool served = false, reached = false;
    if (data_set_shared(config))
        return catch_up_open(config, ret_data_set);
    status_t status = data_set_open(config, DATA_SET_READ, ret_data_set);
    if (status == OK)
        status = data_set_served(*ret_data_set, &served);
    if (status == OK && served)
        return wait_for_store(*ret_data_set);
    if (status == OK)
        status = store_at_head(*ret_data_set, &reached);
    if (status != OK || reached)
        return status;
    data_set_close(ret_data_set);
    return catch_up_open(config, ret_data_set);
}

static int data_set_export(data_set_t *data_set, const char *output)
{
    struct exporting *self = (struct exporting *) calloc(1, sizeof *self);
    assert(self);
    self->store = data_set->store;
    self->file = export_file_open(output);
    status_t status = self->file ? snapshot_export(self) : OK;
    if (status != OK)
        log_error("export", "status=%s reason=\"%s\"", status_name(status),
                  store_errmsg(self->store));
    bool good = export_file_close(&self->file, status == OK);
    if (good && status == OK)
        fprintf(stderr, "export: %llu applications, %llu chats, %llu messages\n",
                (unsigned long long) self->written[TRANSFER_APPLICATION],
                (unsigned long long) self->written[TRANSFER_CHAT],
                (unsigned long long) self->written[TRANSFER_MESSAGE]);
    free(self);
    return good && status == OK ? 0 : 1;
}

int command_export(const struct config *config, int argc, char **argv)
{
    struct option options[] = {{.name = "output", .kind = OPTION_TEXT}};
    struct config without_search = *config;
    without_search.search = "none";
    data_set_t *data_set = NULL;
    int words;
    if (!options_read("export", argc, argv, options, 1, 0, &words, stderr))
        return 2;
    int result = 1;
    if (head_open(&without_search, &data_set) == OK)
        result = data_set_export(data_set, options[0].text);
    data_set_close(&data_set);
    return result;
}
