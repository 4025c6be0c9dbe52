/* SPDX-License-Identifier: MIT */
/* verify_doubts.c - looks again where store and index seemed to differ.
 *
 * For a number of messages at once, in this order:
 *   1. what the store holds, and where it stands then;
 *   2. wait until the index stands there too (only beside a server, and not for
 *      ever), and ask whether indexing still has to clean up after deletions;
 *   3. what the index holds;
 *   4. what the store holds now: if that has changed, begin again.
 * A difference is a fault if the index has reached the change that it lacks.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/verify.h"
#include "common/clock.h"
#include "common/text.h"
#include "storage/store_scan.h"

enum {
    DOUBTS_MAX = 1000,
    FAULTS_MAX = 10000, /* of the index; then it is enough */
    ROUNDS = 5,
    WAIT_US = 3000000,
    LOOK_US = 20000,
};

struct doubt {
    uint64_t application_id, chat, number;
    bool stored, indexed; /* the message is there */
    struct sighting in_store, in_index;
    bool settled;
};

struct verify_doubts {
    struct verify *verify;
    struct doubt doubts[DOUBTS_MAX];
    size_t count;
    uint64_t faults;
    struct buffer folded;
    struct goal {
        struct position stored, index;
        bool reached;  /* the index stands where the store stood */
        bool cleaning; /* indexing has deletions to clean up after */
    } * goals;         /* by shard */
};

verify_doubts_t *verify_doubts_new(struct verify *verify)
{
    verify_doubts_t *self = (verify_doubts_t *) calloc(1, sizeof *self);
    assert(self);
    self->verify = verify;
    self->goals = (struct goal *) calloc(verify->shards, sizeof *self->goals);
    assert(self->goals);
    return self;
}

void verify_doubts_destroy(verify_doubts_t **doubts_p)
{
    verify_doubts_t *self = *doubts_p;
    if (!self)
        return;
    buffer_free(&self->folded);
    free(self->goals);
    free(self);
    *doubts_p = NULL;
}

/* ---- what each side holds ---- */

struct looking {
    verify_doubts_t *self;
    const struct doubt *doubt;
    struct sighting sighting;
    bool found;
};

static void store_sighted(void *looking_p, const struct scan_message *message)
{
    struct looking *looking = (struct looking *) looking_p;
    struct buffer *buffer = &looking->self->folded;
    buffer_clear(buffer);
    text_fold_append(buffer, message->body, message->body_length);
    looking->found = true;
    looking->sighting.seq = message->seq;
    looking->sighting.hash = search_hash(buffer->data ? buffer->data : "", buffer->length);
}

static status_t store_look(verify_doubts_t *self, const struct doubt *doubt,
                           struct looking *looking)
{
    *looking = (struct looking){.self = self, .doubt = doubt};
    return store_messages_by_number(self->verify->data_set->store, doubt->application_id,
                                    doubt->chat, &doubt->number, 1, store_sighted, looking);
}

static void index_sighted(void *looking_p, const struct indexed *document)
{
    struct looking *looking = (struct looking *) looking_p;
    const struct doubt *doubt = looking->doubt;
    if (document->application_id != doubt->application_id || document->chat != doubt->chat ||
        document->number != doubt->number)
        return; /* the next one, as there is none */
    looking->found = true;
    looking->sighting.seq = document->seq;
    looking->sighting.hash = document->hash;
}

static status_t index_look(verify_doubts_t *self, const struct doubt *doubt,
                           struct looking *looking)
{
    bool more;
    struct document_cursor cursor = {doubt->application_id, doubt->chat, doubt->number - 1};
    *looking = (struct looking){.self = self, .doubt = doubt};
    return search_scan(self->verify->data_set->search, &cursor, 1, index_sighted, looking, &more);
}

static bool sighting_same(const struct sighting *a, const struct sighting *b)
{
    return a->seq == b->seq && a->hash == b->hash;
}

/* ---- the steps ---- */

static status_t stores_look(verify_doubts_t *self)
{
    struct verify *verify = self->verify;
    status_t status = OK;
    for (size_t i = 0; status == OK && i < self->count; i++) {
        struct doubt *doubt = &self->doubts[i];
        struct looking looking;
        status = store_look(self, doubt, &looking);
        doubt->stored = looking.found;
        doubt->in_store = looking.sighting;
    }
    for (unsigned shard = 0; status == OK && shard < verify->shards; shard++) {
        bool found;
        struct goal *goal = &self->goals[shard];
        status = store_position(verify->data_set->store, FOLLOWER_PERSISTENCE, shard, &goal->stored,
                                &found);
        if (status == OK && !found)
            status = ERR_DIVERGED;
    }
    return status;
}

