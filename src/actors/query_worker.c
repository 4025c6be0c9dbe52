/* SPDX-License-Identifier: MIT */
#include "actors/query_worker.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/query_parts.h"
#include "common/actor.h"
#include "common/frame.h"
#include "common/log.h"

enum {
    LOOKS_MAX = 1000, /* rows of a page */
};

static status_t worker_open(query_worker_t *self, zsock_t *pipe, const struct actor_args *args);
static bool worker_wait(query_worker_t *self);
static bool worker_take(query_worker_t *self);
static void worker_answer(query_worker_t *self);
static void worker_close(query_worker_t **self_p);

void query_worker_actor(zsock_t *pipe, void *args)
{
    query_worker_t *self = (query_worker_t *) calloc(1, sizeof *self);
    assert(self);
    status_t status = worker_open(self, pipe, (const struct actor_args *) args);
    actor_ready(pipe, status);

    while (status == OK && worker_wait(self))
        while (worker_take(self))
            worker_answer(self);
    worker_close(&self);
}

static status_t worker_open(query_worker_t *self, zsock_t *pipe, const struct actor_args *args)
{
    self->pipe = pipe;
    self->args = args;
    self->looks = (struct look *) calloc(LOOKS_MAX, sizeof *self->looks);
    assert(self->looks);
    return OK; /* connections are made when they are needed */
}

static bool worker_wait(query_worker_t *self)
{
    zmq_pollitem_t items[] = {{zsock_resolve(self->pipe), 0, ZMQ_POLLIN, 0}};
    if (self->stopped)
        return false;
    while (zmq_poll(items, 1, -1) < 0 && errno == EINTR)
        ;
    return true;
}

/* Takes the next task; false when there is none. */
static bool worker_take(query_worker_t *self)
{
    void *socket = zsock_resolve(self->pipe);
    zmq_msg_t head;
    if (self->stopped || !frame_receive(socket, &head))
        return false;
    self->stopped = zmq_msg_size(&head) != sizeof self->task; /* $TERM */
    if (!self->stopped) {
        memcpy(&self->task, zmq_msg_data(&head), sizeof self->task);
        bool received = frame_receive(socket, &self->frame);
        assert(received);
    }
    zmq_msg_close(&head);
    return !self->stopped;
}

/* ---- connections ---- */

/* Opens what is not open, and closes what failed, so that the next task tries anew. */
status_t query_store_ready(query_worker_t *self)
{
    return self->store ? OK : store_open(self->args->config->store, true, &self->store);
}

status_t query_journal_ready(query_worker_t *self)
{
    const struct journal_options options = {
        .url = self->args->config->journal, .read_only = true, .run = self->args->run};
    return self->journal ? OK : journal_open(&options, &self->journal);
}

status_t query_search_ready(query_worker_t *self)
{
    if (strcmp(self->args->config->search, "none") == 0)
        return ERR_SEARCH_NONE;
    return self->search ? OK : search_open(self->args->config->search, true, &self->search);
}

static void connections_check(query_worker_t *self, status_t status)
{
    if (status == ERR_STORE) {
        log_warning("store_failed", "detail=\"%s\"", store_errmsg(self->store));
        store_close(&self->store);
    } else if (status == ERR_SEARCH) {
        log_warning("search_failed", "detail=\"%s\"", search_errmsg(self->search));
        search_close(&self->search);
    } else if (status == ERR_JOURNAL) {
        journal_close(&self->journal);
    }
}

/* ---- reads ---- */

static void item_take(void *self_p, const struct item *item)
{
    query_worker_t *self = (query_worker_t *) self_p;
    item_encode(&self->items, item);
    self->reply.item_count++;
}

/* One application, chat or message, with the last number that the look told, unless the
 * store has a later one by now: its count may be as late. */
static void item_take_single(void *self_p, const struct item *item)
{
    query_worker_t *self = (query_worker_t *) self_p;
    const struct task *task = &self->task;
    struct item copy = *item;
    uint64_t last = self->request.type == REQUEST_APPLICATION ? task->last_chat
                    : self->request.type == REQUEST_CHAT      ? task->last_message
                                                              : 0;
    if (!task->journal_down && last > copy.last)
        copy.last = last;
    item_take(self, &copy);
}

