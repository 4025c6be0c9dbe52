/* SPDX-License-Identifier: MIT */
#include "commands/import_check.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

import_check_t *import_check_new(int64_t now)
{
    import_check_t *self = (import_check_t *) calloc(1, sizeof *self);
    assert(self);
    self->now = now;
    return self;
}

static void application_free(void *application_p)
{
    free(application_p);
}

void import_check_destroy(import_check_t **check_p)
{
    import_check_t *self = *check_p;
    if (!self)
        return;
    tdestroy(self->tokens, application_free);
    free(self->applications);
    free(self);
    *check_p = NULL;
}

const struct import_application *import_check_application(const import_check_t *self)
{
    assert(self->application_count > 0);
    return self->applications[self->application_count - 1];
}

static int application_compare(const void *a_p, const void *b_p)
{
    const struct import_application *a = (const struct import_application *) a_p;
    const struct import_application *b = (const struct import_application *) b_p;
    return strcmp(a->token, b->token);
}

/* False: there is one of that token. */
static bool application_add(import_check_t *self, const struct transfer *transfer)
{
    struct import_application *application = (struct import_application *) malloc(
        sizeof *application + transfer->token_length + 1);
    assert(application);
    char *token = (char *) (application + 1);
    memcpy(token, transfer->token, transfer->token_length);
    token[transfer->token_length] = 0;
    *application = (struct import_application){token, transfer->token_length, transfer->last};

    struct import_application **found = (struct import_application **) tsearch(
        application, &self->tokens, application_compare);
    if (!found)
        abort();
    if (*found != application) {
        free(application);
        return false;
    }
    if (self->application_count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->applications = (struct import_application **) realloc(
            self->applications, self->capacity * sizeof(struct import_application *));
        assert(self->applications);
    }
    self->applications[self->application_count++] = application;
    return true;
}

static bool application_is(const import_check_t *self, const struct transfer *transfer)
{
    if (self->application_count == 0)
        return false;
    const struct import_application *application = import_check_application(self);
    return application->token_length == transfer->token_length &&
           memcmp(application->token, transfer->token, transfer->token_length) == 0;
}

static const char *application_check(import_check_t *self, const struct transfer *transfer)
{
    self->chat = (struct transfer){.type = TRANSFER_CHAT};
    return application_add(self, transfer) ? NULL : "there is an application of that token before";
}

static const char *chat_check(import_check_t *self, const struct transfer *transfer)
{
    if (!application_is(self, transfer))
        return "its application is not the one that stands before it";
    if (transfer->chat <= self->chat.chat)
        return "its chat_number is not greater than that of the chat before it";
    if (transfer->chat > import_check_application(self)->last)
        return "its chat_number is greater than its application's last_chat_number";
    self->chat = *transfer;
    self->chats++;
    return NULL;
}

static const char *message_check(import_check_t *self, const struct transfer *transfer)
{
    if (!application_is(self, transfer) || transfer->chat != self->chat.chat)
        return "its chat is not the one that stands before it";
    if (transfer->message <= self->chat.message)
        return "its message_number is not greater than that of the message before it";
    if (transfer->message > self->chat.last)
        return "its message_number is greater than its chat's last_message_number";
    self->chat.message = transfer->message;
    self->messages++;
    return NULL;
}

bool import_check_next(import_check_t *self, const struct transfer *transfer, const char **ret_why)
{
    const char *why = NULL;
    if (transfer->created > self->now || transfer->updated > self->now)
        why = "its time is in the future";
    if (!why) {
        switch (transfer->type) {
        case TRANSFER_APPLICATION:
            why = application_check(self, transfer);
            break;
        case TRANSFER_CHAT:
            why = chat_check(self, transfer);
            break;
        case TRANSFER_MESSAGE:
            why = message_check(self, transfer);
            break;
        }
    }
    *ret_why = why;
    return !why;
}