static status_t goal_wait(verify_doubts_t *self, unsigned shard, int64_t until_us)
{
    struct verify *verify = self->verify;
    struct goal *goal = &self->goals[shard];
    bool found;
    for (;;) {
        status_t status = search_position(verify->data_set->search, shard, &goal->index, &found);
        if (status != OK)
            return status;
        goal->reached = found && goal->index.epoch == goal->stored.epoch &&
                        goal->index.seq >= goal->stored.seq;
        if (!found)
            goal->index.seq = 0;
        if (goal->reached || !verify->served || clock_monotonic_us() >= until_us)
            break;
        usleep(LOOK_US);
    }
    struct purge purge;
    return store_purge_next_indexing(verify->data_set->store, shard, verify->shards, &purge,
                                     &goal->cleaning);
}

static status_t goals_wait(verify_doubts_t *self)
{
    int64_t until_us = clock_monotonic_us() + WAIT_US;
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < self->verify->shards; shard++)
        status = goal_wait(self, shard, until_us);
    return status;
}

static void lives(void *lives_p, const struct scan_chat *chat)
{
    *(bool *) lives_p = !chat->deleted;
}

struct application_seen {
    char name[9];
    bool lives;
};

static void application_seen(void *seen_p, const struct scan_application *application)
{
    struct application_seen *seen = (struct application_seen *) seen_p;
    size_t length = application->token_length < 8 ? application->token_length : 8;
    memcpy(seen->name, application->token, length);
    seen->name[length] = 0;
    seen->lives = !application->deleted;
}

/* The application's name for people, and whether the chat and it are there. */
static status_t parents_look(verify_doubts_t *self, const struct doubt *doubt,
                             struct application_seen *ret_application, bool *ret_lives)
{
    store_t *store = self->verify->data_set->store;
    struct scan scan = {.within_application = doubt->application_id, .limit = 1};
    bool more;
    *ret_application = (struct application_seen){.name = "unknown"};
    *ret_lives = false;
    status_t status = store_scan_applications(store, &scan, application_seen, ret_application,
                                              &more);
    scan = (struct scan){.within_application = doubt->application_id,
                         .within_chat = doubt->chat,
                         .chat = doubt->chat - 1,
                         .application_id = doubt->application_id,
                         .limit = 1};
    if (status == OK)
        status = store_scan_chats(store, &scan, lives, ret_lives, &more);
    *ret_lives = *ret_lives && ret_application->lives;
    return status;
}

static status_t difference_tell(verify_doubts_t *self, const struct doubt *doubt, bool cleaning)
{
    struct application_seen application;
    bool chat_lives;
    status_t status = parents_look(self, doubt, &application, &chat_lives);
    if (status != OK || (!doubt->stored && !chat_lives && cleaning))
        return status;
    const char *what = !doubt->indexed  ? "is not in the index"
                       : !doubt->stored ? "is in the index, and not in the store"
                       : doubt->in_index.seq == doubt->in_store.seq
                           ? "has another body in the index"
                           : "is of another version in the index";
    verify_fault(self->verify, "application %s: chat %llu: message %llu %s", application.name,
                 (unsigned long long) doubt->chat, (unsigned long long) doubt->number, what);
    return ++self->faults < FAULTS_MAX ? OK : ERR_STOPPED;
}

static status_t doubt_settle(verify_doubts_t *self, struct doubt *doubt)
{
    const struct goal *goal = &self->goals[doubt->application_id % self->verify->shards];
    struct looking index, store;
    status_t status = index_look(self, doubt, &index);
    if (status == OK)
        status = store_look(self, doubt, &store);
    if (status != OK)
        return status;
    if (store.found != doubt->stored ||
        (store.found && !sighting_same(&store.sighting, &doubt->in_store)))
        return OK; /* it moved: once more */
    doubt->settled = true;
    doubt->indexed = index.found;
    doubt->in_index = index.sighting;
    if (doubt->stored ? index.found && sighting_same(&index.sighting, &doubt->in_store)
                      : !index.found)
        return OK;
    bool due = doubt->stored ? goal->index.epoch == goal->stored.epoch &&
                                   doubt->in_store.seq <= goal->index.seq
                             : goal->reached;
    return due ? difference_tell(self, doubt, goal->cleaning) : OK;
}

/* ---- the port ---- */

status_t verify_doubts_add(verify_doubts_t *self, const struct sighting *sighting)
{
    self->doubts[self->count++] = (struct doubt){
        .application_id = sighting->application_id,
        .chat = sighting->chat,
        .number = sighting->number,
    };
    return self->count == DOUBTS_MAX ? verify_doubts_settle(self) : OK;
}

/* What never stands still stays open: the next verify will see it. */
status_t verify_doubts_settle(verify_doubts_t *self)
{
    status_t status = OK;
    for (int round = 0; status == OK && self->count > 0 && round < ROUNDS; round++) {
        status = stores_look(self);
        if (status == OK)
            status = goals_wait(self);
        size_t left = 0;
        for (size_t i = 0; status == OK && i < self->count; i++) {
            status = doubt_settle(self, &self->doubts[i]);
            if (!self->doubts[i].settled)
                self->doubts[left++] = self->doubts[i];
        }
        self->count = left;
    }
    self->count = 0;
    if (status == ERR_STOPPED)
        verify_note(self->verify,
                    "the index has more faults than are worth listing: confab reindex");
    return status;
}