/* The last numbers of a page's rows, from the journal, into the items. Rows that
 * were deleted meanwhile stay: the list was right when it was asked for. */
static status_t last_numbers_add(query_worker_t *self)
{
    struct bytes_reader reader = bytes_reader(self->items.data, self->items.length);
    struct buffer page = self->items;
    struct item item;
    size_t count = self->reply.item_count;
    if (self->task.journal_down || count == 0)
        return OK;
    assert(count <= LOOKS_MAX);
    bool chats = self->request.type == REQUEST_CHATS;
    for (size_t i = 0; i < count; i++) {
        status_t decoded = item_decode(&reader, &item);
        assert(decoded == OK);
        self->looks[i] = (struct look){
            .token = chats ? self->request.token : item.token,
            .token_length = chats ? self->request.token_length : item.token_length,
            .chat = chats ? item.number : 0,
            .status = ERR_JOURNAL,
        };
    }
    status_t status = query_journal_ready(self);
    if (status == OK)
        status = journal_look(self->journal, self->looks, count);
    if (status != OK) { /* since the front looked; the store's numbers have to do */
        self->task.behind = BEHIND_UNKNOWN;
        connections_check(self, status);
    }

    self->items = self->scratch;
    self->scratch = page; /* swapped: the page is read, the items are written */
    buffer_clear(&self->items);
    reader = bytes_reader(page.data, page.length);
    for (size_t i = 0; i < count; i++) {
        status_t decoded = item_decode(&reader, &item);
        assert(decoded == OK);
        uint64_t last = chats ? self->looks[i].last_message : self->looks[i].last_chat;
        if (self->looks[i].status == OK && last > item.last)
            item.last = last;
        item_encode(&self->items, &item);
    }
    return OK;
}

static struct range request_range(const struct request *request)
{
    return (struct range){.after = request->after,
                          .before = request->before,
                          .descending = request->descending,
                          .limit = request->limit < LOOKS_MAX ? request->limit : LOOKS_MAX};
}

static status_t application_list(query_worker_t *self)
{
    const struct request *request = &self->request;
    struct range range = request_range(request);
    status_t status = store_applications(self->store, request->text, request->text_length,
                                         self->task.until, range.limit, item_take, self,
                                         &self->reply.more);
    return status == OK ? last_numbers_add(self) : status;
}

static status_t chat_list(query_worker_t *self)
{
    struct range range = request_range(&self->request);
    status_t status = store_chats(self->store, self->task.application_id, &range, item_take, self,
                                  &self->reply.more);
    return status == OK ? last_numbers_add(self) : status;
}

static void item_ignore(void *nothing, const struct item *item)
{
    (void) nothing;
    (void) item;
}

/* The journal is down: what it would have told, from the store. */
static status_t task_complete(query_worker_t *self)
{
    struct task *task = &self->task;
    const struct request *request = &self->request;
    if (!task->journal_down || request->type == REQUEST_APPLICATIONS)
        return OK;
    status_t status = store_find_application(self->store, request->token, request->token_length,
                                             &task->application_id);
    if (status == OK && request_needs_chat(request) && request->type != REQUEST_CHAT)
        status = store_chat(self->store, task->application_id, request->chat, item_ignore, NULL);
    return status;
}

/* An empty page: there is nothing, or what it is of was deleted since the look. */
static status_t parents_check(query_worker_t *self)
{
    const struct request *request = &self->request;
    if (self->reply.item_count > 0 || request->type == REQUEST_APPLICATIONS ||
        request->type == REQUEST_APPLICATION)
        return OK;
    status_t status = store_application(self->store, self->task.application_id, item_ignore, NULL);
    if (status == OK && request_needs_chat(request))
        status = store_chat(self->store, self->task.application_id, request->chat, item_ignore,
                            NULL);
    return status;
}

static status_t request_read(query_worker_t *self)
{
    const struct request *request = &self->request;
    const struct task *task = &self->task;
    struct range range = request_range(request);
    switch (request->type) {
    case REQUEST_APPLICATIONS:
        return application_list(self);
    case REQUEST_APPLICATION:
        return store_application(self->store, task->application_id, item_take_single, self);
    case REQUEST_CHATS:
        return chat_list(self);
    case REQUEST_CHAT:
        return store_chat(self->store, task->application_id, request->chat, item_take_single, self);
    case REQUEST_MESSAGES:
        return store_messages(self->store, task->application_id, request->chat, &range,
                              PAGE_BYTES_MAX, item_take, self, &self->reply.more);
    case REQUEST_MESSAGE:
        return store_message(self->store, task->application_id, request->chat, request->number,
                             item_take_single, self);
    case REQUEST_SEARCH: {
        status_t status = query_search_ready(self);
        return status == OK ? query_search(self) : status;
    }
    case REQUEST_STATE:
    case REQUEST_APPLICATION_CREATE:
    case REQUEST_CHAT_CREATE:
    case REQUEST_MESSAGE_CREATE:
    case REQUEST_APPLICATION_RENAME:
    case REQUEST_CHAT_RENAME:
    case REQUEST_MESSAGE_EDIT:
    case REQUEST_APPLICATION_DELETE:
    case REQUEST_CHAT_DELETE:
    case REQUEST_MESSAGE_DELETE:
        break;
    }
    return ERR_MALFORMED;
}

/* What is not found in a state that may be old is not known to be missing. */
static status_t status_judge(const struct task *task, status_t status)
{
    bool missing = status == ERR_APPLICATION_NOT_FOUND || status == ERR_CHAT_NOT_FOUND ||
                   status == ERR_MESSAGE_NOT_FOUND || status == ERR_CURSOR_NOT_FOUND;
    if (!missing || task->behind == BEHIND_NOT)
        return status;
    return task->journal_down ? ERR_JOURNAL : ERR_STORE_BEHIND;
}

/* ---- answer ---- */

/* Epoch 0: not asked for, or not known. */
static void positions_read(query_worker_t *self)
{
    const bool *wanted = (const bool *) zmq_msg_data(&self->frame);
    assert(zmq_msg_size(&self->frame) == self->args->config->shards);
    status_t status = query_store_ready(self);
    for (unsigned shard = 0; shard < self->args->config->shards; shard++) {
        struct position position = {0};
        bool found = false;
        if (status == OK && wanted[shard])
            status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, &position, &found);
        if (!found)
            position = (struct position){0};
        buffer_append(&self->reply_frame, (const char *) &position, sizeof position);
    }
    connections_check(self, status);
}

static void request_answer(query_worker_t *self)
{
    status_t status = request_decode(zmq_msg_data(&self->frame), zmq_msg_size(&self->frame),
                                     &self->request);
    assert(status == OK); /* the front has decoded it before */
    self->reply = (struct reply){.id = self->request.id};
    buffer_clear(&self->items);
    if (self->request.type == REQUEST_STATE) {
        status = query_state(self);
    } else {
        status = query_store_ready(self);
        if (status == OK)
            status = task_complete(self);
        if (status == OK)
            status = request_read(self);
        if (status == OK)
            status = parents_check(self);
        connections_check(self, status);
        status = status_judge(&self->task, status);
    }
    self->reply.status = status;
    self->reply.behind = self->task.behind;
    self->reply.behind_seconds = self->task.behind_seconds;
    if (status == OK) {
        self->reply.items = self->items.data;
        self->reply.items_length = self->items.length;
    } else {
        self->reply.item_count = 0;
    }
    reply_encode(&self->reply_frame, &self->reply);
}

static void worker_answer(query_worker_t *self)
{
    void *socket = zsock_resolve(self->pipe);
    buffer_clear(&self->reply_frame);
    if (self->task.positions)
        positions_read(self);
    else
        request_answer(self);
    zmq_msg_close(&self->frame);
    bool sent = frame_send(socket, &self->task.ticket, sizeof self->task.ticket, ZMQ_SNDMORE) &&
                frame_send(socket, self->reply_frame.data, self->reply_frame.length, 0);
    assert(sent); /* the pipe holds a thousand, we had a few */
    buffer_shrink(&self->reply_frame);
    buffer_shrink(&self->items);
    buffer_shrink(&self->scratch);
}

static void worker_close(query_worker_t **self_p)
{
    query_worker_t *self = *self_p;
    store_close(&self->store);
    journal_close(&self->journal);
    search_close(&self->search);
    buffer_free(&self->items);
    buffer_free(&self->scratch);
    buffer_free(&self->reply_frame);
    entries_free(&self->entries);
    query_search_free(self);
    free(self->looks);
    free(self);
    *self_p = NULL;
}
